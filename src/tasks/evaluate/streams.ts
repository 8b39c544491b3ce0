/** Pictures of a split through the model: some at a time, so that memory does not grow with their number. */
import type { Picture } from "../../api/index.ts";
import type { Sample, SampleOptions, Source } from "../../data/index.ts";

/** A sample that was left out, and why. */
export interface Refused {
  readonly key: string;
  readonly reason: string;
}

/** Who hears of progress, and how it is stopped. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of pictures done. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** The samples with a picture that `suits`; the reasons against the others go to `refused`. */
export async function* pictured(
  source: Source,
  suits: (sample: Sample) => string | undefined,
  refused: Refused[],
  { signal }: StreamOptions,
): AsyncGenerator<Sample & Picture> {
  const onBad: SampleOptions["onBad"] = ({ key, reason, kept }) => {
    if (!kept) refused.push({ key, reason });
  };
  for await (const { sample } of source.samples({ signal, onBad })) {
    const { key, image } = sample;
    const reason = image ? suits(sample) : "the image is missing";
    if (reason === undefined) yield { ...sample, image: image! };
    else refused.push({ key, reason });
  }
}
