/** What a source can be asked for, as plain data: the shape of a recipe's `source` entries. */
import { z } from "zod";
import type { HeldOutBy } from "../../datasets/starter/split.ts";

/** One location or several; brace lists and `::` are expanded. */
type Locations = string | string[];

interface Named {
  /** For logs; the location unless given. */
  name?: string | undefined;
}

interface Columns {
  /** The name of the column or key; the first known name unless given. */
  image?: string | undefined;
  text?: string | undefined;
  label?: string | undefined;
  /** The folder or URL that image paths start from. */
  root?: string | undefined;
}

export type SourceSpec =
  | ({ type: "tar"; path: Locations } & Named)
  | ({ type: "parquet"; path: Locations } & Named & Columns)
  | ({ type: "csv"; path: Locations; delimiter?: string | undefined } & Named & Columns)
  | ({ type: "tsv"; path: Locations } & Named & Columns)
  | ({ type: "jsonl"; path: Locations } & Named & Columns)
  | ({ type: "text"; path: Locations } & Named)
  | ({ type: "folder"; path: string; captions?: "class" | "none" | undefined } & Named)
  | ({ type: "coco"; path: string; root?: string | undefined } & Named)
  | ({
      type: "synthetic";
      count: number;
      size?: number | undefined;
      width?: number | undefined;
      height?: number | undefined;
      seed?: number | undefined;
      format?: "png" | "jpeg" | undefined;
    } & Named)
  | ({
      /** A part of the starter data: pairs, images, texts, validation, … It is fetched where it is not there. */
      type: "starter";
      part: string;
      /** What its unseen concepts are held out by. Default `"families"`. */
      heldOutBy?: HeldOutBy | undefined;
      cacheDir?: string | undefined;
    } & Named);

export type SourceType = SourceSpec["type"];

export const SOURCE_TYPES: readonly SourceType[] = [
  "tar",
  "parquet",
  "csv",
  "tsv",
  "jsonl",
  "text",
  "folder",
  "coco",
  "synthetic",
  "starter",
];

const text = z.string().min(1);
const path = z.union([text, z.array(text).min(1)]);
const named = { name: text.optional() };
const columns = { image: text.optional(), text: text.optional(), label: text.optional(), root: z.string().optional() };
const side = z.int().min(8).max(4096).optional();

export const sourceSchema: z.ZodType<SourceSpec> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("tar"), path, ...named }),
  z.strictObject({ type: z.literal("parquet"), path, ...named, ...columns }),
  z.strictObject({ type: z.literal("csv"), path, delimiter: text.max(1).optional(), ...named, ...columns }),
  z.strictObject({ type: z.literal("tsv"), path, ...named, ...columns }),
  z.strictObject({ type: z.literal("jsonl"), path, ...named, ...columns }),
  z.strictObject({ type: z.literal("text"), path, ...named }),
  z.strictObject({ type: z.literal("folder"), path: text, captions: z.enum(["class", "none"]).optional(), ...named }),
  z.strictObject({ type: z.literal("coco"), path: text, root: z.string().optional(), ...named }),
  z.strictObject({
    type: z.literal("synthetic"),
    count: z
      .int()
      .positive()
      .max(2 ** 31),
    size: side,
    width: side,
    height: side,
    seed: z.int().nonnegative().optional(),
    format: z.enum(["png", "jpeg"]).optional(),
    ...named,
  }),
  z.strictObject({
    type: z.literal("starter"),
    part: text,
    heldOutBy: z.enum(["families", "concepts"]).optional(),
    cacheDir: text.optional(),
    ...named,
  }),
]);

/** What logs and plans call a source: the name it was given, else its location. */
export function sourceName(spec: string | SourceSpec): string {
  if (typeof spec === "string") return spec;
  if (spec.name !== undefined) return spec.name;
  if (spec.type === "synthetic") return `synthetic:${spec.count}`;
  if (spec.type === "starter") return `starter:${spec.part}${spec.heldOutBy === "concepts" ? " by concepts" : ""}`;
  return typeof spec.path === "string" ? spec.path : spec.path.join("::");
}
