/** A look at the first samples of sources whose contents must fit the model, before anything is compiled. */
import { type BatchBuild, type Sample, type Source, tagsOf } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { builtFeeds } from "../../evaluators/index.ts";
import type { StagePlan } from "../stages/stage.ts";
import type { RunContext } from "./context.ts";
import { sourcesFor } from "./stage-data.ts";

/** Samples of a source that are tried: where one of them can be used, the others are left to the loader. */
const TRIED = 16;

/** Batches of what others have drawn, detected or labelled: a wrong width or class is wrong in all samples. */
const LOOKED_AT: readonly BatchBuild["kind"][] = ["regions", "objects", "task"];

/** Throws DataError for a source of which none of the first samples can be used. */
export async function requireUsable(context: RunContext, plan: StagePlan): Promise<void> {
  for (const { data, task, build } of plan.datasets) {
    if (!LOOKED_AT.includes(build.kind)) continue;
    for (const given of sourcesFor(context.recipe.data[data], task))
      await requireOne(context, await context.sources.training(given), build);
  }
}

async function requireOne({ tokenizer, signal }: RunContext, source: Source, build: BatchBuild): Promise<void> {
  const reasons: string[] = [];
  const onBad = ({ key, reason, kept }: { key: string; reason: string; kept?: true }): void => {
    if (!kept) reasons.push(reason.startsWith(key) ? reason : `${key}: ${reason}`);
  };
  for await (const { sample } of source.samples({ signal, onBad })) {
    const reason = await reasonAgainst(sample, build, { tokenizer, signal });
    if (reason === undefined) return;
    reasons.push(reason);
    if (reasons.length >= TRIED) break;
  }
  const [first] = reasons;
  if (first === undefined) throw new DataError(`${source.name}: expected samples, got none`);
  throw new DataError(
    `${source.name}: expected samples that the model can read, got none among the first ${reasons.length}: ${first}`,
    "flava data inspect says what is in the source",
  );
}

async function reasonAgainst(
  sample: Sample,
  build: BatchBuild,
  of: Pick<RunContext, "tokenizer" | "signal">,
): Promise<string | undefined> {
  const [text, second] = sample.texts ?? [];
  const { key, image, regions, objects, label } = sample;
  try {
    await builtFeeds(build, of, [{ key, image, text, second, regions, objects, label, tags: tagsOf(sample) }]);
    return undefined;
  } catch (error) {
    if (error instanceof DataError) return error.message.split("\n")[0]!;
    throw error;
  }
}
