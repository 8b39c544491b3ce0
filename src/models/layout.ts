/** How files of other code bases name and pack the tensors of a model, and their files under our names. */
import { CheckpointError } from "../errors.ts";
import { castFloats, formatShape, nearest, type Shape, sameShape, type Tensor } from "../tensor/index.ts";
import { plainNames, twice, withoutScope } from "./wrapped-names.ts";

/** Tensors by name, before they are read. */
export type Shapes = ReadonlyMap<string, { readonly shape: Shape }>;

/** How many different numbers names have at a place: `/^encoder\.layer\.(\d+)\./`. */
export const countNumbers = (tensors: Shapes, place: RegExp): number =>
  new Set([...tensors.keys()].flatMap((name) => place.exec(name)?.[1] ?? [])).size;

/** What a tensor of a file is for the model. */
export type Place =
  /** It, under its name in the published checkpoint. */
  | { readonly to: string; readonly transposed?: boolean }
  /** Several, fused: equal parts along axis 0. */
  | { readonly split: readonly string[] }
  /** Nothing that it needs; what it is, in the plural: "position ids". */
  | { readonly ignored: string };

/** The names of one file. */
export interface Naming {
  /** What the file holds, in its code base's words: "FlavaModel". */
  readonly what: string;
  /** The place of each tensor; undefined for one that this code base does not have. */
  place(name: string): Place | undefined;
}

/** Where a tensor goes in a file of another code base: a name, and which part of it along axis 0. */
export interface Target {
  readonly name: string;
  readonly part?: readonly [index: number, of: number] | undefined;
  /** Whether rows are columns there. */
  readonly transposed?: boolean | undefined;
}

/** One code base's names for a model. `C` is the model's configuration. */
export interface Layout<C = unknown> {
  /** For people: "torchmultimodal". */
  readonly title: string;
  /** The naming of a file with these tensors; undefined where it is none of this code base. */
  recognise(tensors: Shapes): Naming | undefined;
  /** Where a parameter is written; undefined where this layout has no place for it. */
  target(name: string): Target | undefined;
  /** What its code base computes differently, as switches of the configuration. */
  readonly switches?: C;
  /** Whether such files hold only what a run may start from, so that none of them is a model of the family. */
  readonly forStarting?: boolean;
}

/** Names as they are: for a model that only this package saves. */
export const ownNames: Layout = {
  title: "this package",
  recognise: () => ({ what: "a model", place: (name) => ({ to: name }) }),
  target: (name) => ({ name }),
};

