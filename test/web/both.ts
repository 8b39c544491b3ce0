/** What the tests of browsers compute in Node and in a page, from the same bytes. */
import {
  type DeviceName,
  drawScene,
  FlavaModel,
  type JointTab,
  memoryBytes,
  openDevice,
  openJointTab,
  openTabPictures,
  paintScene,
  pixels,
  readSafetensors,
  type TabData,
  type TabState,
  tokenizerFromFiles,
} from "../../src/web/index.ts";

/** The files of a start, by name. */
export type StartFiles = Readonly<
  Record<"recipe.json" | "tokenizer.json" | "state.json" | "model.safetensors" | "decoder.safetensors", Uint8Array>
>;

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Drawn scenes with captions. */
export const scenes = (count: number, seed = 0): TabData => ({
  pairs: Array.from({ length: count }, (_, i) => {
    const scene = drawScene(seed, i);
    return { key: `scene ${i}`, pixels: pixels(32, 32, paintScene(scene, 32, 32)), text: scene.caption };
  }),
});

/** A training in memory. */
export async function openTab(files: StartFiles, name: DeviceName, threads?: number): Promise<JointTab> {
  const state = JSON.parse(text(files["state.json"])) as TabState;
  return openJointTab(
    {
      state,
      model: await readSafetensors(memoryBytes("model.safetensors", files["model.safetensors"])),
      tokenizer: tokenizerFromFiles({ "tokenizer.json": text(files["tokenizer.json"]) }, "start"),
    },
    { device: await openDevice(name, threads === undefined ? {} : { threads }), data: scenes(64) },
  );
}

/** What some steps give. */
export interface Trained {
  readonly losses: readonly (readonly [kind: string, loss: number])[];
  /** Of each parameter and moment, its sum of squares and first numbers. */
  readonly state: Readonly<Record<string, readonly number[]>>;
  /** Milliseconds a step, the first left out. */
  readonly stepMs: number;
}

/** Trains. */
export async function trainSteps(tab: JointTab, steps: number): Promise<Trained> {
  const losses: [string, number][] = [];
  const times: number[] = [];
  for (let i = 0; i < steps; i++) {
    const begun = performance.now();
    const { kind, metrics } = await tab.update();
    times.push(performance.now() - begun);
    losses.push([kind, metrics.loss!]);
  }
  const state: Record<string, number[]> = {};
  for (const name of tab.state.names()) {
    const { data } = await tab.state.read(name);
    const numbers = Array.from(data as Float32Array, Number);
    state[name] = [Math.hypot(...numbers), ...numbers.slice(0, 8)];
  }
  return { losses, state, stepMs: times.slice(4).sort((a, b) => a - b)[Math.floor((steps - 4) / 2)]! };
}

/** Of eight scenes with hidden patches, what the model puts there: bytes of all pictures. */
export async function filledPictures(tab: JointTab, files: StartFiles): Promise<number[]> {
  const file = await readSafetensors(memoryBytes("decoder.safetensors", files["decoder.safetensors"]));
  const names = [...file.tensors.keys()];
  const decoder = await Promise.all(names.map(async (name) => [name, await file.read(name)] as const));
  using pictures = await openTabPictures(tab, scenes(8, 1).pairs, Object.fromEntries(decoder));
  const drawn = await pictures.draw();
  return drawn.flatMap(({ original, masked, filled }) => [...original.data, ...masked.data, ...filled.data]);
}

/** Embeddings of pictures and texts by a model at an address, or in a folder. */
export async function embed(
  model: FlavaModel,
  pictures: readonly Uint8Array[],
  texts: readonly string[],
): Promise<{ readonly images: number[][]; readonly texts: number[][] }> {
  const { image_embeds } = await model.encodeImage(pictures, { outputs: ["image_embeds"] });
  const { text_embeds } = await model.encodeText(texts, { outputs: ["text_embeds"] });
  return { images: image_embeds.tolist() as number[][], texts: text_embeds.tolist() as number[][] };
}

/** From encoded files to embeddings: the median of some rounds. */
export async function imagesPerSecond(
  model: FlavaModel,
  pictures: readonly Uint8Array[],
  rounds: number,
): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    await model.encodeImage(pictures, { outputs: ["image_embeds"] });
    rates.push((1000 * pictures.length) / (performance.now() - begun));
  }
  return rates.sort((a, b) => a - b)[rounds >> 1]!;
}

export { FlavaModel };
