/** What every worker but the first does in a run: the same steps on its own rows. The first writes all that is written. */
import { ConfigError } from "../../errors.ts";
import type { RunLog } from "../../record/index.ts";
import { openDevice } from "../../runtime/index.ts";
import { tokenizerFromJson } from "../../text/index.ts";
import { checkPlaces } from "../recipe/index.ts";
import type { HeldOut } from "../stages/stage.ts";
import { tables as own, withVocabulary } from "../tables.ts";
import type { Resumed, RunContext } from "./context.ts";
import { evaluatorsOf, finalNumbers } from "./evaluation.ts";
import { heldOut } from "./held-out.ts";
import { createSources } from "./inputs.ts";
import { silentReporter } from "./reporter.ts";
import type { RunOptions, RunRequest } from "./run.ts";
import { runStage, type StageHooks } from "./run-stage.ts";
import { agreement, checkAlike, factsOf, hear } from "./workers.ts";

const nothing = async (): Promise<void> => undefined;

const NO_LOG: RunLog = {
  removed: 0,
  log: nothing,
  events: () => Promise.reject(new Error("internal: only the first worker draws")),
  flush: nothing,
  close: nothing,
  [Symbol.asyncDispose]: nothing,
};

/** This worker's share of the evaluations. */
function hooksOf(context: RunContext, held: HeldOut, isLast: boolean): StageHooks {
  return {
    evaluators: (run) => evaluatorsOf(context, held, run),
    begun: nothing,
    saved: nothing,
    async finished(run) {
      if (isLast) await finalNumbers(context, held, run);
    },
  };
}

/** Follows the first worker of `cluster` through its run. Resolves when that has no more steps. Throws as `pretrain` does. */
export async function followRun(request: RunRequest, options: RunOptions): Promise<void> {
  const { recipe } = request;
  const { signal, tables = own, cluster } = options;
  if (!cluster || cluster.rank === 0) throw new ConfigError("followRun: expected a worker that is not the first");
  await checkPlaces(recipe, signal);
  const threads = options.threads ?? recipe.threads;
  const device = await openDevice(recipe.device, threads ? { threads } : {});
  await checkAlike(cluster, await factsOf(recipe, device, cluster));
  const { stages, resumed, tokenizer: json } = await hear(cluster);
  const tokenizer = tokenizerFromJson(json);
  const agreed = agreement(cluster, signal);
  const context: RunContext = {
    recipe: withVocabulary(tables, recipe, tokenizer),
    tables,
    runDir: recipe.runDir,
    device,
    sources: createSources(recipe, signal),
    tokenizer,
    log: NO_LOG,
    reporter: silentReporter,
    versions: {},
    signal: agreed.signal,
    onBad: agreed.onBad,
    onChanged: nothing,
    cluster,
    meet: agreed.meet,
  };
  const held = heldOut(context);
  const last = Object.keys(recipe.stages).at(-1);
  for (const name of stages) {
    const from = resumed && name === stages[0] ? ({ ...resumed, path: "" } as Resumed) : undefined;
    const { ending } = await runStage(context, name, hooksOf(context, held, name === last), from);
    if (ending === "stopped" || agreed.signal?.aborted) break;
  }
  await agreed.meet(); // what the last evaluations have left out
}
