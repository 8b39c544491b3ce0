/** Open axes on engines that compile for fixed sizes: a session for each length that occurs, the latest few of them kept. */

import { EngineError } from "../errors.ts";
import { type DynamicGraph, dynamicPorts, formatSize, type Graph, sample } from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "./session.ts";

/** Sessions kept; an eighth length ends the one that was not used for longest. */
const KEPT = 7;

/** One session for all lengths; `open` makes one of fixed sizes. */
export function sizedSessions(
  g: DynamicGraph,
  fixed: ReadonlySet<string>,
  open: (g: Graph) => Promise<Session>,
): Session {
  const found = dynamicPorts(sample(g));
  const ports = (of: typeof found.inputs): PortInfo[] =>
    Object.entries(of).map(([name, { dtype, shape }]) => ({ name, dtype, shape: shape.map(formatSize) }));
  const inputs = ports(found.inputs).filter(({ name }) => !fixed.has(name));
  const outputs = ports(found.outputs);
  const kept = new Map<string, Promise<Session>>();

  const of = (feeds: SessionFeeds): Promise<Session> => {
    const sizes = Object.fromEntries(Object.keys(g.axes).map((axis) => [axis, lengthOf(axis, inputs, feeds) ?? 1]));
    const key = JSON.stringify(sizes);
    const session = kept.get(key) ?? open(g.trace(sizes));
    session.catch(() => kept.delete(key));
    kept.delete(key);
    kept.set(key, session);
    for (const old of [...kept.keys()].slice(0, -KEPT)) {
      void kept.get(old)!.then((s) => s.dispose());
      kept.delete(old);
    }
    return session;
  };
  const dispose = (): void => {
    for (const session of kept.values()) void session.then((s) => s.dispose());
    kept.clear();
  };
  return {
    name: g.name,
    inputs,
    outputs,
    async run(
      feeds: SessionFeeds,
      want: Readonly<Record<string, Want>>,
      options?: RunOptions,
    ): Promise<Record<string, Tensor | Buffer>> {
      const session = await of(feeds);
      return session.run(feeds, want, options);
    },
    endProfiling: () => {
      throw new EngineError(`${g.name}: a graph with open axes has no profile on this device`);
    },
    dispose,
    [Symbol.dispose]: dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

/** The length of an axis in the first feed that has it. Whether the others agree is for the session of that length to say. */
function lengthOf(axis: string, inputs: readonly PortInfo[], feeds: SessionFeeds): number | undefined {
  for (const { name, shape } of inputs) {
    const length = feeds[name]?.shape[shape.indexOf(axis)];
    if (length !== undefined) return length;
  }
  return undefined;
}
