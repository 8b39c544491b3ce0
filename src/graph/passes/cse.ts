/** Common subexpressions: values with the same operation, attributes and operands become one (hash-consing). */
import { fnv1a, type Tensor } from "../../tensor/index.ts";
import { type Graph, isOp, rewrite, withInputs } from "../graph.ts";
import type { Value } from "../value.ts";

/** Constants up to this size are compared by content, larger ones by the memory that they share. */
const CONTENT_BYTES = 1 << 16;

const bytesOf = ({ data }: Tensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

/** Gives every object a number, the same one each time. */
function numbering(): (x: object) => number {
  const known = new Map<object, number>();
  return (x) => {
    const id = known.get(x) ?? known.size;
    known.set(x, id);
    return id;
  };
}

/** Finds the first constant with the same contents. */
function constants(): (v: Value<"constant">) => Value<"constant"> {
  const known = new Map<string, Value<"constant">[]>();
  const id = numbering();
  return (v) => {
    const t = v.attrs.value;
    const bytes = bytesOf(t);
    const content = bytes.length <= CONTENT_BYTES;
    const place = content ? fnv1a(bytes) : `${id(bytes.buffer)}+${bytes.byteOffset}`;
    const key = `${v.dtype} ${t.dtype}(${t.shape}) ${bytes.length} ${place}`;
    const alike = known.get(key) ?? [];
    known.set(key, alike);
    const found = alike.find((other) => !content || sameBytes(bytesOf(other.attrs.value), bytes));
    if (!found) alike.push(v);
    return found ?? v;
  };
}

/** Merges equal values; the first one stays, with its scope. */
export function cse(g: Graph): Graph {
  const known = new Map<string, Value>();
  const id = numbering();
  const firstConstant = constants();
  return rewrite(g, (old, inputs) => {
    const value = withInputs(old, inputs);
    if (isOp(value, "constant")) return firstConstant(value);
    const key = `${value.op}(${inputs.map(id)}) ${JSON.stringify(value.attrs)}`;
    const found = known.get(key);
    if (!found) known.set(key, value);
    return found ?? value;
  });
}
