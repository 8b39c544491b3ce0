/**
 * The three binary interfaces of MPI libraries: what stands for the world, for types, for the sum. Values from Open MPI's and MPICH's mpi.h and
 * from the MPI-5 ABI (mpi-forum/mpi-abi-stubs, mpi.h).
 */
import type { NativeMemory, Numbers } from "../cluster.ts";

export type DataType = NativeMemory["dtype"];

/** One binary interface. */
export interface Abi {
  readonly name: "Open MPI" | "MPICH" | "MPI-5 ABI";
  /** What a handle is in C: a pointer or an int. */
  readonly handle: "void *" | "int";
  readonly world: bigint | number;
  readonly sum: bigint | number;
  readonly types: Readonly<Record<DataType, bigint | number>>;
  readonly inPlace: bigint;
  /** Levels of `MPI_Init_thread`: calls from several threads one at a time, and at any time. */
  readonly serialized: number;
  readonly multiple: number;
}

/** Handles are addresses of the library's own objects. */
export const openMpiAbi = (address: (symbol: string) => bigint): Abi => ({
  name: "Open MPI",
  handle: "void *",
  world: address("ompi_mpi_comm_world"),
  sum: address("ompi_mpi_op_sum"),
  types: {
    float32: address("ompi_mpi_float"),
    float64: address("ompi_mpi_double"),
    int32: address("ompi_mpi_int"),
    uint8: address("ompi_mpi_byte"),
  },
  inPlace: 1n,
  serialized: 2,
  multiple: 3,
});

/** MPICH and those made of it: Intel MPI, MVAPICH, Cray's. */
export const MPICH_ABI: Abi = {
  name: "MPICH",
  handle: "int",
  world: 0x44000000,
  sum: 0x58000003,
  types: { float32: 0x4c00040a, float64: 0x4c00080b, int32: 0x4c000405, uint8: 0x4c00010d },
  inPlace: 0xffff_ffff_ffff_ffffn,
  serialized: 2,
  multiple: 3,
};

export const STANDARD_ABI: Abi = {
  name: "MPI-5 ABI",
  handle: "void *",
  world: 0x101n,
  sum: 0x21n,
  types: { float32: 0x210n, float64: 0x214n, int32: 0x209n, uint8: 0x247n },
  inPlace: 1n,
  serialized: 2048,
  multiple: 4096,
};

/** The dtype of an array. */
export function dtypeOf(array: Numbers): DataType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  return array instanceof Int32Array ? "int32" : "uint8";
}
