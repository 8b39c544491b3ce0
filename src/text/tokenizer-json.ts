/**
 * The `tokenizer.json` of a BERT WordPiece tokenizer: built from a vocabulary, or read from the Hub's files
 * (tokenizer.json with tokenizer_config.json, or vocab.txt with tokenizer_config.json).
 */
import { z } from "zod";
import { DataError } from "../errors.ts";
import { checkVocabulary, SPECIAL_TOKENS } from "./vocabulary.ts";

/** What BERT does to a text before WordPiece; the defaults are those of bert-base-uncased. */
export interface BertNormalization {
  readonly lowercase?: boolean | undefined;
  /** `null`: strip accents when lower-casing. */
  readonly stripAccents?: boolean | null | undefined;
  readonly handleChineseChars?: boolean | undefined;
}

/** A checked `tokenizer.json`; fields that are not listed here are kept as they came. */
export interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  readonly normalizer?: { readonly type: string; readonly [field: string]: unknown } | null | undefined;
  readonly model: {
    readonly type?: string | undefined;
    readonly vocab: Readonly<Record<string, number>>;
    readonly continuing_subword_prefix: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** The fields of `tokenizer_config.json` that change the ids. */
export interface TokenizerConfig {
  readonly do_lower_case?: boolean | undefined;
  readonly strip_accents?: boolean | null | undefined;
  readonly tokenize_chinese_chars?: boolean | undefined;
}

const tokenizerJson: z.ZodType<TokenizerJson> = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
  normalizer: z.looseObject({ type: z.string() }).nullish(),
  model: z.looseObject({
    type: z.string().optional(),
    vocab: z.record(z.string(), z.int().nonnegative()),
    continuing_subword_prefix: z.string().default("##"),
  }),
});

const tokenizerConfig: z.ZodType<TokenizerConfig> = z.looseObject({
  do_lower_case: z.boolean().optional(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().optional(),
});

/** The `tokenizer.json` of BERT over `vocabulary` (entry i has id i). */
export function bertTokenizerJson(
  vocabulary: readonly string[],
  { lowercase = true, stripAccents = null, handleChineseChars = true }: BertNormalization = {},
): TokenizerJson {
  checkVocabulary(vocabulary, "vocabulary");
  const vocab = Object.fromEntries(vocabulary.map((entry, id) => [entry, id]));
  const special = (id: string): object => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string, typeId: number): object => ({ Sequence: { id, type_id: typeId } });
  const single = [special("[CLS]"), sequence("A", 0), special("[SEP]")];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content) => ({ id: vocab[content]!, content, ...flags })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: handleChineseChars,
      strip_accents: stripAccents,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, sequence("B", 1), { SpecialToken: { id: "[SEP]", type_id: 1 } }],
      special_tokens: Object.fromEntries(["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [vocab[id]!], tokens: [id] }])),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

/** What a `tokenizer.json` does to a text before WordPiece, for another tokenizer that does the same. */
export function normalizationLike({ normalizer }: TokenizerJson): BertNormalization {
  const said: Readonly<Record<string, unknown>> = normalizer ?? {};
  const flag = (name: string): boolean | undefined => {
    const value = said[name];
    return typeof value === "boolean" ? value : undefined;
  };
  return {
    lowercase: flag("lowercase"),
    stripAccents: flag("strip_accents"),
    handleChineseChars: flag("handle_chinese_chars"),
  };
}

/** Checks a parsed `tokenizer_config.json`. */
export function parseTokenizerConfig(json: unknown, name = "tokenizer_config.json"): TokenizerConfig {
  return parsed(tokenizerConfig, json, name);
}

/** What a `tokenizer_config.json` says of normalisation; what it leaves out is left out. */
export function normalizationOf(config: TokenizerConfig): BertNormalization {
  return {
    lowercase: config.do_lower_case,
    stripAccents: config.strip_accents,
    handleChineseChars: config.tokenize_chinese_chars,
  };
}

/**
 * Checks a parsed `tokenizer.json`. Throws DataError unless it is a WordPiece tokenizer with BERT's special tokens.
 * Where `config` disagrees with its BertNormalizer, `config` wins, as in Hugging Face's BertTokenizerFast.
 */
export function parseTokenizerJson(
  json: unknown,
  config: TokenizerConfig = {},
  name = "tokenizer.json",
): TokenizerJson {
  const file = parsed(tokenizerJson, json, name);
  const type = file.model.type ?? "WordPiece";
  if (type !== "WordPiece") {
    throw new DataError(
      `${name}: expected a WordPiece model, got ${type}`,
      "FLAVA's text encoder reads bert-base-uncased ids",
    );
  }
  const unknown = file.model.unk_token ?? "[UNK]";
  if (unknown !== "[UNK]") throw new DataError(`${name}: expected unk_token [UNK], got ${JSON.stringify(unknown)}`);
  const vocabulary = vocabularyOf(file, name);
  checkVocabulary(vocabulary, name);
  const said = normalizationOf(config);
  const overrides = {
    ...(said.lowercase === undefined ? {} : { lowercase: said.lowercase }),
    ...(said.stripAccents === undefined ? {} : { strip_accents: said.stripAccents }),
    ...(said.handleChineseChars === undefined ? {} : { handle_chinese_chars: said.handleChineseChars }),
  };
  const isBert = file.normalizer?.type === "BertNormalizer";
  return {
    ...file,
    model: { ...file.model, type },
    ...(isBert ? { normalizer: { ...file.normalizer!, ...overrides } } : {}),
  };
}

/** The entries in the order of their ids. Throws DataError where the ids have a gap or come twice. */
export function vocabularyOf(file: TokenizerJson, name = "tokenizer.json"): readonly string[] {
  const entries = new Map<number, string>();
  const all = [
    ...Object.entries(file.model.vocab),
    ...file.added_tokens.map(({ id, content }) => [content, id] as const),
  ];
  for (const [entry, id] of all) {
    const other = entries.get(id) ?? entry;
    if (other !== entry)
      throw new DataError(
        `${name}: expected one token for the id ${id}, got ${JSON.stringify(other)} and ${JSON.stringify(entry)}`,
      );
    entries.set(id, entry);
  }
  return Array.from({ length: entries.size }, (_, id) => {
    const entry = entries.get(id);
    if (entry === undefined)
      throw new DataError(`${name}: expected ids 0 to ${entries.size - 1} without a gap, got none for ${id}`);
    return entry;
  });
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, name: string): T {
  const result = schema.safeParse(json);
  if (!result.success) throw new DataError(`${name}: ${z.prettifyError(result.error)}`);
  return result.data;
}
