/** Where PJRT plugins lie: in the folder `engines/` of the cache, or in the packages of an installed Python. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { enginesFor, type FindOptions, findInPackages, librariesOf, subfolders } from "../../engines/index.ts";
import { EngineError } from "../../errors.ts";

/** The hardware of PJRT plugins. */
export const platforms = ["cpu", "cuda", "rocm", "tpu"] as const;

/** The hardware of a PJRT plugin. */
export type Platform = (typeof platforms)[number];

/** A plugin on disk. */
export interface Found {
  readonly path: string;
  /** Libraries that the plugin looks for by name, where they lie beside it. */
  readonly needs: readonly string[];
  /** NVIDIA's compiler and device functions, for XLA's flag `xla_gpu_cuda_data_dir`. */
  readonly cudaFolder?: string;
}

/** Finds the plugin of a platform. Throws EngineError that lists where it was looked for. */
export async function findPlugin(platform: Platform, options: FindOptions = {}): Promise<Found> {
  if (options.library !== undefined) return withNeeds(resolve(options.library));
  const engines = enginesFor(`xla:${platform}`);
  const files = engines.flatMap((engine) => librariesOf(engine, "linux"));
  const { path, folders } = await findInPackages(files, options);
  if (path !== undefined) return withNeeds(path);
  throw new EngineError(
    `xla:${platform}: no plugin found: looked for ${files.join(", ")} in ${folders.join(", ")}`,
    `flava engine add ${engines[0]!.name}, or pass its path as \`library\``,
  );
}

/** What lies in `nvidia/` beside the plugin's package: pip's CUDA. */
function withNeeds(path: string): Found {
  const packages = subfolders(join(dirname(dirname(dirname(path))), "nvidia"));
  const needs = packages.flatMap((folder) => {
    const lib = join(folder, "lib");
    return existsSync(lib) ? readdirSync(lib).flatMap((file) => (NEEDED.test(file) ? [join(lib, file)] : [])) : [];
  });
  const cudaFolder = [...packages, "/usr/local/cuda"].find((folder) => existsSync(join(folder, "nvvm", "libdevice")));
  return { path, needs, ...(cudaFolder ? { cudaFolder } : {}) };
}

/** What JAX loads before its plugin (jax_plugins/cuda/__init__.py), and what those need. */
const NEEDED =
  /^lib(cudart|nvrtc|nvJitLink|cublas|cublasLt|nccl|cupti|cusparse|cusolver|cufft|nvshmem_host|cudnn)\.so\.\d+$/;
