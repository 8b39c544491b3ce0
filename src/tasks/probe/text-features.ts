/** Features of labelled texts: the mean of the text encoder's states over a text's tokens, whichever state a family of models gives to stand for it. */
import type { FlavaModel } from "../../api/index.ts";
import type { Sample, Source } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import type { FeatureOptions, Features } from "./features.ts";

/** Texts that are read before they go through the model, which sorts them by length. */
const AT_ONCE = 1024;

/** Reads all samples; of each its first text. Throws DataError where none has a label and a text. */
export async function textFeatures(
  model: FlavaModel,
  source: Source,
  { signal, onProgress }: Omit<FeatureOptions, "cacheDir"> = {},
): Promise<Features> {
  const [labels, rows, refused]: [string[], Float32Array[], { key: string; reason: string }[]] = [[], [], []];
  let waiting: string[] = [];
  const flush = async (): Promise<void> => {
    rows.push(...(await means(model, waiting, signal)));
    waiting = [];
    onProgress?.(rows.length);
  };
  const onBad = ({ key, reason, kept }: { key: string; reason: string; kept?: true }): void => {
    if (!kept) refused.push({ key, reason });
  };
  for await (const { sample } of source.samples({ signal, onBad })) {
    const reason = reasonAgainst(sample);
    if (reason !== undefined) refused.push({ key: sample.key, reason });
    else {
      labels.push(String(sample.label));
      waiting.push(sample.texts![0]!);
      if (waiting.length === AT_ONCE) await flush();
    }
  }
  if (waiting.length > 0) await flush();
  if (rows.length === 0)
    throw new DataError(
      `${source.name}: expected texts with labels, got none`,
      refused[0] && `${refused[0].key}: ${refused[0].reason}`,
    );
  const width = rows[0]!.length;
  const x = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) x.set(row, i * width);
  return { width, x, labels, refused };
}

function reasonAgainst({ texts, label }: Sample): string | undefined {
  if (!texts?.length) return "the text is missing";
  return label === undefined ? "the label is missing" : undefined;
}

/** A row for each text. */
async function means(model: FlavaModel, texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
  const feeds = model.prepareTexts(texts);
  const { text_embeddings } = await model.encodeText(feeds, { outputs: ["text_embeddings"], signal });
  const [T, D] = [text_embeddings.shape[1]!, text_embeddings.shape[2]!];
  const stride = feeds.attention_mask.shape[1]!;
  return texts.map((_, i) => {
    const [states, mean] = [text_embeddings.row(i), new Float32Array(D)];
    let count = 0;
    for (let t = 0; t < Math.min(T, stride); t++) {
      if (feeds.attention_mask.data[i * stride + t] === 0) continue;
      count++;
      for (let d = 0; d < D; d++) mean[d]! += states[t * D + d]!;
    }
    return mean.map((sum) => sum / count);
  });
}
