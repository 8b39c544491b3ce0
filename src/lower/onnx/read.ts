/** Protobuf bytes → ONNX records: enough to inspect a model and to test the writer (onnx.proto, unknown fields skipped). */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CheckpointError } from "../../errors.ts";
import type { DType } from "../../tensor/index.ts";
import {
  type Attribute,
  DATA_TYPES,
  type OnnxDType,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxPort,
  type OnnxTensor,
} from "./schema.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** Reads one field and says whether it knew it. */
type Field = (r: BinaryReader, field: number, wire: WireType) => boolean;

const DTYPES = new Map(Object.entries(DATA_TYPES).map(([dtype, code]) => [code, dtype as OnnxDType]));

/**
 * Reads a ModelProto. Initialiser bytes are views of `bytes` (copied where the file packs them as numbers).
 * Throws CheckpointError when the bytes are not a model, or hold a type that this project does not use.
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const metadata: Record<string, string> = {};
  const opsets: { domain: string; version: number }[] = [];
  const model = { irVersion: 0, producer: "", graph: undefined as OnnxGraph | undefined };
  try {
    fields(bytes, (r, field) => {
      if (field === 1) model.irVersion = Number(r.int64());
      else if (field === 2) model.producer = r.string();
      else if (field === 7) model.graph = readGraph(r.bytes());
      else if (field === 8) opsets.push(readOpset(r.bytes()));
      else if (field === 14) Object.assign(metadata, readPair(r.bytes()));
      else return false;
      return true;
    });
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(`onnx: expected a model, got ${bytes.length} bytes that do not parse`, undefined, {
      cause,
    });
  }
  if (!model.graph)
    throw new CheckpointError(`onnx: expected a model with a graph, got ${bytes.length} bytes without one`);
  return { irVersion: model.irVersion, producer: model.producer, opsets, metadata, graph: model.graph };
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxPort[] = [];
  const outputs: OnnxPort[] = [];
  let name = "";
  fields(bytes, (r, field) => {
    if (field === 1) nodes.push(readNode(r.bytes()));
    else if (field === 2) name = r.string();
    else if (field === 5) initializers.push(readTensor(r.bytes()));
    else if (field === 11) inputs.push(readPort(r.bytes()));
    else if (field === 12) outputs.push(readPort(r.bytes()));
    else return false;
    return true;
  });
  return { name, nodes, initializers, inputs, outputs };
}

function readNode(bytes: Uint8Array): OnnxNode {
  const node = { name: "", op: "", domain: "", inputs: [] as string[], outputs: [] as string[] };
  const attrs: Record<string, Attribute> = {};
  fields(bytes, (r, field) => {
    if (field === 1) node.inputs.push(r.string());
    else if (field === 2) node.outputs.push(r.string());
    else if (field === 3) node.name = r.string();
    else if (field === 4) node.op = r.string();
    else if (field === 5) {
      const [name, value] = readAttribute(r.bytes());
      if (value) attrs[name] = value;
    } else if (field === 7) node.domain = r.string();
    else return false;
    return true;
  });
  return { ...node, attrs };
}

/** AttributeProto.type says which field counts; a value of a kind that we never write is left out. */
function readAttribute(bytes: Uint8Array): [string, Attribute | undefined] {
  let name = "";
  let type = 0;
  const ints: number[] = [];
  const floats: number[] = [];
  const byType: (Attribute | undefined)[] = [undefined, { float: 0 }, { int: 0 }, { string: "" }];
  byType[6] = { floats };
  byType[7] = { ints };
  fields(bytes, (r, field, wire) => {
    if (field === 1) name = r.string();
    else if (field === 2) byType[1] = { float: r.float() };
    else if (field === 3) byType[2] = { int: Number(r.int64()) };
    else if (field === 4) byType[3] = { string: r.string(false) };
    else if (field === 5) byType[4] = { tensor: readTensor(r.bytes()) };
    else if (field === 6) byType[5] = { graph: readGraph(r.bytes()) };
    else if (field === 7) repeated(r, wire, (s) => floats.push(s.float()));
    else if (field === 8) repeated(r, wire, (s) => ints.push(Number(s.int64())));
    else if (field === 20) type = r.int32();
    else return false;
    return true;
  });
  return [name, byType[type]];
}

