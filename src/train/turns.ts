/** Pauses in long work on the main thread, in which signals, timers and finished reads are heard. */

const HELD_MS = 50;

/** To be awaited between two pieces of such work: gives the event loop a turn, the first time and where it has been held for 50 ms. Throws on abort. */
export function turns(signal?: AbortSignal): () => Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - last < HELD_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
    signal?.throwIfAborted();
  };
}
