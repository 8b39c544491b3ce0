/** ONNX records → protobuf bytes (field numbers of onnx.proto). */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type Attribute,
  DATA_TYPES,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxPort,
  type OnnxTensor,
} from "./schema.ts";

type Write = (w: BinaryWriter) => void;

/** The bytes of a ModelProto. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const w = new BinaryWriter();
  int(w, 1, model.irVersion);
  text(w, 2, model.producer);
  message(w, 7, graphBody(model.graph));
  for (const { domain, version } of model.opsets)
    message(w, 8, (m) => {
      text(m, 1, domain);
      int(m, 2, version);
    });
  for (const [key, value] of Object.entries(model.metadata)) message(w, 14, pair(key, value));
  return w.finish();
}

const graphBody =
  (g: OnnxGraph): Write =>
  (w) => {
    for (const node of g.nodes) message(w, 1, nodeBody(node));
    text(w, 2, g.name);
    for (const t of g.initializers) message(w, 5, tensorBody(t));
    for (const port of g.inputs) message(w, 11, portBody(port));
    for (const port of g.outputs) message(w, 12, portBody(port));
  };

const nodeBody =
  (node: OnnxNode): Write =>
  (w) => {
    for (const name of node.inputs) text(w, 1, name);
    for (const name of node.outputs) text(w, 2, name);
    text(w, 3, node.name);
    text(w, 4, node.op);
    for (const [name, value] of Object.entries(node.attrs)) message(w, 5, attributeBody(name, value));
    if (node.domain) text(w, 7, node.domain);
  };

const attributeBody =
  (name: string, value: Attribute): Write =>
  (w) => {
    text(w, 1, name);
    if ("float" in value) {
      w.tag(2, WireType.Bit32).float(value.float);
      int(w, 20, 1);
    } else if ("int" in value) {
      int(w, 3, value.int);
      int(w, 20, 2);
    } else if ("string" in value) {
      text(w, 4, value.string);
      int(w, 20, 3);
    } else if ("tensor" in value) {
      message(w, 5, tensorBody(value.tensor));
      int(w, 20, 4);
    } else if ("graph" in value) {
      message(w, 6, graphBody(value.graph));
      int(w, 20, 5);
    } else if ("floats" in value) {
      for (const x of value.floats) w.tag(7, WireType.Bit32).float(x);
      int(w, 20, 6);
    } else {
      for (const x of value.ints) int(w, 8, x);
      int(w, 20, 7);
    }
  };

const tensorBody =
  (t: OnnxTensor): Write =>
  (w) => {
    for (const d of t.shape) int(w, 1, d);
    int(w, 2, DATA_TYPES[t.dtype]);
    text(w, 8, t.name);
    if (t.bytes) w.tag(9, WireType.LengthDelimited).bytes(t.bytes);
    if (!t.external) return;
    const { location, offset, length } = t.external;
    for (const [key, value] of Object.entries({ location, offset, length })) message(w, 13, pair(key, String(value)));
    int(w, 14, 1);
  };

/** ValueInfoProto { 1: name, 2: TypeProto { 1: Tensor { 1: elem_type, 2: shape { 1: dim { 1: value, 2: param } } } } } */
const portBody =
  (port: OnnxPort): Write =>
  (w) => {
    text(w, 1, port.name);
    message(w, 2, (type) =>
      message(type, 1, (tensor) => {
        int(tensor, 1, DATA_TYPES[port.dtype]);
        message(tensor, 2, (shape) => {
          for (const d of port.shape)
            message(shape, 1, (dim) => (typeof d === "number" ? int(dim, 1, d) : text(dim, 2, d)));
        });
      }),
    );
  };

const pair =
  (key: string, value: string): Write =>
  (w) => {
    text(w, 1, key);
    text(w, 2, value);
  };

const message = (w: BinaryWriter, field: number, body: Write): void => {
  w.tag(field, WireType.LengthDelimited).fork();
  body(w);
  w.join();
};
const text = (w: BinaryWriter, field: number, value: string): void => {
  w.tag(field, WireType.LengthDelimited).string(value);
};
const int = (w: BinaryWriter, field: number, value: number): void => {
  w.tag(field, WireType.Varint).int64(value);
};
