/** Visual words with guesses among them. Runs in browsers too. */
import type { Feeds, Tensor } from "../tensor/index.ts";

/** The true words (B, P) with the guesses (B·K) at the hidden patches. */
export function filledWords(words: Tensor, guesses: Tensor, feeds: Feeds): Int32Array {
  const [B, P] = words.shape as [number, number];
  const filled = Int32Array.from(words.data as Int32Array);
  const positions = feeds.mim_positions!.data as Int32Array;
  const valid = feeds.mim_position_mask!.data as Uint8Array;
  const K = positions.length / B;
  for (const [i, position] of positions.entries())
    if (valid[i]) filled[Math.floor(i / K) * P + position] = Number(guesses.data[i]!);
  return filled;
}
