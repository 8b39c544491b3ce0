/**
 * Progress of long work on stderr: one line that is rewritten on a terminal, one line an interval in a pipe; with the
 * rate and the time that is left. (ora draws a spinner, which says neither and fills a log file with frames.)
 */

export interface ProgressOptions {
  /** What is being done: "building shards". */
  readonly label: string;
  /** What is counted: "samples"; with "%" and a total of 100 only the share is shown. */
  readonly unit: string;
  /** How many there will be, where that is known. */
  readonly total?: number | undefined;
  /** Counted already before this process: a resumed run. Not part of the rate. */
  readonly start?: number | undefined;
  /** Prints nothing. */
  readonly quiet?: boolean | undefined;
  /** Between lines in a pipe. Default 10 s. */
  readonly intervalMs?: number | undefined;
  /** Default stderr. */
  readonly stream?: ProgressStream | undefined;
  /** Milliseconds; for tests. */
  readonly now?: (() => number) | undefined;
}

/** Where progress is written: stderr, or a test's. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A progress line. */
export interface Progress {
  /** So many are done; `text` is shown behind the figures ("loss 2.31"). Cheap: prints only when a line is due. */
  update(done: number, text?: string): void;
  /** Prints a line of its own above the progress line. */
  note(line: string): void;
  /** Prints the last line. Safe to call twice. */
  end(): void;
}

const TERMINAL_MS = 100;
/** The rate is an average over about this long. */
const MEMORY_MS = 15_000;
/** Seconds: a longer time left only says that nothing moves, and is not printed. */
const LONGEST = 30 * 24 * 3600;
const CLEAR_LINE = "\r\u001b[K";

/** Progress that starts now. */
export function createProgress(options: ProgressOptions): Progress {
  const { label, unit, total, start = 0, quiet = false, intervalMs = 10_000 } = options;
  const { stream = process.stderr, now = () => performance.now() } = options;
  const terminal = stream.isTTY === true;
  const begun = now();
  let last = { time: begun, done: start };
  let rate: number | undefined;
  let shown = begun;
  let current = { done: start, text: "" };
  let ended = false;

  const line = (final: boolean): string => {
    const { done, text } = current;
    const share = total ? ` (${Math.floor((100 * done) / total)} %)` : "";
    const isShare = unit === "%";
    const count = isShare
      ? `${Math.floor(done)} %`
      : `${formatCount(done)}${total === undefined ? "" : `/${formatCount(total)}`} ${unit}${share}`;
    const seconds = (now() - begun) / 1000;
    const speed = final ? (done - start) / Math.max(seconds, 1e-9) : rate;
    const wait = total !== undefined && speed && !final ? (total - done) / speed : undefined;
    const left = wait !== undefined && wait < LONGEST ? `${formatDuration(wait)} left` : "";
    const parts = [
      count,
      speed && !isShare ? formatRate(speed, unit) : "",
      final ? `in ${formatDuration(seconds)}` : left,
      text,
    ];
    return `${label}: ${parts.filter(Boolean).join(", ")}`;
  };
  const print = (final: boolean): void => {
    shown = now();
    const width = stream.columns ?? 80;
    const text = line(final);
    if (!terminal) stream.write(`${text}\n`);
    else
      stream.write(`${CLEAR_LINE}${text.length < width ? text : `${text.slice(0, width - 2)}…`}${final ? "\n" : ""}`);
  };
  const measure = (done: number): void => {
    const passed = now() - last.time;
    if (passed < TERMINAL_MS) return;
    const fresh = (1000 * (done - last.done)) / passed;
    const share = 1 - Math.exp(-passed / Math.min(MEMORY_MS, Math.max(now() - begun, 1)));
    rate = rate === undefined ? fresh : rate + share * (fresh - rate);
    last = { time: now(), done };
  };
  return {
    update(done, text = "") {
      current = { done, text };
      measure(done);
      if (!quiet && !ended && now() - shown >= (terminal ? TERMINAL_MS : intervalMs)) print(false);
    },
    note(text) {
      if (quiet) return;
      stream.write(`${terminal ? CLEAR_LINE : ""}${text}\n`);
      if (terminal && !ended) print(false);
    },
    end() {
      if (!ended && !quiet) print(true);
      ended = true;
    },
  };
}

/** 1234567 → "1,234,567". */
export const formatCount = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

const formatRate = (perSecond: number, unit: string): string => {
  if (perSecond >= 1) return `${perSecond >= 100 ? formatCount(perSecond) : perSecond.toFixed(1)} ${unit}/s`;
  return `${(1 / perSecond).toFixed(1)} s/${unit.replace(/s$/, "")}`;
};

/** 3725 → "1 h 2 min"; 42 → "42 s". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[power]}`;
}
