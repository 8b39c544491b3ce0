/**
 * The joint stage of a run, trained in a tab: the objectives, schedules and names of `flava pretrain`, on pictures and captions that are
 * in memory. What it saves is a checkpoint of that run.
 */
import { ConfigError } from "../errors.ts";
import type { Safetensors } from "../hub/safetensors/read.ts";
import { type FlavaConfig, flavaFamily } from "../models/flava/index.ts";
import { initialTensor } from "../nn/index.ts";
import { type JointChoices, jointObjectives, logNames } from "../pretrain/stages/joint-objectives.ts";
import { aliasesOf, restoreTensors, storeEntries } from "../record/checkpoint/tensors.ts";
import { type Device, State } from "../runtime/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import {
  createUpdater,
  declaredState,
  type Metrics,
  type TrainingOptions,
  type TrainingPlan,
  traceSteps,
} from "../train/index.ts";
import { checkpointFiles } from "./checkpoint-files.ts";
import { createBatches, type TabData, type TabKind } from "./tab-batches.ts";

/** A joint stage as recipes have it. */
export interface TabStage extends JointChoices, TrainingOptions {
  readonly kind: "joint";
  readonly sampling: Readonly<Record<"pairs" | "contrast" | "images" | "texts", number>>;
}

/** What is read of the state.json of a checkpoint. */
export interface TabState {
  readonly stage: string;
  readonly step: number;
  readonly seed: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Where the loader of Node stands. */
  readonly cursors: { readonly loader?: Readonly<Record<string, unknown>> | undefined };
  readonly recipe: {
    readonly model: FlavaConfig;
    readonly stages: Readonly<Record<string, { readonly kind: string }>>;
  };
}

/** Where a tab begins: a checkpoint of a run that Node has begun, or one that a tab has saved. */
export interface TabStart {
  /** state.json. */
  readonly state: TabState;
  readonly model: Safetensors;
  /** Absent: the model is trained from nothing, all but its codebook, which the joint stage never trains. */
  readonly optimizer?: Safetensors | undefined;
  readonly tokenizer: TextTokenizer;
}

/** What a tab trains on, where, and who is told. */
export interface TabOptions {
  readonly device: Device;
  readonly data: TabData;
  readonly signal?: AbortSignal | undefined;
  readonly note?: ((line: string) => void) | undefined;
}

/** One update that was made. */
export interface TabUpdate {
  readonly step: number;
  readonly kind: TabKind;
  readonly metrics: Metrics;
  readonly samples: readonly string[];
}

/** A training under way. One call at a time. */
export interface JointTab extends Disposable {
  readonly state: State;
  readonly config: FlavaConfig;
  readonly stage: TabStage;
  readonly seed: number;
  readonly tokenizer: TextTokenizer;
  /** The last step that is done. */
  readonly step: number;
  /** Steps of the whole stage. */
  readonly steps: number;
  /** What each loss is for a model that knows nothing. */
  readonly chance: Metrics;
  /** Makes the next update. Throws ConfigError after the last step. */
  update(): Promise<TabUpdate>;
  /** The files of `checkpoint-<step>/`, by name. */
  checkpoint(): Promise<Record<string, Uint8Array>>;
  dispose(): void;
}

/** Compiles the steps and fills the state. Throws ConfigError for a run whose stage is no joint one. */
export async function openJointTab(start: TabStart, options: TabOptions): Promise<JointTab> {
  const { state: saved, tokenizer } = start;
  const { device, data, signal, note } = options;
  const model = saved.recipe.model;
  const stage = stageOf(saved);
  const plan = planOf(model, stage);
  const graphs = await traceSteps(saved.stage, stage, plan, signal ? { signal } : {});
  const declared = declaredState(graphs, plan);
  const state = new State(device);
  try {
    const names = await fill(state, start, declared, signal);
    const updater = await createUpdater({ options: stage, plan, graphs, state, device, note, signal });
    const batches = createBatches({ model, stage, tokenizer, data, seed: saved.seed });
    let step = start.optimizer ? saved.step : 0;
    let samples = start.optimizer ? (saved.counters.samples ?? 0) : 0;
    const dispose = (): void => {
      updater.dispose();
      state.dispose();
    };
    return {
      ...{ state, config: model, stage, seed: saved.seed, tokenizer },
      ...{ chance: declared.chance, steps: stage.steps, dispose },
      get step() {
        return step;
      },
      async update() {
        if (step >= stage.steps) throw new ConfigError(`${saved.stage}: expected at most ${stage.steps} steps`);
        const batch = await batches(step + 1);
        const metrics = await updater.update(step + 1, batch);
        step++;
        samples += batch.samples.length;
        return { step, kind: batch.kind, metrics, samples: batch.samples };
      },
      checkpoint: () =>
        checkpointFiles(
          { ...saved, step, cursors: cursorsAt(saved, step), counters: { samples }, best: null },
          storeEntries(state, names.model, names.aliases),
          storeEntries(state, names.optimizer),
        ),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    state.dispose();
    throw error;
  }
}

function stageOf({ stage, recipe }: TabState): TabStage {
  const found = recipe.stages[stage] as TabStage | undefined;
  if (found?.kind !== "joint") throw new ConfigError(`expected a checkpoint of a joint stage, got one of "${stage}"`);
  if (found.gradientAccumulationSteps !== 1)
    throw new ConfigError(`stages.${stage}.gradientAccumulationSteps: expected 1 in a tab`);
  return found;
}

function planOf(model: FlavaConfig, stage: TabStage): TrainingPlan {
  const { pairs: pair, contrast, images: image, texts: text } = stage.sampling;
  const ratios: Record<string, number> = { pair, contrast, image, text };
  const all = Object.entries(jointObjectives(model, stage));
  return {
    objectives: Object.fromEntries(all.filter(([kind]) => ratios[kind]! > 0)),
    lossWeights: logNames(stage.lossWeights),
  };
}

/** Node begins its data anew, at the step where the tab has stopped. */
function cursorsAt({ cursors }: TabState, step: number): Record<string, unknown> {
  const { loader } = cursors;
  if (!loader) return {};
  const datasets = Object.keys(loader.datasets as object).map((name) => [name, null]);
  return { loader: { ...loader, step, datasets: Object.fromEntries(datasets), files: {} } };
}

interface Names {
  readonly model: readonly string[];
  readonly optimizer: readonly string[];
  readonly aliases: ReturnType<typeof aliasesOf>;
}

/** First values, or those of the checkpoint. */
async function fill(
  state: State,
  { state: { seed }, model, optimizer }: TabStart,
  { specs, initial }: ReturnType<typeof declaredState>,
  signal: AbortSignal | undefined,
): Promise<Names> {
  const names = { model: specs.map(({ name }) => name), optimizer: Object.keys(initial), aliases: aliasesOf(specs) };
  const isCodebook = (name: string): boolean => name.startsWith(flavaFamily.parts.codebook!.needed);
  for (const spec of specs)
    state.write(
      spec.name,
      isCodebook(spec.name) && model.tensors.has(spec.name)
        ? await model.read(spec.name, { signal })
        : initialTensor(spec, seed),
    );
  state.writeAll(initial);
  if (optimizer) {
    await restoreTensors(model, state, names.model, { aliases: names.aliases, signal });
    await restoreTensors(optimizer, state, names.optimizer, { signal });
  }
  return names;
}
