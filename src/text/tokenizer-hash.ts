/** A tokenizer in 64 hexadecimal digits, by which a changed one is noticed between two parts of a run. */
import type { TokenizerJson } from "./tokenizer-json.ts";

/**
 * The SHA-256 of everything in a `tokenizer.json` that decides ids: words and their numbers, normalisation, splitting, added tokens.
 * The order of keys, and what other programs keep there (padding, truncation, the template of pairs), does not count.
 */
export async function tokenizerHash(json: TokenizerJson): Promise<string> {
  const { added_tokens, normalizer, pre_tokenizer, model } = json;
  const text = canonicalJson({ added_tokens, normalizer, pre_tokenizer, model });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** JSON with sorted keys and without fields that are undefined or null. */
function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
  const sorted = fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join()}}`;
}
