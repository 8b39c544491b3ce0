/** Two sessions as one: the first one's results lie in buffers that the second one reads. */
import type { Tensor } from "../../../tensor/index.ts";
import { checkRun } from "../../check.ts";
import type { Buffer, PortInfo, RunOptions, Session, SessionFeeds, Want } from "../../session.ts";

/** What the session is made of. */
export interface SplitParts {
  readonly front: Session;
  readonly back: Session;
  /** Outputs of `front` that are inputs of `back`. */
  readonly between: readonly string[];
  readonly allocate: (port: PortInfo) => Buffer;
}

/** Runs `front`, then `back`. `signal` ends the first; the second is short and writes state in place. */
export function splitSession({ front, back, between, allocate }: SplitParts): Session {
  const inner = new Set(between);
  const inputs = unique([...front.inputs, ...back.inputs].filter(({ name }) => !inner.has(name)));
  const outputs = [...front.outputs.filter(({ name }) => !inner.has(name)), ...back.outputs];
  let kept: Record<string, Buffer> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const buffers = (): Record<string, Buffer> => {
    kept ??= Object.fromEntries(
      front.outputs.filter(({ name }) => inner.has(name)).map((port) => [port.name, allocate(port)]),
    );
    return kept;
  };
  const once = async (feeds: SessionFeeds, want: Wants, options: RunOptions): Promise<Results> => {
    const middle = buffers();
    const results = await front.run(pick(feeds, front.inputs), { ...pick(want, front.outputs), ...middle }, options);
    for (const name of between) delete results[name];
    const wanted = pick(want, back.outputs);
    if (Object.keys(wanted).length === 0) return results;
    return { ...results, ...(await back.run({ ...pick(feeds, back.inputs), ...middle }, wanted)) };
  };
  const dispose = (): void => {
    front.dispose();
    back.dispose();
    for (const buffer of Object.values(kept ?? {})) buffer.dispose();
    kept = undefined;
  };
  return {
    name: front.name,
    inputs,
    outputs,
    run: (feeds, want, options = {}) => {
      const mine = turn.then(() => {
        options.signal?.throwIfAborted();
        checkRun(front.name, inputs, outputs, feeds, want);
        return once(feeds, want, options);
      });
      turn = mine.catch(() => undefined);
      return mine;
    },
    endProfiling: () => front.endProfiling(),
    dispose,
    [Symbol.dispose]: dispose,
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

type Wants = Readonly<Record<string, Want>>;
type Results = Record<string, Tensor | Buffer>;

const unique = (ports: readonly PortInfo[]): PortInfo[] => [
  ...new Map(ports.map((port) => [port.name, port])).values(),
];

const pick = <T>(all: Readonly<Record<string, T>>, ports: readonly PortInfo[]): Record<string, T> =>
  Object.fromEntries(ports.flatMap(({ name }) => (Object.hasOwn(all, name) ? [[name, all[name]!] as const] : [])));
