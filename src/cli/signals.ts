/** Ctrl-C and its kin: the first lets a command save what it has, the second ends the process whatever it is doing. */

/** Ctrl-C, what schedulers send, and a closed terminal. */
const STOPS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Signals that come together may reach the process on several threads: so long the second may take to be queued behind the first. */
const SETTLE_MS = 10;

const pause = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/**
 * Calls `stop` at the first signal, and then leaves the signals to the system, which ends the process at the second: that needs no
 * turn of an event loop that may be busy, and waits for no thread of an engine. Returns what takes the handlers off.
 */
export function onStop(stop: (signal: NodeJS.Signals) => void): () => void {
  let stopped = false;
  const handler = (signal: NodeJS.Signals): void => {
    if (stopped) {
      off(); // it came while the loop was busy, together with the first
      process.kill(process.pid, signal);
      return;
    }
    stopped = true;
    pause(SETTLE_MS);
    setImmediate(() => setImmediate(off)); // a turn of the loop in between takes what was queued meanwhile
    stop(signal);
  };
  const off = (): void => {
    for (const signal of STOPS) process.off(signal, handler);
  };
  for (const signal of STOPS) process.on(signal, handler);
  return off;
}
