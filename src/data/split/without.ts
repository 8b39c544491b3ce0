/** A source without the samples that a held-out set must not share anything with. */
import { createHash } from "node:crypto";
import type { SampleOptions, Source } from "../sources/index.ts";
import { marksOf, type SplitBy } from "./marks.ts";

/** A set that is held out, and what training samples must not share with it. */
export interface HeldOutSet {
  readonly source: Source;
  readonly by: SplitBy;
}

/**
 * The source without the samples that share a mark with one of the held-out set, which is read once, whole. What is left out is
 * reported to `onBad` as something that was passed over.
 */
export function withoutSource(source: Source, { source: held, by }: HeldOutSet): Source {
  let marks: Promise<ReadonlySet<string>> | undefined;
  const { count: _unknown, fingerprint, ...rest } = source;
  const print = async () => {
    const [own, other] = await Promise.all([fingerprint!(), held.fingerprint?.()]);
    const hash = createHash("sha256")
      .update(JSON.stringify([own.hash, other?.hash, by]))
      .digest("hex");
    const list = own.list && [
      ...own.list,
      ...(other?.list ?? []).map((file) => ({ ...file, name: `held out: ${file.name}` })),
    ];
    return { files: own.files + (other?.files ?? 0), bytes: own.bytes + (other?.bytes ?? 0), hash, list };
  };
  return {
    ...rest,
    ...(fingerprint && { fingerprint: print }),
    async *samples(options: SampleOptions = {}) {
      marks ??= readMarks(held, by, options);
      const taken = await marks.catch((error) => {
        marks = undefined;
        throw error;
      });
      for await (const placed of source.samples(options)) {
        const { sample } = placed;
        if (!marksOf(sample, by).some((mark) => taken.has(mark))) yield placed;
        else
          options.onBad?.({
            source: source.name,
            key: sample.key,
            reason: `left to ${held.name}, which is held out`,
            kept: true,
          });
      }
    },
  };
}

async function readMarks(
  { samples }: Source,
  by: SplitBy,
  { signal, note }: SampleOptions,
): Promise<ReadonlySet<string>> {
  const all = new Set<string>();
  for await (const { sample } of samples({ signal, note })) for (const mark of marksOf(sample, by)) all.add(mark);
  return all;
}
