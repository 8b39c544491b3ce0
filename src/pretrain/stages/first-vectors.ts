/**
 * Word embeddings to begin with: vectors from the company that words keep in the training texts, instead of random ones that take longer
 * than a short training to tell words apart. A word that no caption has then starts near words that captions have.
 */
import { type Random, random, type Tensor, tensor } from "../../tensor/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { turns } from "../../train/index.ts";
import { company, leadingVectors, positiveInformation } from "./cooccurrence.ts";
import type { Beginning } from "./stage.ts";

/** Texts that are read, at most, spread over the sources. */
const TEXTS = 200_000;
/** How far apart two tokens may stand to count as company. */
const WINDOW = 8;
/** Words that the texts have less often keep random vectors: too little is known of them. */
const RARE = 5;
/** Root mean square of a vector. */
const SCALE = 0.05;

/** The embeddings of the words, and the weights that masked words are told by. Says how many words are known from how many texts. */
export async function firstVectors(beginning: Beginning, seed: number): Promise<Record<string, Tensor>> {
  const { state, tokenizer, note, signal } = beginning;
  const names = [EMBEDDINGS, DECODER].filter((name) => state.has(name));
  const { shape } = await state.read(EMBEDDINGS);
  const [words, width] = shape as [number, number];
  const texts = await tokens(beginning);
  const turn = turns(signal);
  const information = positiveInformation(await company(texts, { words, window: WINDOW, turn }));
  const rank = Math.min(width, words);
  const found = await leadingVectors(information, { rank, rng: random(seed, "first vectors"), turn });
  const often = known(texts, words, tokenizer);
  const told = often.filter(Boolean).length;
  const most = texts.length === TEXTS ? ", the most that are read" : "";
  note(
    `word embeddings: ${count(told)} of ${count(words)} begin by their company in ${count(texts.length)} texts${most}, the rarer ones at random`,
  );
  const vectors = scaled(found, { words, width, rank, known: often }, random(seed, "first vectors", 1));
  return Object.fromEntries(names.map((name) => [name, tensor("float32", shape, vectors)]));
}

const count = (n: number): string => n.toLocaleString("en-US");

const EMBEDDINGS = "flava.text_model.embeddings.word_embeddings.weight";
const DECODER = "mlm_head.decoder.weight";

async function tokens({ samples, tokenizer, signal }: Beginning): Promise<Int32Array[]> {
  const turn = turns(signal);
  const found: Int32Array[] = [];
  for (const { texts = [] } of await samples("texts", TEXTS)) {
    found.push(tokenizer.encode(texts[0]!).inputIds.slice(1, -1)); // without [CLS] and [SEP]
    await turn();
  }
  return found;
}

/** Which words the texts have often enough; special tokens are none. */
function known(texts: readonly Int32Array[], words: number, { special }: Pick<TextTokenizer, "special">): boolean[] {
  const counts = new Int32Array(words);
  for (const ids of texts) for (const id of ids) counts[id] = counts[id]! + 1;
  for (const id of Object.values(special)) counts[id] = 0;
  return Array.from(counts, (count) => count >= RARE);
}

/** Known words' vectors at one length; random ones of the same length for the rest, and for what the vectors leave of the width. */
function scaled(
  found: Float32Array,
  { words, width, rank, known }: { words: number; width: number; rank: number; known: readonly boolean[] },
  rng: Random,
): Float32Array {
  const out = new Float32Array(words * width);
  for (let word = 0; word < words; word++) {
    const row = found.subarray(word * rank, (word + 1) * rank);
    const norm = Math.hypot(...row);
    const usable = known[word]! && norm > 0;
    for (let k = 0; k < width; k++)
      out[word * width + k] = SCALE * (usable && k < rank ? (row[k]! / norm) * Math.sqrt(rank) : rng.normal());
  }
  return out;
}
