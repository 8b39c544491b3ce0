/** Several streams as one: each item comes from a stream drawn by weight. */

import { z } from "zod";
import type { Json } from "../../io/index.ts";
import { random } from "../../tensor/index.ts";
import { jsonSchema, parseCursor } from "../sources/files.ts";
import { pickWeighted } from "./choose.ts";
import type { Drawn, Stream } from "./stream.ts";

export interface MixPart<T> {
  readonly weight: number;
  /** Opens the stream at its start or at a state of its own. */
  open(state: Json | undefined): Stream<T>;
}

/** An item with the number of the part that it came from. */
export interface Mixed<T> extends Drawn<T> {
  readonly part: number;
}

const stateSchema = z.strictObject({
  /** Items drawn so far. */
  count: z.int().nonnegative(),
  parts: z.array(jsonSchema),
});

/** Draws item number n from the part that (seed, name, n) picks. Ends where a part ends. */
export function mixStreams<T>(
  name: string,
  seed: number,
  parts: readonly MixPart<T>[],
  state: Json | undefined,
): { next(): Promise<Mixed<T> | undefined>; close(): Promise<void> } {
  const start =
    state === undefined || state === null
      ? { count: 0, parts: parts.map(() => null) }
      : parseCursor(
          name,
          state,
          stateSchema.refine((s) => s.parts.length === parts.length),
        );
  const streams = parts.map((part, i) => part.open(start.parts[i] ?? undefined));
  const weights = parts.map(({ weight }) => weight);
  let { count, parts: states } = start as { count: number; parts: readonly Json[] };

  const next = async (): Promise<Mixed<T> | undefined> => {
    const part = parts.length === 1 ? 0 : pickWeighted(weights, random(seed, `mix:${name}`, count).uniform());
    const drawn = await streams[part]!.next();
    if (drawn === undefined) return undefined;
    count++;
    states = states.map((old, i) => (i === part ? drawn.state : old));
    return { ...drawn, part, state: { count, parts: states } };
  };
  return { next, close: async () => void (await Promise.all(streams.map((stream) => stream.close()))) };
}