function readTensor(bytes: Uint8Array): OnnxTensor {
  const t: Mutable<OnnxTensor> & { shape: number[] } = { name: "", dtype: "float32", shape: [] };
  const external: Record<string, string> = {};
  const packed: number[] = [];
  let isExternal = false;
  fields(bytes, (r, field, wire) => {
    if (field === 1) repeated(r, wire, (s) => t.shape.push(Number(s.int64())));
    else if (field === 2) t.dtype = dtypeOf(r.int32());
    else if (field === 4) repeated(r, wire, (s) => packed.push(s.float()));
    else if (field === 5 || field === 7) repeated(r, wire, (s) => packed.push(Number(s.int64())));
    else if (field === 8) t.name = r.string();
    else if (field === 9) t.bytes = r.bytes();
    else if (field === 10) repeated(r, wire, (s) => packed.push(s.double()));
    else if (field === 13) Object.assign(external, readPair(r.bytes()));
    else if (field === 14) isExternal = r.int32() === 1;
    else return false;
    return true;
  });
  if (isExternal) {
    const { location = "", offset = "0", length = "0" } = external;
    t.external = { location, offset: Number(offset), length: Number(length) };
  } else t.bytes ??= packNumbers(t.dtype, packed);
  return t;
}

function readPort(bytes: Uint8Array): OnnxPort {
  const port: Mutable<OnnxPort> & { shape: (number | string)[] } = { name: "", dtype: "float32", shape: [] };
  const dimension: Field = (r, field) => {
    if (field === 1) port.shape.push(Number(r.int64()));
    else if (field === 2) port.shape.push(r.string());
    else return false;
    return true;
  };
  const tensor: Field = (r, field) => {
    if (field === 1) port.dtype = portType(r.int32());
    else if (field === 2)
      nested(r, 1, (dim) => {
        const before = port.shape.length;
        fields(dim, dimension);
        if (port.shape.length === before) port.shape.push("?");
      });
    else return false;
    return true;
  };
  fields(bytes, (r, field) => {
    if (field === 1) port.name = r.string();
    else if (field === 2) nested(r, 1, (type) => fields(type, tensor));
    else return false;
    return true;
  });
  return port;
}

function readOpset(bytes: Uint8Array): { domain: string; version: number } {
  const opset = { domain: "", version: 0 };
  fields(bytes, (r, field) => {
    if (field === 1) opset.domain = r.string();
    else if (field === 2) opset.version = Number(r.int64());
    else return false;
    return true;
  });
  return opset;
}

function readPair(bytes: Uint8Array): Record<string, string> {
  let [key, value] = ["", ""];
  fields(bytes, (r, field) => {
    if (field === 1) key = r.string();
    else if (field === 2) value = r.string();
    else return false;
    return true;
  });
  return { [key]: value };
}

function fields(bytes: Uint8Array, read: Field): void {
  const r = new BinaryReader(bytes);
  while (r.pos < r.len) {
    const [field, wire] = r.tag();
    if (!read(r, field, wire)) r.skip(wire, field);
  }
}

/** Every sub-message `wanted` of the message that comes next. */
function nested(r: BinaryReader, wanted: number, read: (bytes: Uint8Array) => void): void {
  fields(r.bytes(), (s, field) => {
    if (field === wanted) read(s.bytes());
    return field === wanted;
  });
}

/** A repeated number, packed or one by one. */
function repeated(r: BinaryReader, wire: WireType, read: (r: BinaryReader) => void): void {
  if (wire !== WireType.LengthDelimited) return void read(r);
  const inner = new BinaryReader(r.bytes());
  while (inner.pos < inner.len) read(inner);
}

function dtypeOf(code: number): OnnxDType {
  const dtype = DTYPES.get(code);
  if (!dtype) throw new CheckpointError(`onnx: expected a known element type, got TensorProto.DataType ${code}`);
  return dtype;
}

function portType(code: number): DType {
  const dtype = dtypeOf(code);
  if (dtype === "int8") throw new CheckpointError("onnx: 8-bit signed inputs and outputs are not known here");
  return dtype;
}

function packNumbers(dtype: OnnxDType, values: readonly number[]): Uint8Array {
  const arrays = {
    float32: Float32Array,
    float64: Float64Array,
    int32: Int32Array,
    uint8: Uint8Array,
    int8: Int8Array,
    bool: Uint8Array,
    float16: Uint16Array,
    bfloat16: Uint16Array,
  };
  const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : arrays[dtype].from(values);
  return new Uint8Array(data.buffer);
}
