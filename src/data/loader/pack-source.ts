/** Full-sentence packing over a data source: texts in, blocks of T tokens out, with a cursor that checkpoints can save. */

import { DataError } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import { type BreakMode, type PackCursor, type PackItem, packSentences } from "../../text/pack.ts";
import type { TextTokenizer } from "../../text/tokenizer.ts";
import type { Cursor, SampleOptions, Source } from "../sources/source.ts";

export interface PackSourceOptions extends SampleOptions {
  /** T, with `[CLS]` and `[SEP]`. */
  readonly length: number;
  /** Default `"complete"`. */
  readonly breakMode?: BreakMode | undefined;
  /** The `meta` field that names a sample's document; samples without it are documents of their own. Default `"document"`. */
  readonly documentField?: string | undefined;
}

const segmenter: Intl.Segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

/** A block of a source, with the cursor that continues right after it. */
export interface SourceBlock {
  /** (T) */
  readonly inputIds: Int32Array;
  /** (T) */
  readonly attentionMask: Int32Array;
  readonly cursor: Cursor;
}

/** The texts of one pass over `source`, tokenized, split into sentences and packed. Samples without text are skipped. */
export async function* packSource(
  source: Source,
  tokenizer: TextTokenizer,
  { length, breakMode, documentField = "document", cursor, ...options }: PackSourceOptions,
): AsyncGenerator<SourceBlock, void, undefined> {
  const start = cursor === undefined ? undefined : parseCursor(cursor, source.name);
  const items = tokenize(source, tokenizer, documentField, { ...options, cursor: start?.after ?? undefined });
  for await (const block of packSentences(items, { length, special: tokenizer.special, breakMode, cursor: start })) {
    const { after, sentence, token } = block.cursor;
    yield { ...block, cursor: { after, sentence, token } };
  }
}

/** The sentences of a text: its lines, and the sentences of each line by the rules of Unicode (UAX 29). */
export function splitSentences(text: string): string[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => Array.from(segmenter.segment(line), ({ segment }) => segment.trim()))
    .filter((sentence) => sentence.length > 0);
}

async function* tokenize(
  source: Source,
  tokenizer: TextTokenizer,
  documentField: string,
  options: SampleOptions,
): AsyncGenerator<PackItem<Cursor>, void, undefined> {
  for await (const { sample, cursor } of source.samples(options)) {
    const document = sample.meta?.[documentField];
    const sentences = (sample.texts ?? []).flatMap(splitSentences).map((sentence) => tokenizer.ids(sentence));
    yield { sentences, document: document === undefined ? undefined : String(document), cursor };
  }
}

function parseCursor(cursor: Cursor, name: string): PackCursor<Cursor> {
  const { after, sentence, token } = (cursor ?? {}) as Record<string, Json | undefined>;
  if (after === undefined || typeof sentence !== "number" || typeof token !== "number") {
    throw new DataError(`${name}: expected a cursor of packed blocks, got ${JSON.stringify(cursor)}`);
  }
  return { after, sentence, token };
}
