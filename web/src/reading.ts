/** Pictures read by the model, part by part: what has been read is there at once, and the rest can be stopped. */
import { type Picture, reasonOf, say, timeLeft } from "./dom.ts";
import type { Given } from "./drop.ts";
import { call } from "./protocol.ts";

/** A picture with what the model makes of it. */
export interface Indexed extends Picture {
  readonly embeds: Float32Array;
}

/** Pictures of one call: as many as go through the model at once. */
const PART = 8;
/** Milliseconds between two times that pictures are handed on. */
const HAND_ON_EVERY = 500;
/** Failures that are said in full. */
const NAMED = 3;

const stop = document.querySelector<HTMLButtonElement>("#stop")!;
let turn: Promise<unknown> = Promise.resolve();
let stopped = false;
stop.addEventListener("click", () => {
  stopped = true;
});

/** Told of what has been read, a few pictures at a time. */
type Take = (read: readonly Indexed[]) => void;

/** Reads pictures, after those that were given before; says what could not be read. `unwanted` ends it without a word. */
export function readPictures(given: Given, take: Take, unwanted?: AbortSignal): Promise<void> {
  const mine = turn.then(() => read(given, take, unwanted));
  turn = mine.catch(() => undefined);
  return mine;
}

async function read({ pictures, others }: Given, take: Take, unwanted?: AbortSignal): Promise<void> {
  const failed: string[] = [];
  const begun = performance.now();
  let [done, handedOn, ready]: [number, number, Indexed[]] = [0, begun, []];
  const forget = (some: readonly Picture[]): void => {
    for (const { url } of some) URL.revokeObjectURL(url);
  };
  const handOn = (): void => {
    if (unwanted?.aborted) forget(ready);
    else if (ready.length > 0) take(ready);
    [handedOn, ready] = [performance.now(), []];
  };
  stopped = false;
  stop.hidden = pictures.length <= PART;
  try {
    while (done < pictures.length && !stopped && !unwanted?.aborted) {
      say(`Reading pictures: ${done} of ${pictures.length}${timeLeft(begun, done, pictures.length)}`, "progress");
      const part = pictures.slice(done, done + PART);
      const files = part.map(({ file }) => file);
      for (const [i, embeds] of (await call("embedImages", files)).entries()) {
        if (typeof embeds !== "string") ready.push({ ...part[i]!, embeds });
        else {
          failed.push(reasonOf(embeds));
          forget([part[i]!]);
        }
      }
      done += part.length;
      if (performance.now() - handedOn > HAND_ON_EVERY) handOn();
    }
  } finally {
    stop.hidden = true;
    handOn();
    forget(pictures.slice(done));
  }
  if (unwanted?.aborted) return;
  say(summary({ all: pictures.length, done, failed, others }), failed.length > 0 || done === 0 ? "bad" : "news");
}

interface Outcome {
  readonly all: number;
  readonly done: number;
  readonly failed: readonly string[];
  readonly others: number;
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

function summary({ all, done, failed, others }: Outcome): string {
  const read = done - failed.length;
  const more = failed.length - NAMED;
  return [
    ...(all === 0 ? [] : [read === all ? `Read ${count(all, "picture", "pictures")}.` : `Read ${read} of ${all}.`]),
    ...(done < all ? [`Stopped: ${count(all - done, "was", "were")} not looked at.`] : []),
    ...(failed.length > 0 ? [`${failed.slice(0, NAMED).join("; ")}${more > 0 ? `; and ${more} more` : ""}`] : []),
    ...(others > 0 ? [`Left out ${count(others, "file that is no picture", "files that are no pictures")}.`] : []),
  ].join(" ");
}
