/** The worker: the model, the engine and the training. A run blocks this thread and never the page. */
import {
  type DeviceName,
  FlavaModel,
  flavaFamily,
  hasGpu,
  type JointTab,
  memoryBytes,
  openDevice,
  openJointTab,
  probeTensors,
  readSafetensors,
  type TabState,
  tokenizerFromFiles,
} from "flava/web";
import { encodeFile, entriesOf } from "./files.ts";
import type { Reply, Request } from "./protocol.ts";
import { sceneOf, scenes } from "./scenes.ts";

const progress = (text: string): void => postMessage({ progress: text } satisfies Reply);

let model: FlavaModel | undefined;
let tab: JointTab | undefined;

function opened(): FlavaModel {
  if (!model) throw new Error("the model is not loaded yet");
  return model;
}

function training(): JointTab {
  if (!tab) throw new Error("no training has begun");
  return tab;
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

const calls = {
  /** Opens the model on the fastest device there is, or on the one that is asked for. */
  async open(
    address: string,
    wanted: DeviceName | "auto",
  ): Promise<{ device: string; gives: Record<string, boolean> }> {
    const begun = performance.now();
    const device = wanted === "auto" ? ((await hasGpu()) ? "webgpu" : "wasm") : wanted;
    model = await FlavaModel.fromPretrained(address, {
      device,
      progressCallback: (event) => {
        if (event.status === "progress" && event.file.endsWith(".safetensors"))
          progress(`Loading the model: ${megabytes(event.loaded)} of ${megabytes(event.total)}`);
      },
      onWarning: progress,
    });
    const gives = Object.fromEntries(
      (["image_embeds", "text_embeds", "itm_logits"] as const).map((name) => [name, model!.gives(name)]),
    );
    progress(`Ready on ${device}, after ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
    return { device, gives };
  },

  /** (E) for each picture, or what is wrong with it. */
  async embedImages(pictures: readonly Blob[]): Promise<(Float32Array | string)[]> {
    const found: (Float32Array | string)[] = [];
    for await (const { embeds, error } of opened().embedImages(pictures, { onError: "yield" })) {
      found.push(embeds ?? error!.message);
      progress(`Reading pictures: ${found.length} of ${pictures.length}`);
    }
    progress(`Read ${found.length} ${found.length === 1 ? "picture" : "pictures"}.`);
    return found;
  },

  async embedText(text: string): Promise<{ embeds: Float32Array; unknown: string[] }> {
    const { text_embeds } = await opened().encodeText(text, { outputs: ["text_embeds"] });
    return { embeds: text_embeds.data as Float32Array, unknown: opened().unknownWords(text) };
  },

  async match(picture: Blob, texts: readonly string[]): Promise<number[]> {
    return opened().match([picture], texts);
  },

  async fill(text: string, picture: Blob | undefined): Promise<{ word: string; score: number }[][]> {
    const found = await opened().fillMask(text, { image: picture, topK: 5 });
    return found.map((words) => words.map(({ token_str, score }) => ({ word: token_str, score })));
  },

  async similarity(pictures: readonly Blob[], texts: readonly string[]): Promise<number[][]> {
    const { similarity } = await opened().similarity(pictures, texts);
    return similarity.tolist() as number[][];
  },

  /** probe.safetensors, to be put beside the model. */
  async probeFile(labels: readonly string[], weight: Float32Array, bias: Float32Array): Promise<Uint8Array> {
    const { tensors, metadata } = probeTensors({
      input: "image_embeds",
      labels,
      weight: {
        dtype: "float32",
        shape: [labels.length, weight.length / labels.length],
        data: weight as Float32Array<ArrayBuffer>,
      },
      bias: { dtype: "float32", shape: [labels.length], data: bias as Float32Array<ArrayBuffer> },
    });
    return encodeFile(entriesOf(tensors), metadata);
  },

  /** Begins a training from nothing. */
  async trainOpen(
    base: string,
    wanted: DeviceName | "auto",
  ): Promise<{ steps: number; chance: Record<string, number> }> {
    tab?.dispose();
    tab = undefined;
    const get = async (name: string): Promise<Uint8Array> => {
      const response = await fetch(`${base}/${name}`);
      if (!response.ok) throw new Error(`${name}: expected a file of this page, got status ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    };
    const text = async (name: string): Promise<string> => new TextDecoder().decode(await get(name));
    progress("Building the training step…");
    const state = JSON.parse(await text("checkpoint/state.json")) as TabState;
    const weights = await readSafetensors(memoryBytes("model.safetensors", await get("checkpoint/model.safetensors")));
    const tokenizer = tokenizerFromFiles({ "tokenizer.json": await text("tokenizer.json") }, "this page");
    const device = await openDevice(wanted === "auto" ? "wasm" : wanted);
    tab = await openJointTab(
      { state, model: weights, tokenizer },
      { device, data: { pairs: scenes(256, 0) }, note: progress },
    );
    return { steps: tab.steps, chance: { ...tab.chance } };
  },

  async trainStep(): Promise<{ step: number; kind: string; metrics: Record<string, number> }> {
    const { step, kind, metrics } = await training().update();
    return { step, kind, metrics: { ...metrics } };
  },

  /** For each of some unseen scenes, the places of the captions from the best on: cosines (N, N). */
  async trainGrid(count: number): Promise<number[][]> {
    const { state, config, tokenizer } = training();
    const loaded = { model: flavaFamily.of(config), device: state.device, state, tokenizer, batchSize: count };
    if (!gridModel || gridOf !== tab) {
      gridModel?.dispose();
      gridModel = FlavaModel.of(loaded);
      gridOf = tab;
    }
    const seen = Array.from({ length: count }, (_, i) => sceneOf(1, i));
    const pictures = seen.map(({ pixels: { width, height, data } }) => ({ width, height, data }));
    const { similarity } = await gridModel.similarity(
      pictures,
      seen.map(({ text }) => text),
    );
    return similarity.tolist() as number[][];
  },

  /** The files of the checkpoint. */
  async trainSave(): Promise<{ step: number; files: Record<string, Uint8Array> }> {
    const { step } = training();
    return { step, files: await training().checkpoint() };
  },
};

let gridModel: FlavaModel | undefined;
let gridOf: JointTab | undefined;

/** What can be asked. */
export type Calls = typeof calls;

self.onmessage = async ({ data: { id, name, args } }: MessageEvent<Request>) => {
  try {
    const value = await (calls[name] as (...given: readonly unknown[]) => unknown)(...args);
    postMessage({ id, value } satisfies Reply);
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies Reply);
  }
};
