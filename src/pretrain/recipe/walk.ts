/** Walks a zod schema along a path of plain data, so that `--set` and error messages know which keys exist there. */

import type { z } from "zod";
import { isRecord } from "../../io/index.ts";

type Schema = z.core.$ZodType;

/** Keys from the root of a recipe. */
export type Path = readonly PropertyKey[];

/** What the walk reads of a schema's definition; `type` says which fields there are. */
interface Definition {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly element?: Schema;
  readonly valueType?: Schema;
  readonly options?: readonly Schema[];
  readonly discriminator?: string;
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
}

const define = (schema: Schema): Definition => schema._zod.def as unknown as Definition;

/** The schemas that `schema` may stand for at `value`: without defaults, nullables and unions. */
function alternatives(schema: Schema, value: unknown): Schema[] {
  const def = define(schema);
  if (def.innerType) return alternatives(def.innerType, value);
  if (def.type === "pipe") return alternatives(define(def.in!).type === "transform" ? def.out! : def.in!, value);
  if (def.type !== "union") return [schema];
  const options = def.options!.flatMap((option) => alternatives(option, value));
  const tag = def.discriminator && isRecord(value) ? value[def.discriminator] : undefined;
  const chosen = options.filter((option) => tag !== undefined && tagOf(option, def.discriminator!) === tag);
  return chosen.length > 0 ? chosen : options;
}

const tagOf = (option: Schema, discriminator: string): unknown => {
  const literal = define(option).shape?.[discriminator];
  return literal && define(literal).values?.[0];
};

const childOf = (value: unknown, key: PropertyKey): unknown =>
  typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;

/** The schemas that may hold at `path` of `value`; none if there is no such place. */
export function schemasAt(schema: Schema, value: unknown, path: Path): Schema[] {
  const here = alternatives(schema, value);
  const [key, ...rest] = path;
  if (key === undefined) return here;
  return here.flatMap((option) => {
    const { shape, element, valueType } = define(option);
    const child = shape
      ? Object.hasOwn(shape, key)
        ? shape[key as string]
        : undefined
      : (valueType ?? (/^\d+$/.test(String(key)) ? element : undefined));
    return child ? schemasAt(child, childOf(value, key), rest) : [];
  });
}

/** The keys that may be used at `path` of `value`: of an object those it can have, of a record those it has. */
export function keysAt(schema: Schema, value: unknown, path: Path): string[] {
  const place = path.reduce(childOf, value);
  const keys = schemasAt(schema, value, path).flatMap((option) => {
    const { shape, valueType } = define(option);
    return shape ? Object.keys(shape) : valueType && isRecord(place) ? Object.keys(place) : [];
  });
  return [...new Set(keys)];
}

/** Whether a text is a value at `path` of `value` as it stands: not to be read as a number, list or null. */
export function takesText(schema: Schema, value: unknown, path: Path): boolean {
  return schemasAt(schema, value, path).some((option) => ["string", "enum", "literal"].includes(define(option).type));
}

/** Whether `path` of `value` may hold a list or an object. */
export function takesStructure(schema: Schema, value: unknown, path: Path): boolean {
  return schemasAt(schema, value, path).some((option) =>
    ["array", "tuple", "object", "record"].includes(define(option).type),
  );
}
