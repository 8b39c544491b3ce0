/** The list of samples that were left out, and of whatever else was ignored: counted by reason, and written as JSON Lines. */
import { createWriteStream, existsSync, readFileSync, type WriteStream } from "node:fs";
import { writeError } from "../../io/index.ts";
import type { BadSample } from "./source.ts";

export interface BadList {
  readonly onBad: (bad: BadSample) => void;
  /** Distinct samples left out so far. */
  readonly count: number;
  /** How many for each reason; past 1,000 different ones, the rest are counted as "other". */
  readonly reasons: ReadonlyMap<string, number>;
  /** The same for what was ignored without losing a sample (`kept`). */
  readonly notes: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

const MAX_REMEMBERED = 1_000_000;
const MAX_REASONS = 1000;

/**
 * Collects bad samples, each once, and appends `{source, key, reason, kept?}` to the JSON Lines file `path` if one is given.
 * What the file already lists (a resumed run meets the same samples again) is not listed twice.
 */
export function badList(path?: string): BadList {
  const seen = new Set<string>();
  const reasons = new Map<string, number>();
  const notes = new Map<string, number>();
  const earlier = path === undefined ? "" : readEarlier(path);
  for (const line of earlier.split("\n")) remember(line, seen);
  const start = earlier === "" || earlier.endsWith("\n") ? "" : "\n";
  let file: WriteStream | undefined;
  let failure: Error | undefined;
  let count = 0;
  const onBad = (bad: BadSample): void => {
    const id = idOf(bad);
    if (seen.has(id)) return;
    if (seen.size < MAX_REMEMBERED) seen.add(id);
    if (!bad.kept) count++;
    const counts = bad.kept ? notes : reasons;
    const reason = counts.has(bad.reason) || counts.size < MAX_REASONS ? bad.reason : "other";
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (path === undefined) return;
    if (file === undefined) {
      file = createWriteStream(path, { flags: "a" });
      file.on("error", (error) => {
        failure ??= error;
      });
      file.write(start);
    }
    const { source, key, reason: why, kept } = bad;
    file.write(`${JSON.stringify({ source, key, reason: why, kept })}\n`);
  };
  const close = async (): Promise<void> => {
    if (file !== undefined) await new Promise<void>((resolve) => file!.end(() => resolve()));
    if (failure) throw writeError(path!, failure);
  };
  return {
    onBad,
    get count() {
      return count;
    },
    reasons,
    notes,
    close,
  };
}

function readEarlier(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Takes a line of an earlier list; a line cut short by a crash is skipped. */
function remember(line: string, seen: Set<string>): void {
  if (line === "") return;
  try {
    seen.add(idOf(JSON.parse(line) as BadSample));
  } catch {}
}

const idOf = ({ source, key, kept }: BadSample): string => JSON.stringify([source, key, kept === true]);
