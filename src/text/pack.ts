/**
 * Packs sentences into blocks of T tokens for text-only pretraining, as RoBERTa's FULL-SENTENCES (Liu et al. 2019 §4.2;
 * fairseq's break mode "complete"): `[CLS] s s s [SEP] s s … [SEP]`, a `[SEP]` also where the document changes. No token
 * is lost and every block carries a cursor from which packing continues exactly.
 */
import { ConfigError } from "../errors.ts";
import type { SpecialIds } from "./tokenizer.ts";

/**
 * Where a block ends. `"complete"`: after a whole sentence (one longer than a block is cut). `"complete_doc"`: likewise,
 * and where a document ends. `"none"`: where it is full, in the middle of a sentence if need be.
 */
export type BreakMode = "complete" | "complete_doc" | "none";

/** What comes from the source at once: a sentence, or a document of several. */
export interface PackItem<C> {
  /** Token ids without specials, sentence by sentence. */
  readonly sentences: readonly ArrayLike<number>[];
  /** Items that follow one another with the same document belong together. Default: every item is its own. */
  readonly document?: string | undefined;
  /** The place right after this item. */
  readonly cursor: C;
}

/** The place right after a block: `sentence` and `token` count inside the first item after `after`. */
export interface PackCursor<C> {
  readonly after: C | null;
  readonly sentence: number;
  readonly token: number;
}

/** One block of T tokens. */
export interface PackedBlock<C> {
  /** (T), padded at the end. */
  readonly inputIds: Int32Array;
  /** (T): 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array;
  readonly cursor: PackCursor<C>;
}

export interface PackOptions<C> {
  /** T, with `[CLS]` and `[SEP]`. */
  readonly length: number;
  readonly special: SpecialIds;
  /** Default `"complete"`. */
  readonly breakMode?: BreakMode | undefined;
  /** Continue right after this block's cursor; `items` must then start right after `cursor.after`. */
  readonly cursor?: PackCursor<C> | undefined;
}

/** A sentence, or what is left of it, on its way into a block. */
interface Piece<C> {
  ids: readonly number[];
  readonly document: string | number;
  /** The place of the first id of `ids`. */
  start: PackCursor<C>;
  readonly end: PackCursor<C>;
}

/** Packs `items` into blocks; the last block may be mostly padding. */
export async function* packSentences<C>(
  items: AsyncIterable<PackItem<C>> | Iterable<PackItem<C>>,
  { length, special, breakMode = "complete", cursor }: PackOptions<C>,
): AsyncGenerator<PackedBlock<C>, void, undefined> {
  if (!(Number.isInteger(length) && length >= 3)) {
    throw new ConfigError(`packSentences: expected a length of at least 3 ([CLS], a token, [SEP]), got ${length}`);
  }
  const block = new Block<C>(length, special);
  for await (const piece of pieces(items, cursor ?? { after: null, sentence: 0, token: 0 })) {
    const newDocument = !block.isEmpty && piece.document !== block.document;
    if (newDocument && breakMode === "complete_doc") yield block.close();
    while (piece.ids.length > 0) {
      const room = block.room(piece.document);
      const fits = piece.ids.length <= room;
      if (!fits && !block.isEmpty && (breakMode !== "none" || room <= 0)) {
        yield block.close();
        continue;
      }
      block.add(piece, fits ? piece.ids.length : room);
      if (!fits) yield block.close();
    }
  }
  if (!block.isEmpty) yield block.close();
}

/** The sentences of the items, from `start` on. */
async function* pieces<C>(
  items: AsyncIterable<PackItem<C>> | Iterable<PackItem<C>>,
  start: PackCursor<C>,
): AsyncGenerator<Piece<C>, void, undefined> {
  let { after, sentence, token } = start;
  let count = 0;
  for await (const item of items) {
    const document = item.document ?? count++;
    for (; sentence < item.sentences.length; sentence++, token = 0) {
      const ids = Array.from(item.sentences[sentence]!).slice(token);
      const isLast = sentence === item.sentences.length - 1;
      const end = isLast ? { after: item.cursor, sentence: 0, token: 0 } : { after, sentence: sentence + 1, token: 0 };
      yield { ids, document, start: { after, sentence, token }, end };
    }
    after = item.cursor;
    sentence = 0;
    token = 0;
  }
}

/** The block being filled. */
class Block<C> {
  readonly #length: number;
  readonly #special: SpecialIds;
  #tokens: number[];
  #cursor: PackCursor<C> | undefined;
  document: string | number | undefined;

  constructor(length: number, special: SpecialIds) {
    this.#length = length;
    this.#special = special;
    this.#tokens = [special.cls];
  }

  get isEmpty(): boolean {
    return this.#tokens.length === 1;
  }

  /** How many tokens of `document` fit, besides the separators. */
  room(document: string | number): number {
    const separator = this.isEmpty || document === this.document ? 0 : 1;
    return this.#length - 1 - this.#tokens.length - separator;
  }

  /** Moves the first `count` tokens of the piece into the block. */
  add(piece: Piece<C>, count: number): void {
    if (!this.isEmpty && piece.document !== this.document) this.#tokens.push(this.#special.sep);
    for (const id of piece.ids.slice(0, count)) this.#tokens.push(id);
    piece.ids = piece.ids.slice(count);
    piece.start = { ...piece.start, token: piece.start.token + count };
    this.document = piece.document;
    this.#cursor = piece.ids.length === 0 ? piece.end : piece.start;
  }

  close(): PackedBlock<C> {
    if (this.#cursor === undefined) throw new Error("internal: an empty block was closed");
    const tokens = [...this.#tokens, this.#special.sep];
    const inputIds = new Int32Array(this.#length).fill(this.#special.pad);
    inputIds.set(tokens);
    const block = {
      inputIds,
      attentionMask: new Int32Array(this.#length).fill(1, 0, tokens.length),
      cursor: this.#cursor,
    };
    this.#tokens = [this.#special.cls];
    this.#cursor = undefined;
    this.document = undefined;
    return block;
  }
}
