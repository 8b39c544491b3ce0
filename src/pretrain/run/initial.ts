/** The first weights of a stage: random, those of an earlier stage, or a file's. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "../../errors.ts";
import { openSafetensors, type Safetensors } from "../../hub/index.ts";
import { fromDino } from "../../models/dino/index.ts";
import { initialTensor, type ParamSpec } from "../../nn/index.ts";
import { emaName } from "../../optim/index.ts";
import {
  checkCheckpoint,
  findCheckpoints,
  folderName,
  MODEL_FILE,
  OPTIMIZER_FILE,
  readMatching,
} from "../../record/checkpoint/index.ts";
import { formatShape, sameShape, type Tensor } from "../../tensor/index.ts";
import type { InitFrom, Stage } from "../recipe/types.ts";

/** What each part of a stage's `init` stands for: names by their beginnings. A head comes along where the giver has one. */
const PARTS: Readonly<Record<string, { readonly needed: string; readonly also: readonly string[] }>> = {
  image: { needed: "flava.image_model.", also: ["mim_head."] },
  text: { needed: "flava.text_model.", also: ["mlm_head."] },
  codebook: { needed: "image_codebook.", also: ["image_decoder."] },
};

export interface InitialWeights {
  readonly tensors: Record<string, Tensor>;
  /** A line a part: where it came from. */
  readonly origins: readonly string[];
}

/** The first values of `specs`, each from its part's origin, else drawn from the seed. */
export async function initialWeights(
  runDir: string,
  stage: Stage,
  specs: readonly ParamSpec[],
  { seed, signal }: { readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<InitialWeights> {
  const tensors: Record<string, Tensor> = {};
  const origins: string[] = [];
  for (const [part, from] of Object.entries(stage.init) as [string, InitFrom][]) {
    if (from === "random") continue;
    const path = typeof from === "string" ? await resultOf(join(runDir, from)) : from.path;
    const { needed, also } = PARTS[part]!;
    const wanted = specs.filter(({ name }) => [needed, ...also].some((start) => name.startsWith(start)));
    const { found, missing } = await readPart(path, wanted, signal);
    const lacking = missing.filter((name) => name.startsWith(needed) && !MAY_LACK.test(name));
    if (lacking.length > 0)
      throw new CheckpointError(
        `${path}: expected the ${part} weights of this model, got none for ${lacking.slice(0, 5).join(", ")}` +
          (lacking.length > 5 ? ` and ${lacking.length - 5} more` : ""),
        `init.${part} takes a .safetensors file or a checkpoint folder with names as in the published checkpoint`,
      );
    for (const spec of wanted) if (found[spec.name]) tensors[spec.name] = declared(path, spec, found[spec.name]!);
    origins.push(`${part} from ${path} (${Object.keys(found).length} tensors)`);
  }
  for (const spec of specs) tensors[spec.name] ??= initialTensor(spec, seed);
  return { tensors, origins };
}

/** The state holds float32. Throws CheckpointError for anything else, and for another shape. */
function declared(path: string, { name, shape }: ParamSpec, t: Tensor): Tensor {
  if (t.dtype === "float32" && sameShape(t.shape, shape)) return t;
  throw new CheckpointError(
    `${path}: ${name}: expected float32 ${formatShape(shape)}, got ${t.dtype} ${formatShape(t.shape)}`,
    t.dtype === "float32" ? undefined : "convert the file to float32",
  );
}

/** What published image encoders may come without: no loss of their own pretraining reads it. */
const MAY_LACK = /\.(mask_token|pooler\.dense\.(weight|bias))$/;

/**
 * The checkpoint that is the result of a stage: the best where one is kept, else the last. The last one says which is the best:
 * best.json may be older than it, if the process was killed between the two. Throws CheckpointError.
 */
export async function resultOf(folder: string): Promise<string> {
  const last = (await findCheckpoints(folder)).at(-1);
  if (!last)
    throw new CheckpointError(
      `${folder}: expected the checkpoint of an earlier stage, got none`,
      "run that stage first",
    );
  const { best } = await checkCheckpoint(last.path, { hash: false });
  const path = best ? join(folder, folderName(best.step)) : last.path;
  return (await stat(path).catch(() => undefined)) ? path : last.path;
}

/** The tensors of a checkpoint folder (averaged ones where there are), a folder with model.safetensors, or a file. */
async function readPart(path: string, specs: readonly ParamSpec[], signal: AbortSignal | undefined) {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  await using file = await openSafetensors(isFolder ? join(path, MODEL_FILE) : path);
  const found = await readNamed(file, specs, signal);
  const optimizer = isFolder && (await stat(join(path, OPTIMIZER_FILE)).catch(() => undefined));
  if (optimizer) {
    await using averages = await openSafetensors(join(path, OPTIMIZER_FILE));
    const renamed = specs.map((spec) => ({ ...spec, name: emaName(spec.name) }));
    const { tensors } = await readMatching(averages, renamed, { signal });
    for (const { name } of specs) found[name] = tensors[emaName(name)] ?? found[name]!;
  }
  const missing = specs.flatMap(({ name }) => (found[name] ? [] : [name]));
  return { found: Object.fromEntries(Object.entries(found).filter(([, t]) => t !== undefined)), missing };
}

/** By the published checkpoint's names; by those of the codebook alone; by DINO's. */
async function readNamed(file: Safetensors, specs: readonly ParamSpec[], signal: AbortSignal | undefined) {
  const names = [...file.tensors.keys()];
  if (names.some((name) => /^(module\.)?(backbone\.)?(blocks\.\d+\.attn|patch_embed)\./.test(name))) {
    const all: Record<string, Tensor> = {};
    for (const name of names) all[name] = await file.read(name, { signal });
    return fromDino(all);
  }
  const codebookAlone = names.some((name) => name.startsWith("blocks.input."));
  const alias = (name: string): string => (codebookAlone ? name.replace(/^image_codebook\./, "") : name);
  const { tensors } = await readMatching(
    file,
    specs.map((spec) => ({ ...spec, name: alias(spec.name) })),
    { signal },
  );
  return Object.fromEntries(specs.flatMap(({ name }) => (tensors[alias(name)] ? [[name, tensors[alias(name)]!]] : [])));
}

/** The decoder of the codebook that a run trained, for its pictures; undefined where no stage trained one. */
export async function decoderWeights(
  folder: string,
  specs: readonly ParamSpec[],
): Promise<Record<string, Tensor> | undefined> {
  const path = await resultOf(folder).catch(() => undefined);
  if (!path) return undefined;
  const { found, missing } = await readPart(path, specs, undefined);
  return missing.length === 0 ? found : undefined;
}
