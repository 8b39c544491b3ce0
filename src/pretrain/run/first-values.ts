/** First values of parameters that depend on the training data. */
import type { Sample } from "../../data/index.ts";
import type { State } from "../../runtime/index.ts";
import type { DataKind, Stage } from "../recipe/types.ts";
import type { StagePlan } from "../stages/stage.ts";
import { kindOf } from "../tables.ts";
import type { RunContext } from "./context.ts";

/** Asks the kind of stage for them, and puts them into the state, averages too. */
export async function writeFirstValues(
  context: RunContext,
  stage: Stage,
  { average }: StagePlan,
  state: State,
): Promise<void> {
  const { recipe, tables, device, tokenizer, reporter, signal } = context;
  const samples = (kind: DataKind, count: number): Promise<Sample[]> => someSamples(context, kind, count);
  const values = await kindOf(tables, stage).firstValues?.(
    { device, state, tokenizer, note: reporter.note, signal, samples },
    stage,
    recipe,
  );
  for (const [name, value] of Object.entries(values ?? {})) {
    state.write(name, value);
    const of = average?.name(name);
    if (of !== undefined && state.has(of)) state.write(of, value);
  }
}

/** Samples between two that are taken, at most: a large source is not read to its end. */
const LONGEST_STRIDE = 32;

/** Samples spread over each source where it says how many it has. */
async function someSamples(
  { recipe, sources, signal, onBad }: RunContext,
  kind: DataKind,
  count: number,
): Promise<Sample[]> {
  const list = recipe.data[kind];
  const found: Sample[] = [];
  for (const [i, given] of list.entries()) {
    const opened = await sources.training(given);
    const until = Math.round((count * (i + 1)) / list.length);
    const stride = Math.min(LONGEST_STRIDE, Math.floor((opened.count ?? 0) / (until - found.length)) || 1);
    let place = 0;
    for await (const { sample } of opened.samples({ signal, onBad })) {
      if (found.length >= until) break;
      const usable = kind === "texts" ? sample.texts?.[0] !== undefined : sample.image !== undefined;
      if (place++ % stride === 0 && usable) found.push(sample);
    }
  }
  return found;
}
