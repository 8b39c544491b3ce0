/** The worker: the model, the engine and the training. A run blocks this thread and never the page. */
import { type AttentionMap, type DeviceName, EngineError, FlavaModel, hasGpu, probeTensors } from "flava/web";
import { encodeFile, entriesOf } from "./files.ts";
import type { Reply, Request } from "./protocol.ts";
import { trainingCalls } from "./training.ts";

const progress = (text: string): void => postMessage({ progress: text } satisfies Reply);
const warn = (text: string): void => postMessage({ warning: text } satisfies Reply);

let model: FlavaModel | undefined;
/** Where the model came from. */
let origin = "";

function opened(): FlavaModel {
  if (!model) throw new Error("There is no model: it could not be loaded. Load the page again.");
  return model;
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

const calls = {
  ...trainingCalls(progress),

  /** Opens the model on the fastest device there is, or on the one that is asked for. */
  async open(address: string, wanted: DeviceName | "auto"): Promise<{ device: string }> {
    const begun = performance.now();
    const device = wanted === "auto" ? ((await hasGpu()) ? "webgpu" : "wasm") : wanted;
    origin = address;
    model?.dispose();
    model = undefined;
    model = await FlavaModel.fromPretrained(address, {
      device,
      applyOrientation: true, // as the browser shows them
      progressCallback: (event) => {
        if (event.status === "progress" && event.file.endsWith(".safetensors"))
          progress(`Loading the model: ${megabytes(event.loaded)} of ${megabytes(event.total)}…`);
      },
      onWarning: warn,
    });
    progress("Starting the engine…"); // it is loaded with the first graph
    if (model.gives("text_embeds")) await model.encodeText("a", { outputs: ["text_embeds"] });
    progress(`Ready on ${device}, after ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
    return { device };
  },

  /** Addresses of the files that this worker has loaded. */
  async resources(): Promise<string[]> {
    return performance.getEntriesByType("resource").map(({ name }) => name);
  },

  /** (E) for each picture, or what is wrong with it. */
  async embedImages(pictures: readonly Blob[]): Promise<(Float32Array | string)[]> {
    const found: (Float32Array | string)[] = [];
    for await (const { embeds, error } of opened().embedImages(pictures, { onError: "yield" })) {
      if (error instanceof EngineError) throw error;
      found.push(embeds ?? error!.message);
    }
    return found;
  },

  async embedText(text: string): Promise<{ embeds: Float32Array; unknown: string[] }> {
    const { text_embeds } = await opened().encodeText(text, { outputs: ["text_embeds"] });
    return { embeds: text_embeds.data as Float32Array, unknown: opened().unknownWords(text) };
  },

  /** Words of a text that the model does not know. */
  async unknownWords(text: string): Promise<string[]> {
    return opened().unknownWords(text);
  },

  async match(picture: Blob, text: string): Promise<number> {
    return (await opened().match([picture], [text]))[0]!;
  },

  async fill(text: string, picture: Blob | undefined): Promise<{ word: string; score: number }[][]> {
    const found = await opened().fillMask(text, { image: picture, topK: 5 });
    return found.map((words) => words.map(({ token_str, score }) => ({ word: token_str, score })));
  },

  async attention(picture: Blob, text: string): Promise<AttentionMap> {
    return opened().attention(picture, text);
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
};

/** What can be asked. */
export type Calls = typeof calls;

const isLostGpu = (error: unknown): boolean =>
  error instanceof EngineError && /GPU was lost/.test(error.message) && origin !== "";

/** Answers a call; where the GPU is lost on the way, by the processor. */
async function answer({ id, name, args }: Request): Promise<void> {
  const ask = async (): Promise<unknown> => (calls[name] as (...given: readonly unknown[]) => unknown)(...args);
  const askAgain = async (error: unknown): Promise<unknown> => {
    if (!isLostGpu(error)) throw error;
    progress("The GPU was lost: loading the model again, for the processor…");
    await calls.open(origin, "wasm");
    warn("The GPU was lost. The model runs on the processor now.");
    return ask();
  };
  try {
    postMessage({ id, value: await ask().catch(askAgain) } satisfies Reply);
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies Reply);
  }
}

/** One call at a time, in the order of asking: a search waits for the training step under way. */
let turn: Promise<void> = Promise.resolve();
self.onmessage = ({ data }: MessageEvent<Request>) => {
  turn = turn.then(() => answer(data));
};
