/** Reads the names, element types and shapes of a native session's inputs and outputs. */
import { EngineError } from "../../../errors.ts";
import type { PortInfo } from "../../session.ts";
import { dtypeOf, type Ort, type Pointer } from "./ort.ts";

/** Element type number and shape of an `OrtTensorTypeAndShapeInfo`; an axis without a length is its name, or "?". */
export function readTensorInfo(ort: Ort, where: string, info: Pointer): { type: number; shape: (number | string)[] } {
  const type = new Int32Array(1);
  ort.call(where, "GetTensorElementType", info, type);
  const rank = Number(ort.get(where, "GetDimensionsCount", info));
  const lengths = new BigInt64Array(rank);
  const names = new BigUint64Array(rank);
  if (rank > 0) {
    ort.call(where, "GetDimensions", info, lengths, rank);
    ort.call(where, "GetSymbolicDimensions", info, names, rank);
  }
  const shape = Array.from(lengths, (length, i) =>
    length >= 0n ? Number(length) : names[i] === 0n ? "?" : ort.library.string(names[i]!) || "?",
  );
  return { type: type[0]!, shape };
}

/** The ports of one side. Throws EngineError for a port that is no tensor or has a type that flava does not hold. */
export function readPorts(ort: Ort, where: string, session: Pointer, side: "Input" | "Output"): PortInfo[] {
  const count = Number(ort.get(where, `SessionGet${side}Count`, session));
  return Array.from({ length: count }, (_, i) => {
    const text = ort.get(where, `SessionGet${side}Name`, session, i, ort.allocator);
    const name = ort.library.string(text);
    ort.call(where, "AllocatorFree", ort.allocator, text);
    const typeInfo = ort.get(where, `SessionGet${side}TypeInfo`, session, i);
    try {
      const info = ort.get(where, "CastTypeInfoToTensorInfo", typeInfo);
      if (info === 0n) throw new EngineError(`${where}: ${side.toLowerCase()} "${name}": expected a tensor`);
      const { type, shape } = readTensorInfo(ort, where, info);
      const dtype = dtypeOf(type);
      if (!dtype)
        throw new EngineError(
          `${where}: ${side.toLowerCase()} "${name}": element type ${type} of ONNX has no dtype here`,
          "cast it inside the graph to float32, int64 or another dtype of flava",
        );
      return { name, dtype, shape };
    } finally {
      ort.release("ReleaseTypeInfo", typeInfo);
    }
  });
}
