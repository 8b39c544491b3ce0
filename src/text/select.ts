/** Which positions of a text become targets of masked language modelling: single tokens, or whole words. */
import { permutation, type Random } from "../tensor/index.ts";
import type { TokenKinds } from "./tokenizer.ts";

/**
 * Each maskable token with `probability`, at least one, at most `most` (beyond it random ones are given back).
 * Empty only where nothing is maskable.
 */
export function selectTokens(
  ids: Int32Array,
  kinds: TokenKinds,
  rng: Random,
  probability: number,
  most: number,
): number[] {
  const maskable = maskablePositions(ids, kinds);
  if (maskable.length === 0) return [];
  const selected = maskable.filter(() => rng.uniform() < probability);
  if (selected.length === 0) return [maskable[rng.integer(maskable.length)]!];
  if (selected.length <= most) return selected;
  return Array.from(permutation(selected.length, rng).subarray(0, most), (i) => selected[i]!);
}

/**
 * Words in random order while they fit into the budget of max(1, round(probability · T)) tokens; a word that does not fit
 * is skipped. As in the reference, padding counts as words of one token that are un-selected afterwards, so a text
 * gets about its own share of the budget. At most `most` tokens; at least one word (cut to `most` if it is longer).
 */
export function selectWords(
  ids: Int32Array,
  kinds: TokenKinds,
  rng: Random,
  probability: number,
  most: number,
): number[] {
  const words = wordsOf(ids, kinds);
  if (words.length === 0) return [];
  const { pad } = kinds.special;
  const padding = ids.reduce((count, id) => count + (id === pad ? 1 : 0), 0);
  const budget = Math.max(1, Math.round(probability * ids.length));
  const order = permutation(words.length + padding, rng);
  const selected: number[] = [];
  let spent = 0;
  for (const i of order) {
    if (spent >= budget) break;
    const word = words[i];
    const size = word?.length ?? 1;
    if (spent + size > budget) continue;
    if (word && selected.length + size > most) continue;
    spent += size;
    if (word) selected.push(...word);
  }
  if (selected.length > 0) return selected;
  const fallback =
    words[order.find((i) => i < words.length && words[i]!.length <= most) ?? order.find((i) => i < words.length)!]!;
  return fallback.slice(0, most);
}

/** The positions of each word: a token and the `##` pieces that follow it. Specials and padding end a word and belong to none. */
export function wordsOf(ids: Int32Array, kinds: TokenKinds): number[][] {
  const words: number[][] = [];
  let last = -2;
  for (const position of maskablePositions(ids, kinds)) {
    const continues = kinds.isContinuation[ids[position]!] === 1 && position === last + 1;
    if (continues) words.at(-1)!.push(position);
    else words.push([position]);
    last = position;
  }
  return words;
}

function maskablePositions(ids: Int32Array, { isSpecial }: TokenKinds): number[] {
  const positions: number[] = [];
  for (let i = 0; i < ids.length; i++) if (isSpecial[ids[i]!] !== 1) positions.push(i);
  return positions;
}
