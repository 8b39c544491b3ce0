/** The state of a stage: which tensors it holds, what they start from, and how they go to and come from checkpoints. */
import { join } from "node:path";
import { aliasesOf, folderName, openCheckpoint, restoreTensors, type TensorStore } from "../../record/index.ts";
import type { State } from "../../runtime/index.ts";
import { size, type Tensor, zerosLike } from "../../tensor/index.ts";
import { type declaredState, turns } from "../../train/index.ts";
import type { StageBase, StagePlan } from "../stages/stage.ts";
import { familyOf } from "../tables.ts";
import type { Resumed, RunContext } from "./context.ts";
import { initialWeights, resultOf } from "./initial.ts";

/** Which tensor goes to which file of a checkpoint. */
export interface Names {
  readonly model: readonly string[];
  readonly optimizer: readonly string[];
  readonly aliases: ReturnType<typeof aliasesOf>;
  /** Number of trained parameters. */
  readonly trained: number;
}

type Filling = ReturnType<typeof declaredState> & {
  readonly name: string;
  readonly stage: StageBase;
  readonly plan: StagePlan;
  readonly state: State;
};

/** Puts first values, or a checkpoint's, into the state; zeros on workers that follow. */
export async function fillState(context: RunContext, filling: Filling, resumed: Resumed | undefined): Promise<Names> {
  const { recipe, tables, runDir, tokenizer, signal, reporter, cluster } = context;
  const { specs, stage, state } = filling;
  const follows = cluster.rank > 0; // its values come from the first worker
  const { tensors, origins } =
    resumed || follows
      ? { tensors: {}, origins: [] }
      : await initialWeights(runDir, stage, specs, {
          seed: recipe.seed,
          family: familyOf(tables, recipe),
          vocabulary: tokenizer.vocabulary,
          signal,
        });
  for (const line of origins) reporter.note(`${filling.name}: ${line}`);
  const all = firstValues(filling, tensors);
  const turn = turns(signal);
  for (const [name, slot] of all) {
    if (follows) state.write(name, zerosLike(slot.dtype, slot.shape));
    else if (!resumed || isSum(name)) state.write(name, slot.first());
    await turn();
  }
  const names = namesOf(filling, [...all.keys()]);
  if (resumed && !follows) await restore(resumed.path, storeOf(state, all), names, signal);
  return names;
}

/** The shape of a state tensor, and its first value if it is needed. */
interface Slot extends Pick<Tensor, "dtype" | "shape"> {
  first(): Tensor;
}

/** Every tensor of the state: parameters, their averages, moments and what is carried along. */
function firstValues(
  { specs, trained, initial, plan }: Filling,
  tensors: Readonly<Record<string, Tensor>>,
): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  const put = (name: string, { dtype, shape }: Pick<Tensor, "dtype" | "shape">, first: () => Tensor): void => {
    if (!slots.has(name)) slots.set(name, { dtype, shape, first });
  };
  for (const { name, shape } of specs)
    put(name, { dtype: "float32", shape }, () => tensors[plan.twin?.(name) ?? name]!);
  if (plan.average)
    for (const { name, shape } of specs.filter((spec) => trained.has(spec.name))) {
      const of = plan.average.name(name);
      if (of !== undefined) put(of, { dtype: "float32", shape }, () => tensors[name]!);
    }
  for (const [name, t] of Object.entries({ ...initial, ...plan.carried?.initial })) put(name, t, () => t);
  return slots;
}

function namesOf({ specs, trained, plan: { isModel = () => true } }: Filling, all: readonly string[]): Names {
  const model = specs.filter(({ name }) => isModel(name));
  const inModel = new Set(model.map(({ name }) => name));
  return {
    model: [...inModel],
    optimizer: all.filter((name) => !inModel.has(name) && !isSum(name)),
    aliases: aliasesOf(model),
    trained: specs.reduce((n, { name, shape }) => n + (trained.has(name) ? size(shape) : 0), 0),
  };
}

/** Sums of gradients begin anew with every step, so no checkpoint holds them. */
const isSum = (name: string): boolean => name.startsWith("accumulated.");

/** The state as checkpoints see it: with the shapes that the stage asks for. */
const storeOf = (state: State, shapes: ReadonlyMap<string, Pick<Tensor, "dtype" | "shape">>): TensorStore => ({
  has: (name) => shapes.has(name),
  buffer: (name) => shapes.get(name)!,
  read: (name) => state.read(name),
  write: (name, t) => state.write(name, t),
});

async function restore(path: string, store: TensorStore, names: Names, signal?: AbortSignal): Promise<void> {
  await using checkpoint = await openCheckpoint(path);
  await restoreTensors(checkpoint.model, store, names.model, { aliases: names.aliases, signal });
  await restoreTensors(checkpoint.optimizer, store, names.optimizer, { signal });
}

/** Where the result of a stage is not its last step, the model's tensors become those of the best. */
export async function takeResult(folder: string, state: State, names: Names, step: number): Promise<void> {
  const path = await resultOf(folder);
  if (path === join(folder, folderName(step))) return;
  await using checkpoint = await openCheckpoint(path);
  await restoreTensors(checkpoint.model, state, names.model, { aliases: names.aliases });
}
