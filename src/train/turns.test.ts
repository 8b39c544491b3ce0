import { describe, expect, it } from "vitest";
import { turns } from "./turns.ts";

/** Work that holds the event loop. */
function hold(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("turns", () => {
  it("lets an abort be heard in long work, within 50 ms and the piece at hand", async () => {
    const stop = new AbortController();
    const turn = turns(stop.signal);
    setTimeout(() => stop.abort(new Error("enough")), 5);
    let pieces = 0;
    const work = async (): Promise<void> => {
      for (; pieces < 100; pieces++) {
        hold(10);
        await turn();
      }
    };
    await expect(work()).rejects.toThrow("enough");
    expect(pieces).toBeLessThan(10);
  });
});
