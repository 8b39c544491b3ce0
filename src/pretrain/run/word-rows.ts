/** Rows of another model's vocabulary: each goes to the same word of this run's, since ids mean nothing across vocabularies. */
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../../errors.ts";
import { statOf } from "../../io/index.ts";
import { size, type Tensor, tensor } from "../../tensor/index.ts";
import { matchVocabularies, type VocabularyMatch } from "../../text/index.ts";
import { loadBertTokenizer, loadTokenizer } from "../../text/load.node.ts";

/** A match of vocabularies, and where the old one came from. */
export interface WordRows extends VocabularyMatch {
  /** Where the old words are from. */
  readonly from: string;
}

const BERT_WORDS = 30_522;

/**
 * How the `rows` words of the weights at `path` match `vocabulary`. Their words are those of the tokenizer beside the weights; without
 * one, 30,522 rows are taken for those of bert-base-uncased. Throws CheckpointError where nothing says which word a row is.
 */
export async function matchWords(path: string, rows: number, vocabulary: readonly string[]): Promise<WordRows> {
  const from = await tokenizerBeside(path);
  if (from === undefined && rows !== BERT_WORDS)
    throw new CheckpointError(
      `${path}: expected a tokenizer beside the weights, which says which of its ${rows} words is which, got none`,
      "copy the tokenizer.json or vocab.txt of that model into the same folder",
    );
  const { vocabulary: old } = await (from === undefined ? loadBertTokenizer() : loadTokenizer(from));
  if (old.length !== rows)
    throw new CheckpointError(
      `${path}: expected weights for the ${old.length} words of ${from}, got ${rows} rows`,
      "the tokenizer beside the weights belongs to another model",
    );
  return {
    ...matchVocabularies(old, vocabulary),
    from: from ?? "bert-base-uncased, as there is no tokenizer beside it",
  };
}

const TOKENIZER_FILES = ["tokenizer.json", "vocab.txt"];

/** The tokenizer in the folder of the weights; that of a run's checkpoint is in the folder of the run. */
async function tokenizerBeside(path: string): Promise<string | undefined> {
  let folder = (await statOf(path))?.isDirectory() ? path : dirname(path);
  const folders = [folder];
  if (/^checkpoint-\d+$/.test(basename(folder))) {
    folder = dirname(folder);
    folders.push(folder, dirname(folder));
  }
  for (const file of folders.flatMap((one) => TOKENIZER_FILES.map((name) => join(one, name))))
    if ((await statOf(file))?.isFile()) return file;
  return undefined;
}

/** The rows of `old` in the places of the same words, on `first` elsewhere: (old words, …) → the shape of `first`. */
export function rowsByWord(old: Tensor, { oldIds }: VocabularyMatch, first: Tensor<"float32">): Tensor<"float32"> {
  const width = size(first.shape.slice(1));
  const data = first.data.slice();
  for (const [row, from] of oldIds.entries())
    if (from >= 0) data.set((old.data as Float32Array).subarray(from * width, (from + 1) * width), row * width);
  return tensor("float32", first.shape, data);
}
