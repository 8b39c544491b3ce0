/**
 * CLIP's byte-pair tokenizer (openai/CLIP, simple_tokenizer.py), read from Hugging Face's tokenizer.json and run by `@huggingface/tokenizers`:
 * lower case, one space between words, pieces of bytes of which the last of a word ends in "</w>".
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { DataError } from "../errors.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

const START = "<|startoftext|>";
const END = "<|endoftext|>";
const WORD_END = "</w>";

const bytePairs = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
  normalizer: z.looseObject({ type: z.string() }).nullish(),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
    continuing_subword_prefix: z
      .string()
      .nullish()
      .transform((prefix) => prefix ?? ""),
    end_of_word_suffix: z.string().nullish(),
  }),
});

/** Whether a tokenizer.json holds byte pairs and not word pieces. */
export function isBytePairs(json: unknown): boolean {
  const { model } = Object(json) as { readonly model?: unknown };
  const { type, merges } = Object(model) as { readonly type?: unknown; readonly merges?: unknown };
  return (type === "BPE" || type === undefined) && Array.isArray(merges);
}

/** What of CLIP's tokenizer is not as in BERT's. */
export interface BytePairs {
  readonly json: TokenizerJson;
  readonly special: {
    readonly pad: number;
    readonly unk: number;
    readonly cls: number;
    readonly sep: number;
    readonly mask: number;
  };
  ids(text: string): number[];
  decode(ids: readonly number[]): string;
}

/** Checks a parsed tokenizer.json. Throws DataError unless it is CLIP's: its special tokens, and words that end in "</w>". */
export function clipBytePairs(json: unknown, name = "tokenizer.json"): BytePairs {
  const parsed = bytePairs.safeParse(json);
  if (!parsed.success) throw new DataError(`${name}: ${z.prettifyError(parsed.error)}`);
  const file = parsed.data;
  const { vocab, end_of_word_suffix: suffix } = file.model;
  const idOf = (token: string): number => {
    const id = vocab[token] ?? file.added_tokens.find(({ content }) => content === token)?.id;
    if (id !== undefined) return id;
    throw new DataError(
      `${name}: expected byte pairs of CLIP, with ${START} and ${END}, got none for ${token}`,
      "other byte-pair tokenizers are not read",
    );
  };
  if (suffix !== WORD_END)
    throw new DataError(
      `${name}: expected end_of_word_suffix ${WORD_END} (CLIP's), got ${JSON.stringify(suffix ?? null)}`,
    );
  const [start, end] = [idOf(START), idOf(END)];
  const whole = { ...file, model: { ...file.model, type: "BPE" } } as TokenizerJson;
  const library = new Tokenizer(whole as never, { tokenizer_class: "CLIPTokenizer" });
  const entries = new Map(Object.entries(vocab).map(([entry, id]) => [id, entry]));
  return {
    json: whole,
    special: { pad: end, unk: end, cls: start, sep: end, mask: -1 }, // padding comes after the first end, where nothing looks
    ids: (text) => library.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) => bytesToText(ids.map((id) => entries.get(id) ?? "").join("")),
  };
}

/** The character that stands for each byte in the entries: itself where it can be printed, else one from 256 on (GPT-2). */
function byteCharacters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let more = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : 256 + more++));
}

const BYTE_OF = new Map(byteCharacters().map((character, byte) => [character, byte]));

/** Pieces, joined, as text: bytes again, with a space after each word. */
function bytesToText(pieces: string): string {
  const bytes = Array.from(pieces.replaceAll(WORD_END, " "), (character) => BYTE_OF.get(character) ?? 0x20);
  return new TextDecoder().decode(Uint8Array.from(bytes)).trim();
}
