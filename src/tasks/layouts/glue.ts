/** GLUE: the tables of gluebenchmark.com, and the Hub's parquet. */
import { join } from "node:path";
import { openSource, type Source } from "../../data/index.ts";
import { readFooter } from "../../data/sources/parquet.ts";
import { DataError } from "../../errors.ts";
import { openBytes } from "../../io/index.ts";
import { firstThere, readList } from "./files.ts";
import { type Item, type LayoutReader, type Place, splitNames } from "./layout.ts";
import { shards } from "./through-sources.ts";

/** What columns with the label are called; CoLA's tables have no header. */
const LABELS = ["label", "gold_label", "is_duplicate", "Quality", "score"];
const COLA = ["source", "label", "mark", "sentence"];
/** What other editions call a field. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  sentence1: ["#1 String", "premise", "question1", "question"],
  sentence2: ["#2 String", "hypothesis", "question2", "sentence"],
  question1: ["sentence1"],
  question2: ["sentence2"],
  question: ["sentence1"],
};
/** The Hub calls MNLI's development sets so. */
const HUB_SPLITS: Readonly<Record<string, string>> = {
  dev_matched: "validation_matched",
  dev_mismatched: "validation_mismatched",
};

const tsvFile = ({ root }: Place, split: string): Promise<string | undefined> =>
  firstThere(
    root,
    splitNames(split).map((name) => `${name}.tsv`),
  );

/** train.tsv and dev.tsv of gluebenchmark.com: cells between tabs, quotation marks mean nothing. */
export const glueTsv: LayoutReader = {
  looks: "train.tsv and dev.tsv (MNLI: dev_matched.tsv, dev_mismatched.tsv)",
  isThere: async (place) => (await tsvFile(place, place.task.data.splits.test![0]!)) !== undefined,
  async split(place, name) {
    const list = await tsvFile(place, name);
    if (list === undefined) return undefined;
    const file = join(place.root, list);
    const lines = (await readList(file, place.signal)).split(/\r?\n/).map((line) => line.split("\t"));
    const bare = lines[0]!.length === COLA.length && /^[01]$/.test(lines[0]![1]!);
    const header = bare ? COLA : lines[0]!.map((cell) => cell.trim());
    const columns = columnsOf(place, file, header);
    const items = lines.flatMap((cells, i): Item[] => {
      const key = `${list}:${i + 1}`;
      if ((i === 0 && !bare) || (cells.length === 1 && cells[0] === "")) return [];
      if (cells.length < header.length)
        return [{ key, refused: `expected ${header.length} cells, got ${cells.length}` }];
      const texts = columns.texts.map((c) => cells[c]!.trim());
      if (texts.includes("")) return [{ key, refused: "expected a text, got a blank" }];
      return [{ key, texts, label: labelOf(place, cells[columns.label]!.trim()) }];
    });
    return { items, files: [file] };
  },
};

function columnsOf({ task }: Place, file: string, header: readonly string[]): { texts: number[]; label: number } {
  const at = (names: readonly string[]): number => header.indexOf(names.find((name) => header.includes(name)) ?? "");
  const fields = task.data.fields ?? ["sentence"];
  const texts = fields.map((field) => at([field, ...(FIELDS[field] ?? [])]));
  const label = at(LABELS);
  const missing = [...fields.filter((_, i) => texts[i]! < 0), ...(label < 0 ? ["label"] : [])];
  if (missing.length > 0)
    throw new DataError(
      `task ${task.name}: ${file}: expected columns for ${missing.join(", ")}, got ${header.join(", ")}`,
    );
  return { texts, label };
}

/** A number where the task has a range or the table has class numbers; −1 and blanks are no label. */
function labelOf({ task }: Place, text: string): string | number | undefined {
  if (text === "" || text === "-" || text === "-1") return undefined;
  return !task.data.classes?.includes(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** train-00000-of-00001.parquet and validation-…: the Hub's glue. */
export const glueParquet: LayoutReader = {
  looks: "train-00000-of-00001.parquet, validation-00000-of-00001.parquet (the Hub's glue)",
  isThere: async (place) => (await shards(place, hubSplit(place.task.data.splits.test![0]!), ".parquet")).length > 0,
  async split(place, name) {
    const path = await shards(place, hubSplit(name), ".parquet");
    if (path.length === 0) return undefined;
    return pairedTexts(path, place);
  },
};

const hubSplit = (name: string): string => HUB_SPLITS[name] ?? name;

async function pairedTexts(path: readonly string[], { task, signal }: Place): Promise<Source> {
  const [text, second] = await columnNames(path[0]!, task.data.fields ?? ["sentence"], task.name, signal);
  const source = await openSource({
    type: "parquet",
    path,
    name: task.name,
    text,
    second,
    label: "label",
    exact: true,
  });
  return {
    ...source,
    async *samples(options) {
      for await (const { sample, cursor } of source.samples(options)) {
        const { label: _, ...bare } = sample;
        yield { sample: sample.label === -1 ? bare : sample, cursor };
      }
    },
  };
}

/** What the file calls the task's fields. */
async function columnNames(
  path: string,
  fields: readonly string[],
  task: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const file = await openBytes(path, { signal });
  try {
    const there = (await readFooter(file)).schema.map(({ name }) => name);
    return fields.map((field) => {
      const found = [field, ...(FIELDS[field] ?? [])].find((name) => there.includes(name));
      if (found === undefined)
        throw new DataError(`task ${task}: ${path}: expected a column ${field}, got ${there.slice(1).join(", ")}`);
      return found;
    });
  } finally {
    await file.close();
  }
}
