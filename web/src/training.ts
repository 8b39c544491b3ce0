/** What the worker is asked of a training: it goes on from its beginning, and shows what it has learnt. */
import {
  FlavaModel,
  flavaFamily,
  type JointTab,
  memoryBytes,
  openDevice,
  openJointTab,
  openTabPictures,
  readSafetensors,
  type Safetensors,
  type TabPictures,
  type TabState,
  type Tensor,
  tokenizerFromFiles,
} from "flava/web";
import { type Scene, sceneOf, scenes } from "./scenes.ts";
import { type StartFile, startAddress } from "./start-files.ts";

/** Scenes that are trained on. */
const TRAINED = 256;

/** Pixels as plain data. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A picture, the same with hidden patches, and with what the model puts there. */
export type Filled = Readonly<Record<"original" | "masked" | "filled", Raster>>;

interface Training {
  readonly tab: JointTab;
  readonly pictures: TabPictures;
  readonly model: FlavaModel;
  readonly unseen: readonly Scene[];
}

async function get(base: string, file: StartFile): Promise<Uint8Array> {
  const response = await fetch(startAddress(base, file));
  if (!response.ok) throw new Error(`${file}: expected a file of this page, got status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

const text = async (base: string, file: StartFile): Promise<string> => new TextDecoder().decode(await get(base, file));

const weights = async (base: string, file: StartFile): Promise<Safetensors> =>
  readSafetensors(memoryBytes(file, await get(base, file)));

async function all(file: Safetensors): Promise<Record<string, Tensor>> {
  const names = [...file.tensors.keys()];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await file.read(name)] as const)));
}

async function open(base: string, shown: number, note: (line: string) => void): Promise<Training> {
  const start = {
    state: JSON.parse(await text(base, "checkpoint/state.json")) as TabState,
    model: await weights(base, "checkpoint/model.safetensors"),
    tokenizer: tokenizerFromFiles({ "tokenizer.json": await text(base, "tokenizer.json") }, "this page"),
  };
  const device = await openDevice("wasm");
  const tab = await openJointTab(start, { device, data: { pairs: scenes(TRAINED, 0) }, note });
  try {
    const unseen = Array.from({ length: shown }, (_, i) => sceneOf(1, i));
    const pictures = await openTabPictures(tab, unseen, await all(await weights(base, "decoder.safetensors")));
    const { state, config, tokenizer } = tab;
    const model = FlavaModel.of({ model: flavaFamily.of(config), device, state, tokenizer, batchSize: shown });
    return { tab, pictures, model, unseen };
  } catch (error) {
    tab.dispose();
    throw error;
  }
}

/** The calls; `note` is told what is being done. */
export function trainingCalls(note: (line: string) => void) {
  let training: Training | undefined;
  const begun = (): Training => {
    if (!training) throw new Error("No training has begun.");
    return training;
  };
  return {
    /** Begins a training from nothing; `shown` unseen scenes are looked at on the way. */
    async trainOpen(base: string, shown: number): Promise<{ steps: number; chance: Record<string, number> }> {
      training?.pictures.dispose();
      training?.model.dispose();
      training?.tab.dispose();
      training = undefined;
      note("Building the training step…");
      training = await open(base, shown, note);
      return { steps: training.tab.steps, chance: { ...training.tab.chance } };
    },

    async trainStep(): Promise<{ step: number; kind: string; metrics: Record<string, number> }> {
      const { step, kind, metrics } = await begun().tab.update();
      return { step, kind, metrics: { ...metrics } };
    },

    /** Cosines of the unseen scenes (rows) with their captions (columns). */
    async trainGrid(): Promise<number[][]> {
      const { model, unseen } = begun();
      const pictures = unseen.map(({ pixels: { width, height, data } }) => ({ width, height, data }));
      const captions = unseen.map((scene) => scene.text);
      return (await model.similarity(pictures, captions)).similarity.tolist() as number[][];
    },

    /** The unseen scenes with hidden patches, filled in beside their captions. */
    async trainPictures(): Promise<Filled[]> {
      const raster = ({ width, height, data }: Raster): Raster => ({ width, height, data });
      const drawn = await begun().pictures.draw();
      return drawn.map(({ original, masked, filled }) => ({
        original: raster(original),
        masked: raster(masked),
        filled: raster(filled),
      }));
    },

    /** The files of the checkpoint. */
    async trainSave(): Promise<{ step: number; files: Record<string, Uint8Array> }> {
      const { tab } = begun();
      return { step: tab.step, files: await tab.checkpoint() };
    },
  };
}
