/**
 * A tokenizer as the files of a model's folder, read and written in the forms that Hugging Face's libraries and transformers.js know:
 * tokenizer.json, or vocab.txt; beside them tokenizer_config.json, special_tokens_map.json and added_tokens.json.
 */
import { z } from "zod";
import { DataError } from "../errors.ts";
import { isBytePairs } from "./clip-tokenizer.ts";
import { type TextTokenizer, tokenizerFromJson } from "./tokenizer.ts";
import {
  bertTokenizerJson,
  normalizationLike,
  normalizationOf,
  parseTokenizerConfig,
  type TokenizerJson,
} from "./tokenizer-json.ts";
import { parseVocabularyText, SPECIAL_TOKENS, vocabularyText } from "./vocabulary.ts";

/** The files that say something of a tokenizer. */
export const TOKENIZER_FILES = [
  "tokenizer.json",
  "vocab.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
] as const;

/** Their texts, by name; those that are not there are left out or undefined. */
export type TokenizerFiles = { readonly [K in (typeof TOKENIZER_FILES)[number]]?: string | undefined };

/** The roles of special tokens, and who has them in BERT. */
const ROLES: Readonly<Record<string, string>> = {
  pad_token: "[PAD]",
  unk_token: "[UNK]",
  cls_token: "[CLS]",
  sep_token: "[SEP]",
  mask_token: "[MASK]",
};

const name = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const special = z.looseObject({
  ...Object.fromEntries(Object.keys(ROLES).map((role) => [role, name.nullish()])),
  added_tokens_decoder: z
    .record(z.string().regex(/^\d+$/), z.looseObject({ content: z.string(), special: z.boolean().optional() }))
    .nullish(),
});
const addedTokens = z.record(z.string(), z.int().nonnegative());

/** A token beside the vocabulary, or one of it that texts may hold as it is written. */
interface Added {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/**
 * The tokenizer of these files; `where` is what messages call them. tokenizer.json says all where it is there; what tokenizer_config.json
 * says of normalisation wins over it, as in Hugging Face's BertTokenizer. Throws DataError where neither tokenizer.json nor vocab.txt is
 * given, for what is not BERT's WordPiece, for broken files, and where two files give one id to two tokens or one role to another token.
 */
export function tokenizerFromFiles(files: TokenizerFiles, where: string): TextTokenizer {
  const at = (file: string): string => `${where}/${file}`;
  const json = (file: keyof TokenizerFiles): unknown =>
    files[file] === undefined ? undefined : parseJson(files[file], at(file));
  const config = json("tokenizer_config.json") ?? {};
  const whole = json("tokenizer.json");
  if (isBytePairs(whole)) return tokenizerFromJson(whole, {}, at("tokenizer.json"));
  const added = [
    ...rolesOf(config, at("tokenizer_config.json")),
    ...rolesOf(json("special_tokens_map.json") ?? {}, at("special_tokens_map.json")),
    ...addedOf(json("added_tokens.json") ?? {}, at("added_tokens.json")),
  ];
  const vocabulary =
    files["vocab.txt"] === undefined ? undefined : parseVocabularyText(files["vocab.txt"], at("vocab.txt"));
  if (whole !== undefined) {
    const tokenizer = tokenizerFromJson(whole, config, at("tokenizer.json"));
    if (vocabulary) checkSame(vocabulary, tokenizer.vocabulary, where);
    return withAdded(tokenizer, added, config, where);
  }
  if (!vocabulary)
    throw new DataError(
      `${where}: expected tokenizer.json or vocab.txt, got none`,
      "give a model folder, a tokenizer.json or a vocab.txt",
    );
  const said = normalizationOf(parseTokenizerConfig(config, at("tokenizer_config.json")));
  return withAdded(tokenizerFromJson(bertTokenizerJson(vocabulary, said)), added, config, where);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new DataError(`${file}: expected JSON, got ${JSON.stringify(text.slice(0, 40))}`, undefined, { cause });
  }
}

