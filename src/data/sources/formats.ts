/** The table of formats: what a source of each is asked for, as plain data of a recipe, and how it is opened. */
import { z } from "zod";
import { type BoxesOptions, boxSource, hasBoxes } from "./boxes.ts";
import { expandLocations } from "./braces.ts";
import { type CocoOptions, cocoSource } from "./coco.ts";
import { type CsvOptions, csvSource, type TableOptions } from "./csv.ts";
import { type FolderOptions, folderSource } from "./folder.ts";
import { jsonlSource, textSource } from "./lines.ts";
import { isRowList, type ListOptions, listSource } from "./list.ts";
import { type ParquetColumns, parquetSource } from "./parquet.ts";
import { type RegionDumpOptions, regionSource } from "./region-dump.ts";
import type { Reading, Source } from "./source.ts";
import { type SyntheticOptions, syntheticSource } from "./synthetic.ts";
import { tarSource } from "./tar.ts";

/** One location or several; brace lists and `::` are expanded. */
interface Files {
  readonly path: string | readonly string[];
}

interface Place {
  readonly path: string;
}

/** What each format asks for, beside `type` and `name`. A new line here makes the compiler ask for its row below. */
interface Fields {
  tar: Files;
  parquet: Files & ParquetColumns;
  csv: Files & CsvOptions;
  tsv: Files & Omit<CsvOptions, "delimiter">;
  jsonl: Files & TableOptions;
  json: Place & ListOptions;
  text: Files;
  folder: Place & FolderOptions;
  coco: Place & CocoOptions;
  boxes: Place & BoxesOptions;
  regions: Files & RegionDumpOptions;
  synthetic: SyntheticOptions;
}

export type SourceType = keyof Fields;

/** What can be opened, as plain data. `name` is for logs; the location unless given. */
export type SourceSpec = {
  readonly [T in SourceType]: { readonly type: T; readonly name?: string | undefined } & Fields[T];
}[SourceType];

export interface OpenOptions extends Reading {
  /** As in a table's spec, for one that does not say it: image paths may lead out of its folder. */
  readonly outside?: boolean | undefined;
}

interface Format<T extends SourceType> {
  readonly fields: { readonly [K in keyof Fields[T]]-?: z.ZodType<Fields[T][K]> };
  open(name: string, spec: Fields[T], options: OpenOptions): Source | Promise<Source>;
  /** File name extensions that mean this format. */
  readonly extensions?: readonly string[];
  /** Where several formats share an extension: whether a file that begins so is one of this. The table's order counts. */
  suits?(head: string): boolean;
  /** What a folder of this format is known by: files with the extension, or a file of this name. The table's order counts. */
  readonly inFolder?: string;
  /** The fields that `type:REST` says, where they are not `{ path: REST }`; undefined where it cannot be understood. */
  parse?(rest: string): Fields[T] | undefined;
  /** How `REST` is written, for messages. */
  readonly rest?: string;
}

const text = z.string().min(1);
const path = z.union([text, z.array(text).min(1)]);
const place = { root: z.string().optional(), outside: z.boolean().optional() };
const columns = {
  image: text.optional(),
  text: text.optional(),
  second: text.optional(),
  label: text.optional(),
  exact: z.boolean().optional(),
  ...place,
};
const side = z.int().min(8).max(4096).optional();
const count = z
  .int()
  .positive()
  .max(2 ** 31);

/** A new format is a file beside this one, a line in `Fields` and a row here. */
export const formats: { readonly [T in SourceType]: Format<T> } = {
  tar: {
    fields: { path },
    open: (name, spec) => tarSource(name, filesOf(spec)),
    extensions: ["tar"],
    inFolder: ".tar",
  },
  parquet: {
    fields: { path, ...columns },
    open: (name, spec) => parquetSource(name, filesOf(spec), spec),
    extensions: ["parquet"],
    inFolder: ".parquet",
  },
  jsonl: {
    fields: { path, ...columns },
    open: (name, spec) => jsonlSource(name, filesOf(spec), spec),
    extensions: ["jsonl", "ndjson"],
    inFolder: "metadata.jsonl",
  },
  csv: {
    fields: { path, ...columns, delimiter: text.max(1).optional(), quotes: z.boolean().optional() },
    open: (name, spec) => csvSource(name, filesOf(spec), spec),
    extensions: ["csv"],
    inFolder: "metadata.csv",
  },
  tsv: {
    fields: { path, ...columns, quotes: z.boolean().optional() },
    open: (name, spec) => csvSource(name, filesOf(spec), { ...spec, delimiter: "\t" }),
    extensions: ["tsv"],
  },
  text: {
    fields: { path },
    open: (name, spec) => textSource(name, filesOf(spec)),
    extensions: ["txt"],
  },
  json: {
    fields: { path: text, ...columns, split: text.optional() },
    open: (name, spec, reading) => listSource(name, spec.path, spec, reading),
    extensions: ["json"],
    suits: isRowList,
    parse(rest) {
      const [, path, split] = /^(.*\.json)#(\w+)$/is.exec(rest) ?? [undefined, rest, undefined];
      return { path: path!, ...(split && { split }) };
    },
  },
  folder: {
    fields: { path: text, captions: z.enum(["files", "class", "none"]).optional() },
    open: (name, spec) => folderSource(name, spec.path, spec),
  },
  boxes: {
    fields: { path: text, classes: text.optional(), ...place },
    open: (name, spec, reading) => boxSource(name, spec.path, spec, reading),
    extensions: ["json"],
    suits: hasBoxes,
  },
  coco: {
    fields: { path: text, ...place },
    open: (name, spec, reading) => cocoSource(name, spec.path, spec, reading),
    extensions: ["json"],
  },
  regions: {
    fields: {
      path,
      captions: text.optional(),
      features: z.int().positive().optional(),
      classes: z.int().positive().optional(),
    },
    open: (name, spec, reading) => regionSource(name, filesOf(spec), spec, reading),
    extensions: ["npz"],
    inFolder: ".npz",
  },
  synthetic: {
    fields: {
      count,
      size: side,
      width: side,
      height: side,
      seed: z.int().nonnegative().optional(),
      format: z.enum(["png", "jpeg"]).optional(),
    },
    open: syntheticSource,
    parse(rest) {
      const match = /^(\d+)(?:x(\d+))?$/.exec(rest);
      return match ? { count: Number(match[1]), ...(match[2] && { size: Number(match[2]) }) } : undefined;
    },
    rest: "COUNT or COUNTxSIZE",
  },
};

export const SOURCE_TYPES: readonly SourceType[] = Object.keys(formats) as SourceType[];

/** Any source as plain data: a recipe's `source` entries that name a format. */
export const sourceSchema: z.ZodType<SourceSpec> = z.discriminatedUnion(
  "type",
  SOURCE_TYPES.map((type) =>
    z.strictObject({ type: z.literal(type), ...formats[type].fields, name: text.optional() }),
  ) as never,
);

/** What logs and plans call a source: the name it was given, else its location. */
export function sourceName(spec: string | SourceSpec): string {
  if (typeof spec === "string") return spec;
  if (spec.name !== undefined) return spec.name;
  if (spec.type === "synthetic") return `synthetic:${spec.count}`;
  return typeof spec.path === "string" ? spec.path : spec.path.join("::");
}

const filesOf = ({ path }: Files): string[] =>
  (typeof path === "string" ? [path] : path).flatMap((one) => expandLocations(one));
