/** Checks of a run's feeds and wanted outputs against a session's ports, so that no bad call reaches an engine. */
import { DTypeError, NameError, ShapeError } from "../errors.ts";
import {
  allocate,
  type DType,
  dtypeHint,
  formatShape,
  nearest,
  type Shape,
  shapeHint,
  size,
  type Tensor,
} from "../tensor/index.ts";
import type { Buffer, PortInfo, SessionFeeds, Want } from "./session.ts";

/** Lengths that a run gives to the named axes. */
export type Axes = Map<string, number>;

const formatPort = (port: PortInfo): string => `${port.dtype} (${port.shape.join(", ")})`;

/** Whether a feed or a wanted output is a host tensor, not a buffer. */
export const isTensor = (value: Tensor | Buffer): value is Tensor => "data" in value;

/** Names of the typed arrays; a tag also recognises arrays of another realm and Node's Buffer. */
const arrayTags = new Map<DType, string>();
function arrayTag(dtype: DType): string {
  let tag = arrayTags.get(dtype);
  if (tag === undefined) {
    tag = allocate(dtype, 0)[Symbol.toStringTag] as string;
    arrayTags.set(dtype, tag);
  }
  return tag;
}

const MAKE = "tensor(dtype, shape, data) makes one and checks it";

/** Throws for a tensor whose array is not what its dtype and shape say: an engine would read foreign memory. */
export function checkData(where: string, t: Tensor): void {
  const tag = arrayTag(t.dtype);
  const got = (t.data as { [Symbol.toStringTag]?: string } | undefined)?.[Symbol.toStringTag] ?? typeof t.data;
  if (got !== tag) throw new DTypeError(`${where}: ${t.dtype} expects a ${tag}, got ${got}`, MAKE);
  if (t.data.length !== size(t.shape))
    throw new ShapeError(
      `${where}: shape ${formatShape(t.shape)} needs ${size(t.shape)} elements, got ${t.data.length}`,
      MAKE,
    );
}

function checkNames(where: string, kind: string, given: readonly string[], ports: readonly PortInfo[]): void {
  const known = new Set(ports.map((port) => port.name));
  for (const name of given)
    if (!known.has(name))
      throw new NameError(
        `${where}: expected ${kind}s among ${[...known].join(", ") || "none"}, got "${name}"`,
        nearest(name, [...known]),
      );
}

/** Whether `shape` fits the port; named axes are bound in `axes`, or must agree with what is bound there. */
function fits(shape: Shape, port: PortInfo, axes: Axes): boolean {
  if (shape.length !== port.shape.length) return false;
  return shape.every((length, i) => {
    const axis = port.shape[i]!;
    if (typeof axis === "number") return axis === length;
    if (axis === "?") return true;
    const bound = axes.get(axis);
    if (bound === undefined) axes.set(axis, length);
    return bound === undefined || bound === length;
  });
}

function checkPort(where: string, kind: string, value: Tensor | Buffer, port: PortInfo, axes: Axes): void {
  if (typeof value !== "object" || !Array.isArray(value.shape))
    throw new DTypeError(
      `${where}: ${kind} "${port.name}": expected a Tensor or Buffer, got ${typeof value}`,
      "fromNumbers(values, shape, dtype) makes a tensor",
    );
  const got = `${value.dtype} ${formatShape(value.shape)}`;
  if (value.dtype !== port.dtype)
    throw new DTypeError(
      `${where}: ${kind} "${port.name}": expected ${formatPort(port)}, got ${got}`,
      dtypeHint(port.dtype),
    );
  if (!fits(value.shape, port, axes)) {
    const bound = port.shape.filter((axis) => typeof axis === "string" && axes.has(axis));
    const wanted = resolveShape(port, axes);
    throw new ShapeError(
      `${where}: ${kind} "${port.name}": expected ${formatPort(port)}, got ${got}`,
      bound.length > 0
        ? `in this run ${bound.map((a) => `${a} = ${axes.get(a as string)}`).join(", ")}`
        : wanted && shapeHint(wanted, value.shape),
    );
  }
  if (isTensor(value)) checkData(`${where}: ${kind} "${port.name}"`, value);
}

/** Checks a whole run. Returns the lengths of the named axes. Throws NameError, DTypeError or ShapeError. */
export function checkRun(
  where: string,
  inputs: readonly PortInfo[],
  outputs: readonly PortInfo[],
  feeds: SessionFeeds,
  want: Readonly<Record<string, Want>>,
): Axes {
  checkNames(where, "feed", Object.keys(feeds), inputs);
  checkNames(where, "output", Object.keys(want), outputs);
  if (Object.keys(want).length === 0)
    throw new NameError(
      `${where}: expected at least one wanted output among ${outputs.map((p) => p.name).join(", ")}, got none`,
      'ask for { NAME: "host" }',
    );
  const axes: Axes = new Map();
  for (const port of inputs) {
    const value = feeds[port.name];
    if (value === undefined)
      throw new NameError(
        `${where}: expected a feed "${port.name}" of ${formatPort(port)}, got none`,
        missingHint(port.name, Object.keys(feeds)),
      );
    checkPort(where, "feed", value, port, axes);
  }
  checkTargets(where, outputs, want, axes);
  return axes;
}

const missingHint = (name: string, given: readonly string[]): string =>
  given.length > 0 ? `fed: ${given.join(", ")}; "${name}" is missing` : "nothing was fed";

function checkTargets(
  where: string,
  outputs: readonly PortInfo[],
  want: Readonly<Record<string, Want>>,
  axes: Axes,
): void {
  const written = new Set<unknown>();
  for (const port of outputs) {
    const target = want[port.name];
    if (target === undefined || target === "host" || target === "buffer") continue;
    checkPort(where, "output", target, port, axes);
    const memory = isTensor(target) ? target.data : target;
    if (written.has(memory))
      throw new NameError(
        `${where}: output "${port.name}": expected memory of its own, got that of another output`,
        "allocate a buffer for each output",
      );
    written.add(memory);
  }
}

/** The shape of a port once the named axes are known, or undefined where one is not. */
export function resolveShape(port: PortInfo, axes: Axes): number[] | undefined {
  const shape = port.shape.map((axis) => (typeof axis === "number" ? axis : axes.get(axis)));
  return shape.every((length) => length !== undefined) ? (shape as number[]) : undefined;
}
