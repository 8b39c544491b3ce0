/** Checks of a run's feeds and wanted outputs against a session's ports, so that no bad call reaches an engine. */
import { DTypeError, EngineError, NameError, ShapeError } from "../errors.ts";
import { formatShape, type Shape, size, type Tensor } from "../tensor/index.ts";
import type { Buffer, PortInfo, Want } from "./session.ts";

type Feeds = Readonly<Record<string, Tensor | Buffer>>;

/** Lengths that a run gives to the named axes. */
export type Axes = Map<string, number>;

const formatPort = (port: PortInfo): string => `${port.dtype} (${port.shape.join(", ")})`;

const isTensor = (value: Tensor | Buffer): value is Tensor => "data" in value;

function checkNames(where: string, kind: string, given: readonly string[], ports: readonly PortInfo[]): void {
  const known = new Set(ports.map((port) => port.name));
  for (const name of given)
    if (!known.has(name))
      throw new NameError(`${where}: expected ${kind}s among ${[...known].join(", ") || "none"}, got "${name}"`);
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
  const got = `${value.dtype} ${formatShape(value.shape)}`;
  if (value.dtype !== port.dtype)
    throw new DTypeError(`${where}: ${kind} "${port.name}": expected ${formatPort(port)}, got ${got}`);
  if (!fits(value.shape, port, axes)) {
    const bound = port.shape.filter((axis) => typeof axis === "string" && axes.has(axis));
    throw new ShapeError(
      `${where}: ${kind} "${port.name}": expected ${formatPort(port)}, got ${got}`,
      bound.length > 0 ? `in this run ${bound.map((a) => `${a} = ${axes.get(a as string)}`).join(", ")}` : undefined,
    );
  }
  if (isTensor(value) && value.data.length !== size(value.shape))
    throw new ShapeError(
      `${where}: ${kind} "${port.name}": shape ${formatShape(value.shape)} needs ${size(value.shape)} elements, got ${value.data.length}`,
    );
}

/** Checks a whole run. Returns the lengths of the named axes. Throws NameError, DTypeError, ShapeError or EngineError. */
export function checkRun(
  where: string,
  inputs: readonly PortInfo[],
  outputs: readonly PortInfo[],
  feeds: Feeds,
  want: Readonly<Record<string, Want>>,
): Axes {
  checkNames(where, "feed", Object.keys(feeds), inputs);
  checkNames(where, "output", Object.keys(want), outputs);
  if (Object.keys(want).length === 0)
    throw new NameError(
      `${where}: expected at least one wanted output among ${outputs.map((p) => p.name).join(", ")}, got none`,
    );
  const axes: Axes = new Map();
  for (const port of inputs) {
    const value = feeds[port.name];
    if (value === undefined)
      throw new NameError(`${where}: expected a feed "${port.name}" of ${formatPort(port)}, got none`);
    checkPort(where, "feed", value, port, axes);
  }
  const written = new Set<Buffer>();
  for (const port of outputs) {
    const target = want[port.name];
    if (target === undefined || target === "host" || target === "buffer") continue;
    if (typeof target !== "object")
      throw new EngineError(
        `${where}: output "${port.name}": expected "host", "buffer" or a Buffer, got ${String(target)}`,
      );
    checkPort(where, "output", target, port, axes);
    if (written.has(target))
      throw new NameError(
        `${where}: output "${port.name}": expected a buffer of its own, got one that another output writes`,
      );
    written.add(target);
  }
  return axes;
}

/** The shape of a port once the named axes are known, or undefined where one is not. */
export function resolveShape(port: PortInfo, axes: Axes): number[] | undefined {
  const shape = port.shape.map((axis) => (typeof axis === "number" ? axis : axes.get(axis)));
  return shape.every((length) => length !== undefined) ? (shape as number[]) : undefined;
}
