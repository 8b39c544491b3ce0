/** From what a person names to a source of labelled samples: a table with its columns, a folder of classes, a part of a named set. */
import { join } from "node:path";
import { resolveSpec, type SourceSpec } from "../data/index.ts";
import { namedPart } from "../datasets/index.ts";
import { ConfigError } from "../errors.ts";
import { namesIn, statOf } from "../io/index.ts";
import type { Needs } from "./survey.ts";

/** Columns of a table. */
export interface Columns {
  readonly text?: string | undefined;
  readonly textPair?: string | undefined;
  readonly image?: string | undefined;
  /** "label" unless said. */
  readonly label?: string | undefined;
  /** False where there are no labels, for predictions. */
  readonly labelled?: boolean | undefined;
}

/** A source, and what its samples are for. */
export interface NamedSource {
  readonly spec: string | SourceSpec;
  readonly inputs: Needs["inputs"];
  readonly textPairs: boolean;
}

const TABLES = new Set(["csv", "tsv", "jsonl", "json", "parquet"]);

/**
 * What `spec` stands for with these columns. `inputs` says it where nothing else does: for shards and parts of named sets. Throws
 * ConfigError where it is not clear what is read.
 */
export async function namedSource(
  spec: string,
  columns: Columns,
  { inputs }: { readonly inputs?: Needs["inputs"] | undefined } = {},
): Promise<NamedSource> {
  const { text, textPair, image, label = "label", labelled = true } = columns;
  if (textPair !== undefined && text === undefined)
    throw new ConfigError(
      "--text-pair: expected --text beside it, got none",
      "--text names the first text of each pair",
    );
  const said =
    text !== undefined && image !== undefined ? "pair" : text !== undefined ? "text" : image ? "image" : inputs;
  const textPairs = textPair !== undefined;
  if (namedPart(spec)) return { spec, inputs: said ?? unclear(spec), textPairs };
  const resolved = await resolveSpec(spec);
  if (resolved.type === "folder") return { spec: resolved, inputs: said ?? "image", textPairs };
  if (!TABLES.has(resolved.type)) return { spec: resolved, inputs: said ?? unclear(spec), textPairs };
  if (text === undefined && image === undefined)
    throw new ConfigError(
      `${spec}: expected the names of columns, got none`,
      `--text, --image or both${labelled ? ", and --label" : ""}`,
    );
  const read = { text, second: textPair, image, exact: true, ...(labelled && { label }) };
  const given = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
  return { spec: { ...resolved, ...given } as SourceSpec, inputs: said!, textPairs };
}

function unclear(spec: string): never {
  throw new ConfigError(
    `${spec}: expected --inputs text, image or pair, got none`,
    "it says what of the samples is read",
  );
}

const TRAIN = /^train(ing)?$/i;
const VALIDATION = /^(val|valid|validation|dev)$/i;

/** Training and validation of a folder that holds them as `train/` and `val/`; undefined for any other. */
export async function splitFolders(
  spec: string,
): Promise<{ readonly train: string; readonly validation: string } | undefined> {
  if (!(await statOf(spec).catch(() => undefined))?.isDirectory()) return undefined;
  const names = await namesIn(spec);
  const [train, validation] = [TRAIN, VALIDATION].map((kind) => names.find((name) => kind.test(name)));
  return train && validation ? { train: join(spec, train), validation: join(spec, validation) } : undefined;
}