function parsed<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (!result.success) throw new DataError(`${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}

/** Checks who has which role, and gives the tokens that the file adds. */
function rolesOf(json: unknown, file: string): Added[] {
  const found = parsed(special, json, file);
  for (const [role, token] of Object.entries(ROLES)) {
    const got = found[role];
    if (got === null || got === undefined || got === token) continue;
    const help = "FLAVA's text encoder reads the ids of bert-base-uncased and its like";
    throw new DataError(`${file}: expected ${role} ${token}, got ${JSON.stringify(got)}`, help);
  }
  return Object.entries(found.added_tokens_decoder ?? {}).map(([id, { content, special: isSpecial = false }]) => ({
    id: Number(id),
    content,
    special: isSpecial,
  }));
}

const addedOf = (json: unknown, file: string): Added[] =>
  Object.entries(parsed(addedTokens, json, file)).map(([content, id]) => ({ id, content, special: false }));

/** Both files came with the model, so one of them is wrong, and nobody can say which. */
function checkSame(fromText: readonly string[], fromJson: readonly string[], where: string): void {
  const at = fromText.findIndex((entry, id) => entry !== fromJson[id]);
  if (at < 0) return;
  throw new DataError(
    `${where}: expected vocab.txt and tokenizer.json of one vocabulary, got ${JSON.stringify(fromText[at])} and ` +
      `${JSON.stringify(fromJson[at] ?? "nothing")} for the id ${at}`,
    "remove the file that does not belong to the model",
  );
}

/** The tokenizer with tokens that only other files know. */
function withAdded(tokenizer: TextTokenizer, added: readonly Added[], config: unknown, where: string): TextTokenizer {
  const known = new Set(tokenizer.json.added_tokens.map(({ content }) => content));
  const vocabulary = [...tokenizer.vocabulary];
  const extra: Added[] = [];
  for (const token of [...added].sort((a, b) => a.id - b.id)) {
    const entry = vocabulary[token.id];
    if (entry !== undefined && entry !== token.content)
      throw new DataError(
        `${where}: expected one token for the id ${token.id}, got ${JSON.stringify(entry)} and ${JSON.stringify(token.content)}`,
        "the files belong to different models, or tokens were added by hand",
      );
    if (entry === undefined && token.id !== vocabulary.length)
      throw new DataError(
        `${where}: expected the next added token at the id ${vocabulary.length}, got ${JSON.stringify(token.content)} at ${token.id}`,
      );
    if (entry === undefined) vocabulary.push(token.content);
    if (!known.has(token.content)) extra.push(token);
    known.add(token.content);
  }
  if (extra.length === 0) return tokenizer;
  const flags = (isSpecial: boolean) => ({ single_word: false, lstrip: false, rstrip: false, normalized: !isSpecial });
  const more = extra.map((token) => ({ ...token, ...flags(token.special) }));
  const json: TokenizerJson = { ...tokenizer.json, added_tokens: [...tokenizer.json.added_tokens, ...more] };
  return tokenizerFromJson(json, config, where);
}

/**
 * The texts of the files that make Hugging Face's libraries and transformers.js build the same tokenizer; `maxLength` is the longest text
 * that the model reads, in tokens. There is no vocab.txt where an entry holds a line end, which that form cannot say.
 */
export function tokenizerFiles({ json, vocabulary }: TextTokenizer, maxLength: number): Record<string, string> {
  if (isBytePairs(json)) return clipFiles(json, maxLength);
  const config = {
    added_tokens_decoder: Object.fromEntries(json.added_tokens.map(({ id, ...token }) => [id, token])),
    clean_up_tokenization_spaces: true,
    ...ROLES,
    model_max_length: maxLength,
    ...normalizationFields(json),
  };
  const words = vocabulary.slice(0, wordCount(json, vocabulary));
  return {
    "tokenizer.json": `${JSON.stringify(json)}\n`,
    "tokenizer_config.json": pretty(config),
    "special_tokens_map.json": pretty(ROLES),
    ...(words.some((entry) => /[\r\n]/.test(entry)) ? {} : { "vocab.txt": vocabularyText(words) }),
  };
}

const pretty = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** The files of CLIP's tokenizer. */
function clipFiles(json: TokenizerJson, maxLength: number): Record<string, string> {
  const [start, end] = ["<|startoftext|>", "<|endoftext|>"];
  const roles = { bos_token: start, eos_token: end, unk_token: end, pad_token: end };
  return {
    "tokenizer.json": `${JSON.stringify(json)}\n`,
    "tokenizer_config.json": pretty({ ...roles, model_max_length: maxLength, tokenizer_class: "CLIPTokenizer" }),
    "special_tokens_map.json": pretty(roles),
  };
}

/** A tokenizer with another normaliser than BERT's is no BertTokenizer: that class would put BERT's in its place. */
function normalizationFields(json: TokenizerJson): Record<string, unknown> {
  if (json.normalizer?.type !== "BertNormalizer") return { tokenizer_class: "PreTrainedTokenizerFast" };
  const { lowercase = true, stripAccents = null, handleChineseChars = true } = normalizationLike(json);
  return {
    do_lower_case: lowercase,
    strip_accents: stripAccents,
    tokenize_chinese_chars: handleChineseChars,
    tokenizer_class: "BertTokenizer",
  };
}

/** Entries of the vocabulary proper: tokens added behind it are not lines of vocab.txt. */
function wordCount({ model, added_tokens }: TokenizerJson, vocabulary: readonly string[]): number {
  const added = new Set(added_tokens.filter(({ content }) => !(content in model.vocab)).map(({ id }) => id));
  let count = vocabulary.length;
  while (count > SPECIAL_TOKENS.length && added.has(count - 1)) count--;
  return count;
}
