/** From what a recipe or a command names — a source of `data/`, or a part of a named set — to a source. */
import { z } from "zod";
import {
  locationsOf,
  openSource,
  type Source,
  type SourceSpec,
  sourceName,
  sourceSchema,
  splitSpec,
} from "../data/sources/index.ts";
import { ConfigError } from "../errors.ts";
import { isUrl, statOf } from "../io/index.ts";
import { type NamedSet, type SetOptions, type SetSpec, type SetType, sets } from "./sets.ts";

/** All that can be read, as plain data. As a string: `starter:PART`, or what `openSource` takes. */
export type DataSpec = SourceSpec | SetSpec;

const SET_TYPES = Object.keys(sets) as SetType[];
const name = z.string().min(1).optional();

const setSchemas = SET_TYPES.map((type) => z.strictObject({ type: z.literal(type), ...sets[type].fields, name }));

/** Any source or part of a named set: a recipe's `source` entries that are no strings. */
export const dataSchema: z.ZodType<DataSpec> = z.discriminatedUnion("type", [
  ...(sourceSchema as z.ZodDiscriminatedUnion).options,
  ...setSchemas,
] as never);

/** What logs and plans call it: the name it was given, else its location or part. */
export function dataName(spec: string | DataSpec): string {
  const part = namedPart(spec);
  if (part === undefined || typeof spec === "string") return sourceName(spec as string | SourceSpec);
  return part.name ?? setOf(part).title(part);
}

/** As openSource. A part of a named set is downloaded and prepared first where it is not there. */
export async function openData(spec: string | DataSpec, options: SetOptions = {}): Promise<Source> {
  const part = namedPart(spec);
  if (part === undefined) return openSource(spec as string | SourceSpec, options);
  return setOf(part).open(dataName(spec), part, options);
}

/** Downloads and prepares what is not there yet; for anything but a named set there is nothing to do. */
export async function fetchData(spec: string | DataSpec, options: SetOptions = {}): Promise<void> {
  const part = namedPart(spec);
  if (part !== undefined) await setOf(part).fetch(part, options);
}

/** Whether it can be read without the network: local files that exist, and named sets that have been fetched. */
export async function isAtHand(spec: string | DataSpec, options: SetOptions = {}): Promise<boolean> {
  const part = namedPart(spec);
  if (part !== undefined) return setOf(part).isThere(part, options);
  const found = await Promise.all(
    dataLocations(spec).map(async (at) => !isUrl(at) && (await statOf(at)) !== undefined),
  );
  return found.every(Boolean);
}

/** The local files, folders and URLs that a spec names itself; none for a named set. */
export const dataLocations = (spec: string | DataSpec): string[] =>
  namedPart(spec) === undefined ? locationsOf(spec as string | SourceSpec) : [];

/** The part of a named set that a spec means; undefined where it is a source of its own. Throws ConfigError where it is damaged. */
export function namedPart(spec: string | DataSpec): SetSpec | undefined {
  const { type, rest } = typeof spec === "string" ? splitSpec(spec) : { type: spec.type, rest: "" };
  if (type === undefined || !Object.hasOwn(sets, type)) return undefined;
  const set = type as SetType;
  const parsed = dataSchema.safeParse(typeof spec === "string" ? { type: set, ...sets[set].parse(rest) } : spec);
  if (parsed.success) return parsed.data as SetSpec;
  throw new ConfigError(`${set}: ${z.prettifyError(parsed.error)}`, undefined, { cause: parsed.error });
}

const setOf = <S extends SetSpec>({ type }: S): NamedSet<S> => sets[type] as NamedSet<never> as NamedSet<S>;
