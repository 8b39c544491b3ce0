/** Finds an MPI library, loads it through koffi, and tells which binary interface it has. */
import { EngineError } from "../../errors.ts";
import { importKoffi, type Koffi, pin } from "../../koffi.ts";
import { type Abi, MPICH_ABI, openMpiAbi, STANDARD_ABI } from "./abi.ts";
import type { Launch } from "./launcher.ts";

type Native = ReturnType<ReturnType<Koffi["load"]>["func"]>;

/** The functions that are called, with their C arguments; "handle" is what a handle is there. */
const FUNCTIONS = {
  MPI_Init_thread: ["void *", "void *", "int", "void *"],
  MPI_Comm_rank: ["handle", "void *"],
  MPI_Comm_size: ["handle", "void *"],
  MPI_Allgather: ["void *", "int", "handle", "void *", "int", "handle", "handle"],
  MPI_Reduce_scatter: ["void *", "void *", "void *", "handle", "handle", "handle"],
  MPI_Allreduce: ["void *", "void *", "int", "handle", "handle", "handle"],
  MPI_Iallreduce: ["void *", "void *", "int", "handle", "handle", "handle", "void *"],
  MPI_Ialltoall: ["void *", "int", "handle", "void *", "int", "handle", "handle", "void *"],
  MPI_Test: ["void *", "void *", "void *"],
  MPI_Wait: ["void *", "void *"],
  MPI_Bcast: ["void *", "int", "handle", "int", "handle"],
  MPI_Barrier: ["handle"],
  MPI_Send: ["void *", "int", "handle", "int", "int", "handle"],
  MPI_Iprobe: ["int", "int", "handle", "void *", "void *"],
  MPI_Recv: ["void *", "int", "handle", "int", "int", "handle", "void *"],
  MPI_Abort: ["handle", "int"],
  MPI_Finalize: [],
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

/** A loaded library. */
export interface MpiLibrary {
  readonly path: string;
  /** What the library says of itself, its first line. */
  readonly version: string;
  readonly abi: Abi;
  readonly fn: Readonly<Record<FunctionName, Native>>;
  /** The bytes at an address of this process. */
  view(address: bigint, bytes: number): ArrayBuffer;
}

const isMac = process.platform === "darwin";
const OPEN_MPI = isMac ? ["libmpi.40.dylib"] : ["libmpi.so.40"];
const MPICH = isMac ? ["libmpich.12.dylib", "libmpi.12.dylib", "libpmpi.12.dylib"] : ["libmpich.so.12", "libmpi.so.12"];
const ANY = isMac ? ["libmpi_abi.0.dylib", "libmpi.dylib"] : ["libmpi_abi.so.0", "libmpi_abi.so", "libmpi.so"];
const FOLDERS = isMac ? ["", "/opt/homebrew/lib/", "/usr/local/lib/"] : [""];

/** Names to try, the launcher's own library first. */
export function libraryNames(wanted: Launch["library"]): string[] {
  const names =
    wanted === "MPICH"
      ? [...MPICH, ...ANY]
      : wanted === "Open MPI"
        ? [...OPEN_MPI, ...ANY]
        : [...ANY, ...OPEN_MPI, ...MPICH];
  return FOLDERS.flatMap((folder) => names.map((name) => `${folder}${name}`));
}

/** Loads the library at `path`, or the first that the loader finds. Throws EngineError. */
export async function loadMpi(path: string | undefined, wanted: Launch["library"]): Promise<MpiLibrary> {
  const koffi = await importKoffi("mpi");
  const names = path === undefined ? libraryNames(wanted) : [path];
  const found = names.find((name) => pin(koffi, name, { global: true })); // Open MPI's own plugins need its symbols
  if (found === undefined)
    throw new EngineError(
      `mpi: expected a library of MPI, ${path === undefined ? `got none of ${names.join(", ")}` : `${path} does not load`}`,
      "apt-get install openmpi-bin, or mpich; a library elsewhere is named with --mpi PATH",
    );
  return bind(koffi, found);
}

function bind(koffi: Koffi, path: string): MpiLibrary {
  const library = koffi.load(path);
  const symbol = (name: string): bigint | undefined => {
    try {
      return library.symbol(name) as bigint;
    } catch {
      return undefined;
    }
  };
  const version = versionOf(library);
  const abi = abiOf(library, symbol, version);
  if (!abi)
    throw new EngineError(
      `mpi: ${path}: expected Open MPI, a library of the MPICH family or one with the MPI-5 ABI, got ${version}`,
      "another library is named with --mpi PATH",
    );
  const fn = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, args]) => [
      name,
      library.func(
        name,
        "int",
        args.map((arg) => (arg === "handle" ? abi.handle : arg)),
      ),
    ]),
  ) as MpiLibrary["fn"];
  return { path, version, abi, fn, view: (address, bytes) => koffi.view(address, bytes) };
}

const MAX_VERSION = 8192;

function versionOf(library: ReturnType<Koffi["load"]>): string {
  const [text, length] = [new Uint8Array(MAX_VERSION), new Int32Array(1)];
  library.func("MPI_Get_library_version", "int", ["void *", "void *"])(text, length);
  return new TextDecoder()
    .decode(text.subarray(0, length[0]))
    .split(/[\n,]/)[0]!
    .replaceAll(/\s+/g, " ")
    .replaceAll("\0", "")
    .trim();
}

/** A library of MPI 5 may have its own interface beside the standard one: it says -1 where these functions are of its own. */
function abiOf(
  library: ReturnType<Koffi["load"]>,
  symbol: (name: string) => bigint | undefined,
  version: string,
): Abi | undefined {
  if (symbol("MPI_Abi_get_version") !== undefined) {
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    library.func("MPI_Abi_get_version", "int", ["void *", "void *"])(major, minor);
    if (major[0]! >= 1) return STANDARD_ABI;
  }
  if (symbol("ompi_mpi_comm_world") !== undefined) return openMpiAbi((name) => symbol(name)!);
  return /mpich|intel|cray|mvapich/i.test(version) ? MPICH_ABI : undefined;
}
