/** A minimal writer of ONNX models for tests (field numbers of onnx.proto3), independent of the one in src/lower. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { DType, Tensor } from "../../src/tensor/index.ts";

const TYPES = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
  int8: 3,
} as const;

export type AttributeValue = number | string | readonly number[] | { readonly float: number };
export interface NodeSpec {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, AttributeValue>>;
  domain?: string;
  name?: string;
}
export type PortSpec = readonly [name: string, dtype: DType | "int8", shape: readonly (number | string)[]];
export interface GraphSpec {
  inputs: readonly PortSpec[];
  outputs: readonly PortSpec[];
  nodes: readonly NodeSpec[];
  initializers?: Readonly<Record<string, Tensor>>;
  /** Initialisers whose bytes are in the external file of that name. */
  external?: Readonly<
    Record<string, { readonly dtype: DType; readonly shape: readonly number[]; readonly file: string }>
  >;
}

const message = (w: BinaryWriter, field: number, write: (w: BinaryWriter) => void): void => {
  w.tag(field, WireType.LengthDelimited).fork();
  write(w);
  w.join();
};
const text = (w: BinaryWriter, field: number, value: string): BinaryWriter =>
  w.tag(field, WireType.LengthDelimited).string(value);
const integer = (w: BinaryWriter, field: number, value: number): BinaryWriter =>
  w.tag(field, WireType.Varint).int64(value);

function attribute(w: BinaryWriter, name: string, value: AttributeValue): void {
  text(w, 1, name);
  if (typeof value === "number") integer(integer(w, 3, value), 20, 2);
  else if (typeof value === "string") integer(text(w, 4, value), 20, 3);
  else if ("float" in value) integer(w.tag(2, WireType.Bit32).float(value.float), 20, 1);
  else {
    for (const x of value) integer(w, 8, x);
    integer(w, 20, 7);
  }
}

function node(w: BinaryWriter, n: NodeSpec): void {
  for (const name of n.inputs) text(w, 1, name);
  for (const name of n.outputs) text(w, 2, name);
  text(w, 3, n.name ?? `${n.op}_${n.outputs[0]}`);
  text(w, 4, n.op);
  for (const [name, value] of Object.entries(n.attributes ?? {})) message(w, 5, (w) => attribute(w, name, value));
  if (n.domain) text(w, 7, n.domain);
}

function port(w: BinaryWriter, [name, dtype, shape]: PortSpec): void {
  text(w, 1, name);
  message(w, 2, (w) =>
    message(w, 1, (w) => {
      integer(w, 1, TYPES[dtype]);
      message(w, 2, (w) => {
        for (const axis of shape)
          message(w, 1, (w) => (typeof axis === "number" ? integer(w, 1, axis) : text(w, 2, axis)));
      });
    }),
  );
}

function tensorProto(w: BinaryWriter, name: string, t: { dtype: DType; shape: readonly number[] }): void {
  for (const d of t.shape) integer(w, 1, d);
  integer(w, 2, TYPES[t.dtype]);
  text(w, 8, name);
}

function graph(w: BinaryWriter, g: GraphSpec): void {
  for (const n of g.nodes) message(w, 1, (w) => node(w, n));
  text(w, 2, "test");
  for (const [name, t] of Object.entries(g.initializers ?? {}))
    message(w, 5, (w) => {
      tensorProto(w, name, t);
      const { buffer, byteOffset, byteLength } = t.data;
      w.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(buffer, byteOffset, byteLength));
    });
  for (const [name, t] of Object.entries(g.external ?? {}))
    message(w, 5, (w) => {
      tensorProto(w, name, t);
      message(w, 13, (w) => text(text(w, 1, "location"), 2, t.file));
      integer(w, 14, 1);
    });
  for (const p of g.inputs) message(w, 11, (w) => port(w, p));
  for (const p of g.outputs) message(w, 12, (w) => port(w, p));
}

/** The bytes of a model of opset 20 (and version 1 of com.microsoft). */
export function onnxModel(g: GraphSpec): Uint8Array {
  const w = new BinaryWriter();
  integer(w, 1, 9);
  text(w, 2, "flava-test");
  message(w, 7, (w) => graph(w, g));
  for (const [domain, version] of [
    ["", 20],
    ["com.microsoft", 1],
  ] as const)
    message(w, 8, (w) => integer(text(w, 1, domain), 2, version));
  return w.finish();
}
