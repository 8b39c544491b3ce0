/** How often each token occurs in training texts: the guess that masked prediction has to beat. */
import type { Source } from "../data/index.ts";
import type { TextTokenizer } from "../text/index.ts";

/** All of so many texts of a source are counted, then one in `THINNED`, until so many have been read. */
const COUNTED = 20_000;
const THINNED = 8;
const READ = 200_000;

/** Token id → −ln of its share, with one more occurrence of every entry than there was (add-one smoothing). */
export async function readUnigram(
  sources: readonly Source[],
  tokenizer: Pick<TextTokenizer, "ids" | "vocabSize">,
  signal?: AbortSignal,
): Promise<(id: number) => number> {
  const counts = new Float64Array(tokenizer.vocabSize).fill(1);
  for (const source of sources) {
    let read = 0;
    for await (const { sample } of source.samples({ signal })) {
      if (read++ >= READ) break;
      if (read > COUNTED && read % THINNED !== 0) continue;
      for (const text of sample.texts ?? []) for (const id of tokenizer.ids(text)) counts[id]!++;
    }
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  return (id) => -Math.log(counts[id]! / total);
}
