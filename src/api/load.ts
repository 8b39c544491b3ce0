/** A model's files → its weights on a device. */
import { CheckpointError, ConfigError, DataError } from "../errors.ts";
import { type ConfigJson, fromHuggingFaceConfig } from "../models/flava/index.ts";
import { families, type Model } from "../models/index.ts";
import { type Device, type DeviceName, type DeviceOptionsOf, openDevice, State } from "../runtime/index.ts";
import { formatShape, sameShape, type Tensor } from "../tensor/index.ts";
import { type TextTokenizer, tokenizerFromJson } from "../text/index.ts";
import { fingerprint } from "./fingerprint.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { ModelFiles, OpenOptions } from "./model-files.ts";

/** What numbers are computed in. */
export type DtypeName = "fp32" | "fp16" | "bf16";

/** How a model is opened. */
export interface LoadOptions extends OpenOptions {
  /** A device by name, or one that is open already. Default "cpu". */
  readonly device?: DeviceName | "auto" | Device | undefined;
  /** Default "fp32". Weights of 16 bits are widened as they are read; a processor computes in float32 whatever they were stored as. */
  readonly dtype?: DtypeName | undefined;
  /** Threads of one operator; all processors unless said. */
  readonly threads?: number | undefined;
  /** The most samples that go through the model at once; no result depends on it. Default 8. */
  readonly batchSize?: number | undefined;
  /** Side of the pictures in pixels, whole patches; position embeddings are interpolated. The model's own unless said. */
  readonly imageSize?: number | undefined;
  /** Told, in a sentence, what was cut or is not as asked for. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Its weights are the caller's to dispose of. Throws CheckpointError, ConfigError, EngineError. */
export async function loadModel(files: ModelFiles, options: LoadOptions): Promise<LoadedModel> {
  const { signal, batchSize = 8, onWarning } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize: expected a whole number from 1, got ${batchSize}`);
  const tokenizer =
    files.tokenizer === undefined ? undefined : tokenizerFromJson(files.tokenizer, files.tokenizerConfig);
  const model = modelOf(files, onWarning);
  if (tokenizer && model.texts && tokenizer.vocabSize > model.texts.vocabSize)
    throw new CheckpointError(
      `${files.name}: expected a tokenizer of at most ${model.texts.vocabSize} entries, as config.json says, got ${tokenizer.vocabSize}`,
    );
  const device = await deviceOf(options);
  const state = new State(device);
  try {
    const weightsHash = await readWeights(files, model, state, signal);
    return {
      name: files.name,
      model,
      device,
      state,
      tokenizer: tokenizer ?? NO_TOKENIZER(files.name),
      batchSize,
      weightsHash,
    };
  } catch (error) {
    state.dispose();
    throw error;
  }
}

/** A model whose texts nobody can read: whoever asks is told. */
const NO_TOKENIZER = (name: string): TextTokenizer =>
  new Proxy({} as TextTokenizer, {
    get: (_, key) => {
      if (typeof key === "symbol" || key === "then") return undefined;
      throw new DataError(`${name}: expected tokenizer.json or vocab.txt beside the weights, got neither`);
    },
  });

function modelOf(files: ModelFiles, onWarning: LoadOptions["onWarning"]): Model {
  const note = onWarning && { note: onWarning };
  return families.flava.of(fromHuggingFaceConfig(files.config as ConfigJson, note ?? {}));
}

async function deviceOf({ device = "cpu", threads, dtype = "fp32", onWarning }: LoadOptions): Promise<Device> {
  if (dtype !== "fp32" && dtype !== "fp16" && dtype !== "bf16")
    throw new ConfigError(`dtype: expected fp32, fp16 or bf16, got "${dtype}"`);
  const opened =
    typeof device === "object"
      ? device
      : await openDevice(device === "auto" ? "cpu" : device, (threads ? { threads } : {}) as DeviceOptionsOf["cpu"]);
  if (dtype !== "fp32")
    onWarning?.(`dtype ${dtype}: ${opened.name} computes in float32, from the weights as they are stored`);
  return opened;
}

/** What a model is asked for in use; a codebook and the heads of masked patches are not. */
function neededParameters(model: Model): { readonly name: string; readonly shape: readonly number[] }[] {
  const graphs = [
    model.image?.({ batch: 1 }),
    model.text?.({ batch: 1, textLength: 1 }),
    model.fusion?.({ batch: 1, textLength: 1 }),
    model.words?.("text", 1),
    model.words?.("pair", 1),
  ];
  const specs = graphs.flatMap((each) => each?.params ?? []).map(({ name, shape }) => ({ name, shape }));
  const scale = model.logitScale ? [{ name: model.logitScale.name, shape: [] }] : [];
  return [...new Map([...specs, ...scale].map((spec) => [spec.name, spec])).values()];
}

/** Tensor by tensor, so that the host holds one at a time. Returns their fingerprint. */
async function readWeights(
  { name: where, weights }: ModelFiles,
  model: Model,
  state: State,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = fingerprint();
  const problems: string[] = [];
  for (const { name, shape } of neededParameters(model)) {
    if (!weights.tensors.has(name)) continue;
    const t = await weights.read(name, { signal });
    if (t.dtype !== "float32" || !sameShape(t.shape, shape))
      problems.push(`${name}: expected float32 ${formatShape(shape)}, got ${t.dtype} ${formatShape(t.shape)}`);
    else {
      checkFinite(where, name, t);
      hash.add(name, t);
      state.write(name, t);
    }
  }
  if (problems.length > 0)
    throw new CheckpointError(
      `${where}: ${problems.length} tensors are not those of config.json:\n  ${problems.slice(0, 5).join("\n  ")}`,
    );
  if (state.names().length === 0)
    throw new CheckpointError(
      `${where}: expected weights of a FLAVA, got ${weights.tensors.size} tensors of other names: ${[...weights.tensors.keys()].slice(0, 3).join(", ")}`,
    );
  return hash.text();
}

function checkFinite(where: string, name: string, { data }: Tensor): void {
  const numbers = data as Float32Array;
  let bad = 0;
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i]!)) bad++;
  if (bad > 0)
    throw new CheckpointError(
      `${where}: ${name}: expected finite numbers, got ${bad} of ${numbers.length} that are not`,
      "the training that made it has failed, or a number was too large for 16 bits; take an earlier checkpoint",
    );
}
