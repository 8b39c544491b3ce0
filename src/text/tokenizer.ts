/**
 * WordPiece tokenization exactly as bert-base-uncased (Devlin et al. 2018; FLAVA's text encoder reads its ids), run by
 * `@huggingface/tokenizers`; sentence pairs, truncation and padding are put around it here.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { ConfigError, DataError } from "../errors.ts";
import { type BytePairs, clipBytePairs, isBytePairs } from "./clip-tokenizer.ts";
import {
  type BertNormalization,
  bertTokenizerJson,
  parseTokenizerConfig,
  parseTokenizerJson,
  type TokenizerJson,
  vocabularyOf,
} from "./tokenizer-json.ts";
import { type Truncation, truncatePair } from "./truncation.ts";

/** The ids of `[PAD] [UNK] [CLS] [SEP] [MASK]`; of CLIP's byte pairs `<|endoftext|>` is three of them, and `mask` is −1. */
export interface SpecialIds {
  readonly pad: number;
  readonly unk: number;
  readonly cls: number;
  readonly sep: number;
  readonly mask: number;
}

export interface EncodeOptions {
  /** A second text: `[CLS] text [SEP] pair [SEP]`, with token type 1 from `pair` on. */
  readonly pair?: string | undefined;
  /** The most tokens, specials included. Without it nothing is truncated. */
  readonly maxLength?: number | undefined;
  /** `"max_length"` pads to `maxLength`. Default `"none"`. */
  readonly padding?: "max_length" | "none" | undefined;
  /** Which text of a pair gives way. Default `"longest_first"`. */
  readonly truncation?: Truncation | undefined;
}

/** One encoded text, all arrays of one length T. */
export interface EncodedText {
  readonly inputIds: Int32Array;
  /** 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** 0 for the first text (and padding), 1 for the second. */
  readonly tokenTypeIds: Int32Array;
}

/** Encoded texts of one length T, row after row. */
export interface EncodedTexts extends EncodedText {
  readonly rows: number;
  readonly length: number;
}

export interface BatchEncodeOptions extends Omit<EncodeOptions, "pair" | "padding"> {
  /** The second texts, as many as first ones. */
  readonly pairs?: readonly string[] | undefined;
  /** `"max_length"` pads to `maxLength`; `"longest"`, the default, to the longest row. */
  readonly padding?: "max_length" | "longest" | undefined;
}

