/** The page of the browser tests: answers what Playwright asks of it. */
import { type DeviceName, FlavaModel, hasGpu, openCached, openDevice } from "../../src/web/index.ts";
import { embed, filledPictures, imagesPerSecond, openTab, type StartFiles, type Trained, trainSteps } from "./both.ts";

const bytesAt = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(path)).arrayBuffer());

const startFiles = async (): Promise<StartFiles> => ({
  "recipe.json": await bytesAt("/start/recipe.json"),
  "tokenizer.json": await bytesAt("/start/tokenizer.json"),
  "state.json": await bytesAt("/start/checkpoint/state.json"),
  "model.safetensors": await bytesAt("/start/checkpoint/model.safetensors"),
  "decoder.safetensors": await bytesAt("/start/decoder.safetensors"),
});

const asks = {
  isolated: async () => crossOriginIsolated,
  hasGpu,
  async embed(device: DeviceName, threads: number | undefined, count: number, texts: readonly string[], rounds = 1) {
    const events: string[] = [];
    const begun = performance.now();
    await using model = await FlavaModel.fromPretrained(`${location.origin}/model`, {
      device,
      threads,
      progressCallback: ({ status }) => events.push(status),
    });
    const pictures = await Promise.all(Array.from({ length: count }, (_, i) => bytesAt(`/pictures/${i}`)));
    const found = await embed(model, pictures, texts);
    const firstMs = performance.now() - begun;
    const rates = await imagesPerSecond(model, pictures, rounds);
    return { ...found, firstMs, imagesPerSecond: rates, events: [...new Set(events)] };
  },
  async train(device: DeviceName, threads: number | undefined, steps: number): Promise<Trained> {
    using tab = await openTab(await startFiles(), device, threads);
    return await trainSteps(tab, steps); // awaited: the tab is disposed at the end
  },
  async filled(device: DeviceName): Promise<number[]> {
    const files = await startFiles();
    using tab = await openTab(files, device);
    return await filledPictures(tab, files);
  },
  async checkpoint(device: DeviceName, steps: number): Promise<Record<string, string>> {
    using tab = await openTab(await startFiles(), device);
    await trainSteps(tab, steps);
    const files = await tab.checkpoint();
    return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, base64(bytes)]));
  },
  /** Two pieces of a file; with `full` as on a disk without room. */
  async read(path: string, { full = false }: { readonly full?: boolean }) {
    const warnings: string[] = [];
    const { put } = Cache.prototype;
    if (full)
      Cache.prototype.put = async () => {
        throw new DOMException("no room", "QuotaExceededError");
      };
    try {
      const bytes = (await openCached(`${location.origin}${path}`, {
        cacheName: full ? "other" : "files",
        onWarning: (line) => warnings.push(line),
      }))!;
      const slice = async (from: number): Promise<number[]> => [...new Uint8Array(await bytes.slice(from, from + 16))];
      return { first: await slice(5_000_000), last: await slice(bytes.byteLength - 16), warnings };
    } finally {
      Cache.prototype.put = put;
    }
  },
  /** What is said of a GPU that goes while the model is open. */
  async lost(): Promise<string> {
    const { requestDevice } = GPUAdapter.prototype;
    let gpu: GPUDevice | undefined;
    GPUAdapter.prototype.requestDevice = async function (...given) {
      gpu = await requestDevice.apply(this, given);
      return gpu;
    };
    const model = await FlavaModel.fromPretrained(`${location.origin}/model`, { device: "webgpu" });
    GPUAdapter.prototype.requestDevice = requestDevice;
    gpu!.destroy();
    return model.encodeText("a cat").then(
      () => "it went on",
      (error: Error) => error.message,
    );
  },
  /** Opens a device. */
  async device(name: DeviceName): Promise<string> {
    return (await openDevice(name)).description;
  },
};

function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

export type Asks = typeof asks;
Object.assign(globalThis, { asks });
document.title = "ready";