/** What can be asked of a file of tensors. */
export interface TensorSource {
  /** Path or URL, for messages. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, Pick<Tensor, "dtype" | "shape">>;
  read(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Tensor>;
}

/** A file under the names of the published checkpoint. */
export interface NamedWeights<L extends string = string> extends TensorSource {
  readonly layout: L;
  /** What the file holds, in its code base's words. */
  readonly what: string;
  /** Names in the file of what was left out, by what it is. */
  readonly ignored: ReadonlyMap<string, readonly string[]>;
  /** Names in the file that its code base does not have. */
  readonly unknown: readonly string[];
  /** The name in the file of each tensor. */
  readonly stored: ReadonlyMap<string, string>;
  /** How many tensors are float64 in the file; they are read as float32, to nearest. */
  readonly narrowed: number;
}

/** That tensors were narrowed, as a sentence; undefined where none was. */
export const narrowedNote = ({ narrowed }: NamedWeights): string | undefined =>
  narrowed > 0 ? `tensors of float64: ${narrowed}, read as float32, to nearest` : undefined;

/** Buffers that count and are not learned; present code does not save them. */
const BUFFERS = /(^|\.)(position_ids|num_batches_tracked)$/;

/**
 * A file under our names: the first layout that recognises it says which tensor is which. Nothing is read. Throws CheckpointError for a
 * file of no layout, and where two tensors would be one.
 */
export function underOurNames<L extends string>(
  file: TensorSource,
  layouts: Readonly<Record<L, Layout>>,
): NamedWeights<L> {
  const found = recognised(file, layouts);
  if (found) return placed(file, found.plain, found.layout, found.naming);
  const some = [...file.tensors.keys()].slice(0, 3).join(", ");
  throw new CheckpointError(
    `${file.name}: expected tensors named as in ${listed(Object.values<Layout>(layouts).map(({ title }) => title))}, got ${some || "none"}${file.tensors.size > 3 ? `, … (${file.tensors.size})` : ""}`,
    "the file belongs to another model",
  );
}

/**
 * Which of the layouts a file has, by its names without what wrappers added; undefined where it is none. A scope around all names
 * ("model.", as Lightning's modules have it) is taken off where nothing is recognised with it.
 */
export function recognised<L extends string>(
  file: TensorSource,
  layouts: Readonly<Record<L, Layout>>,
): { readonly layout: L; readonly naming: Naming; readonly plain: ReadonlyMap<string, string> } | undefined {
  const names = plainNames(file);
  for (const plain of [names, withoutScope(names)]) {
    if (!plain) continue;
    const shapes: Shapes = new Map([...plain].map(([short, name]) => [short, file.tensors.get(name)!]));
    for (const layout of Object.keys(layouts) as L[]) {
      const naming = layouts[layout].recognise(shapes);
      if (naming) return { layout, naming, plain };
    }
  }
  return undefined;
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

interface Origin {
  /** In the file. */
  readonly stored: string;
  readonly part: number;
  readonly parts: number;
  /** Whether rows are columns there. */
  readonly transposed: boolean;
}

function placed<L extends string>(
  file: TensorSource,
  plain: ReadonlyMap<string, string>,
  layout: L,
  { what, place }: Naming,
): NamedWeights<L> {
  const origins = new Map<string, Origin>();
  const ignored = new Map<string, string[]>();
  const unknown: string[] = [];
  const hasOwnHead = !plain.has("classifier.1.weight");
  const leave = (kind: string, name: string): void => {
    if (!ignored.has(kind)) ignored.set(kind, []);
    ignored.get(kind)!.push(name);
  };
  for (const [short, stored] of plain) {
    const found: Place | undefined = BUFFERS.test(short)
      ? { ignored: "counting buffers" }
      : hasOwnHead && OWN_HEAD.test(short)
        ? { to: short }
        : place(short);
    if (!found) unknown.push(stored);
    else if ("ignored" in found) leave(found.ignored, stored);
    else {
      const names = "to" in found ? [found.to] : found.split;
      for (const [part, name] of names.entries()) {
        if (origins.has(name)) throw twice(file.name, name, origins.get(name)!.stored, stored);
        const transposed = "to" in found && found.transposed === true;
        origins.set(name, { stored, part, parts: names.length, transposed });
      }
    }
  }
  return {
    name: file.name,
    layout,
    what,
    ignored,
    unknown,
    stored: new Map([...origins].map(([name, origin]) => [name, origin.stored])),
    narrowed: [...file.tensors.values()].filter(({ dtype }) => dtype === "float64").length,
    tensors: new Map([...origins].map(([name, origin]) => [name, partOf(file, origin)])),
    read: reader(file, origins),
  };
}

/** What a part of a tensor is: its dtype and shape. */
function partOf(file: TensorSource, { stored, parts, transposed }: Origin): Pick<Tensor, "dtype" | "shape"> {
  const own = file.tensors.get(stored)!;
  const info = own.dtype === "float64" ? { ...own, dtype: "float32" as const } : own;
  if (transposed) return { ...info, shape: [...info.shape].reverse() };
  if (parts === 1) return info;
  const rows = info.shape[0] ?? 0;
  if (rows % parts)
    throw new CheckpointError(
      `${file.name}: ${stored}: ${formatShape(info.shape)} does not divide into ${parts} parts`,
    );
  return { ...info, shape: [rows / parts, ...info.shape.slice(1)] };
}

/** Reads by our names. A fused tensor is kept until another is asked for: its parts are mostly asked for in turn. */
function reader(file: TensorSource, origins: ReadonlyMap<string, Origin>): TensorSource["read"] {
  let last: { readonly stored: string; readonly whole: Promise<Tensor> } | undefined;
  const single: TensorSource["read"] = async (name, options) => {
    const t = await file.read(name, options);
    return t.dtype === "float64" ? castFloats(t, "float32").tensor : t;
  };
  return async (name, options) => {
    const origin = origins.get(name);
    if (!origin)
      throw new CheckpointError(
        `${file.name}: expected a tensor for ${name}, got none`,
        nearest(name, [...origins.keys()]),
      );
    const { stored, part, parts } = origin;
    if (origin.transposed) return transposed(await single(stored, options));
    if (parts === 1) return single(stored, options);
    if (last?.stored !== stored) last = { stored, whole: single(stored, options) };
    const { dtype, data } = await last.whole.catch((error: unknown) => {
      last = undefined; // the next who asks for it reads it anew
      throw error;
    });
    const length = data.length / parts;
    const { shape } = partOf(file, origin);
    return { dtype, shape, data: data.subarray(part * length, (part + 1) * length) } as Tensor;
  };
}

/** A matrix with rows as columns; anything else as it is. */
export function transposed(t: Tensor): Tensor {
  const [rows, columns] = t.shape;
  if (t.shape.length !== 2) return t;
  const data = t.data.slice() as Float32Array;
  for (let i = 0; i < rows!; i++)
    for (let j = 0; j < columns!; j++) data[j * rows! + i] = t.data[i * columns! + j] as number;
  return { ...t, shape: [columns!, rows!], data } as Tensor;
}

/** The head that `flava finetune` puts on a model of any code base; theirs of this name have a layer 1, or are one layer that nothing reads. */
const OWN_HEAD = /^classifier\.([023]\.)?(weight|bias)$/;

/** What differs between a file and the parameters that a model has. */
export interface Differences {
  readonly missing: readonly string[];
  /** In the file, by our names where they have one. */
  readonly unexpected: readonly string[];
  /** A sentence each. */
  readonly misshapen: readonly string[];
}

interface Named {
  readonly name: string;
  readonly shape: Shape;
  readonly aliases?: readonly string[];
}

/** Compares by names, shapes and dtypes; a tensor may be under any of its names. */
export function compareWeights(specs: readonly Named[], { tensors, unknown }: NamedWeights): Differences {
  const expected = new Set(specs.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const { name, shape, aliases = [] } of specs) {
    const stored = [name, ...aliases].filter((one) => tensors.has(one));
    if (stored.length === 0) missing.push(name);
    for (const one of stored) {
      const found = tensors.get(one)!;
      if (found.dtype !== "float32" || !sameShape(found.shape, shape))
        misshapen.push(
          `${one}: expected float32 ${formatShape(shape)}, got ${found.dtype} ${formatShape(found.shape)}`,
        );
    }
  }
  return { missing, misshapen, unexpected: [...[...tensors.keys()].filter((name) => !expected.has(name)), ...unknown] };
}

/** The differences as an error: the first few of each kind, and what may have been meant; undefined where there are none. */
export function differencesError(
  where: string,
  { missing, unexpected, misshapen }: Differences,
): CheckpointError | undefined {
  const lines = [
    ...kind("missing", missing, (name) => hint(name, unexpected)),
    ...kind("not of this model", unexpected, (name) => hint(name, missing)),
    ...kind("of another shape", misshapen, () => ""),
  ];
  if (lines.length === 0) return undefined;
  return new CheckpointError(
    `${where}: expected the tensors of this model\n${lines.join("\n")}`,
    "config.json and the weights belong to different models, or only a part of the model was saved",
  );
}

const SHOWN = 5;

function kind(what: string, names: readonly string[], more: (name: string) => string): string[] {
  if (names.length === 0) return [];
  const rest = names.length > SHOWN ? [`    and ${names.length - SHOWN} more`] : [];
  return [`✖ ${names.length} ${what}:`, ...names.slice(0, SHOWN).map((name) => `    ${name}${more(name)}`), ...rest];
}

/** A name of the other list that looks like this one. The lists of a whole model are long: only the first are looked at. */
function hint(name: string, others: readonly string[]): string {
  const found = others.length === 0 ? "" : nearest(name, others.slice(0, 500));
  return found.startsWith("did you mean") ? ` (${found})` : "";
}