export interface DecodeOptions {
  /** Default true. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** What masking needs to know of a vocabulary. */
export interface TokenKinds {
  readonly vocabSize: number;
  readonly special: SpecialIds;
  /** 1 where the id is a special token (`[unusedN]` is not). */
  readonly isSpecial: Uint8Array;
  /** 1 where the id is a `##` piece that continues a word. */
  readonly isContinuation: Uint8Array;
}

export interface TextTokenizer extends TokenKinds {
  /** The entries in the order of their ids. */
  readonly vocabulary: readonly string[];
  /** The `tokenizer.json` this tokenizer was made from: write it beside a model. */
  readonly json: TokenizerJson;
  /** The ids of a text alone, without `[CLS]` and `[SEP]`. `[MASK]` and the like inside the text become their ids. */
  ids(text: string): number[];
  encode(text: string, options?: EncodeOptions): EncodedText;
  encodeBatch(texts: readonly string[], options?: BatchEncodeOptions): EncodedTexts;
  /** Text for people: pieces joined, spaces before punctuation removed. Case, accents and spacing are not restored. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** The entry of an id, `[UNK]` for ids outside the vocabulary. */
  token(id: number): string;
}

/** The tokenizer over a vocabulary (entry i has id i) with BERT's rules; the defaults are those of bert-base-uncased. */
export function bertTokenizer(vocabulary: readonly string[], options: BertNormalization = {}): TextTokenizer {
  return fromChecked(bertTokenizerJson(vocabulary, options));
}

/** The tokenizer of parsed `tokenizer.json` and `tokenizer_config.json` files. Throws DataError unless it is BERT's WordPiece or CLIP's byte pairs. */
export function tokenizerFromJson(
  tokenizerJson: unknown,
  tokenizerConfig: unknown = {},
  name = "tokenizer.json",
): TextTokenizer {
  if (isBytePairs(tokenizerJson)) return ofBytePairs(clipBytePairs(tokenizerJson, name), name);
  return fromChecked(parseTokenizerJson(tokenizerJson, parseTokenizerConfig(tokenizerConfig), name));
}

function ofBytePairs({ json, special, ids, decode }: BytePairs, name: string): TextTokenizer {
  const vocabulary = vocabularyOf(json, name);
  const isSpecial = (id: number): boolean => id === special.cls || id === special.sep;
  const encode = (text: string, options: EncodeOptions = {}): EncodedText => encodeOne(ids, special, text, options);
  return {
    vocabulary,
    json,
    vocabSize: vocabulary.length,
    special,
    isSpecial: Uint8Array.from(vocabulary, (_, id) => (isSpecial(id) ? 1 : 0)),
    isContinuation: new Uint8Array(vocabulary.length), // an entry does not say whether a word began before it
    ids,
    encode,
    encodeBatch: (texts, options) => encodeRows(encode, special.pad, texts, options),
    decode: (input, { skipSpecialTokens = true } = {}) =>
      decode(Array.from(input).filter((id) => !skipSpecialTokens || !isSpecial(id))),
    token: (id) => vocabulary[id] ?? vocabulary[special.unk]!,
  };
}

function fromChecked(json: TokenizerJson): TextTokenizer {
  const vocabulary = vocabularyOf(json);
  const library = new Tokenizer(json, { tokenizer_class: "BertTokenizer", clean_up_tokenization_spaces: true });
  const idOf = (token: string): number => vocabulary.indexOf(token);
  const special: SpecialIds = {
    pad: idOf("[PAD]"),
    unk: idOf("[UNK]"),
    cls: idOf("[CLS]"),
    sep: idOf("[SEP]"),
    mask: idOf("[MASK]"),
  };
  const specialIds = new Set(Object.values(special));
  const prefix = json.model.continuing_subword_prefix;
  const ids = (text: string): number[] => library.encode(spaceRareIdeographs(text), { add_special_tokens: false }).ids;
  const encode = (text: string, options: EncodeOptions = {}): EncodedText => encodeOne(ids, special, text, options);
  return {
    vocabulary,
    json,
    vocabSize: vocabulary.length,
    special,
    isSpecial: Uint8Array.from(vocabulary, (_, id) => (specialIds.has(id) ? 1 : 0)),
    isContinuation: Uint8Array.from(vocabulary, (entry) => (entry.startsWith(prefix) ? 1 : 0)),
    ids,
    encode,
    encodeBatch: (texts, options) => encodeRows(encode, special.pad, texts, options),
    decode: (input, { skipSpecialTokens = true } = {}) => {
      const list = Array.from(input).filter((id) => !skipSpecialTokens || !specialIds.has(id));
      return list.length === 0 ? "" : library.decode(list, { skip_special_tokens: false });
    },
    token: (id) => vocabulary[id] ?? "[UNK]",
  };
}

/**
 * Puts spaces around ideographs beyond U+FFFF, which BERT splits into words of their own. The library (0.2.0) tests
 * UTF-16 halves and so misses them.
 */
function spaceRareIdeographs(text: string): string {
  return text.replace(/[\u{20000}-\u{2A6DF}\u{2A700}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu, " $& ");
}

function encodeOne(
  ids: (text: string) => number[],
  { cls, sep, pad }: SpecialIds,
  text: string,
  { pair, maxLength, padding = "none", truncation = "longest_first" }: EncodeOptions,
): EncodedText {
  const specials = pair === undefined ? 2 : 3;
  if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= specials)) {
    throw new ConfigError(`encode: expected maxLength of at least ${specials} (the special tokens), got ${maxLength}`);
  }
  if (padding === "max_length" && maxLength === undefined) {
    throw new ConfigError('encode: expected maxLength beside padding "max_length", got none');
  }
  const budget = (maxLength ?? Number.POSITIVE_INFINITY) - specials;
  const [first, second] = truncatePair(ids(text), pair === undefined ? [] : ids(pair), budget, truncation);
  const tokens = [cls, ...first, sep, ...(pair === undefined ? [] : [...second, sep])];
  const length = padding === "max_length" ? maxLength! : tokens.length;
  const inputIds = new Int32Array(length).fill(pad);
  inputIds.set(tokens);
  return {
    inputIds,
    attentionMask: new Int32Array(length).fill(1, 0, tokens.length),
    tokenTypeIds: new Int32Array(length).fill(1, first.length + 2, tokens.length),
  };
}

function encodeRows(
  encode: (text: string, options: EncodeOptions) => EncodedText,
  pad: number,
  texts: readonly string[],
  { pairs, padding = "longest", ...options }: BatchEncodeOptions = {},
): EncodedTexts {
  if (pairs !== undefined && pairs.length !== texts.length) {
    throw new DataError(`encodeBatch: expected ${texts.length} second texts, got ${pairs.length}`);
  }
  if (padding === "max_length" && options.maxLength === undefined) {
    throw new ConfigError('encodeBatch: expected maxLength beside padding "max_length", got none');
  }
  const encoded = texts.map((text, row) => encode(text, { ...options, pair: pairs?.[row] }));
  const longest = encoded.reduce((length, { inputIds }) => Math.max(length, inputIds.length), 0);
  const length = padding === "max_length" ? options.maxLength! : longest;
  const inputIds = new Int32Array(texts.length * length).fill(pad);
  const attentionMask = new Int32Array(texts.length * length);
  const tokenTypeIds = new Int32Array(texts.length * length);
  for (const [row, one] of encoded.entries()) {
    inputIds.set(one.inputIds, row * length);
    attentionMask.set(one.attentionMask, row * length);
    tokenTypeIds.set(one.tokenTypeIds, row * length);
  }
  return { rows: texts.length, length, inputIds, attentionMask, tokenTypeIds };
}
