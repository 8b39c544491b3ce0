/** Where PJRT plugins lie: in the folder `engines/` of the cache, or in the packages of an installed Python. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { EngineError } from "../../errors.ts";

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

/** `<HF_HOME>/flava/engines`, else `<XDG_CACHE_HOME>/huggingface/…`, else `~/.cache/huggingface/flava/engines`. */
export function enginesFolder(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return resolve(env.HF_HOME || join(cache, "huggingface"), "flava", "engines");
}

const ASK = "import sys; print('\\n'.join(p for p in sys.path if p))";

/** Folders of packages that `python3` imports from; none without Python. */
export async function pythonFolders(): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)("python3", ["-c", ASK], { timeout: 10_000 });
    return stdout.split("\n").filter((folder) => existsSync(folder));
  } catch {
    return [];
  }
}

const subfolders = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];

/** Where to look for a plugin. */
export interface FindOptions {
  /** The plugin's own path: nothing is looked for. */
  readonly library?: string | undefined;
  /** Where unpacked wheels lie, one a folder or all in one. */
  readonly engines?: string;
  /** Folders of Python packages; those of `python3` unless said. */
  readonly python?: readonly string[];
}

/** Finds the plugin of a platform. Throws EngineError that lists where it was looked for. */
export async function findPlugin(platform: Platform, options: FindOptions = {}): Promise<Found> {
  const { library, engines = enginesFolder() } = options;
  if (library !== undefined) return withNeeds(resolve(library));
  const { files, install } = PLUGINS[platform];
  const folders = [engines, ...subfolders(engines), ...(options.python ?? (await pythonFolders()))];
  for (const folder of folders)
    for (const file of files) if (existsSync(join(folder, file))) return withNeeds(join(folder, file));
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
