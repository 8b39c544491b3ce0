/** Whether a resumed loader finds the files that it was reading before. */
import { ConfigError } from "../../errors.ts";
import { changedFiles, type Fingerprint, type Source } from "../sources/index.ts";
import type { DatasetOptions } from "./dataset.ts";

/** Fingerprints by data set and number of the source. */
export type Fingerprints = Readonly<Record<string, Fingerprint>>;

/** What the files of all sources are now; sources without files are left out. */
export async function fingerprints(datasets: readonly DatasetOptions[]): Promise<Fingerprints> {
  const asked = new Map<Source, Promise<Fingerprint> | undefined>();
  const found = datasets.flatMap(({ name, sources }) =>
    sources.map(async ({ source }, i): Promise<[string, Fingerprint | undefined]> => {
      if (!asked.has(source)) asked.set(source, source.fingerprint?.());
      return [`${name}/${i}`, await asked.get(source)];
    }),
  );
  const all = await Promise.all(found);
  return Object.fromEntries(all.filter((entry): entry is [string, Fingerprint] => entry[1] !== undefined));
}

/** Reports changed files to `onChanged`, a line for each. Throws ConfigError if files have changed and there is no `onChanged`. */
export function compareFiles(
  before: Fingerprints,
  now: Fingerprints,
  onChanged: ((changes: readonly string[]) => void) | undefined,
): void {
  const changes = Object.entries(before).flatMap(([name, old]) => {
    const found = now[name];
    return (found ? changedFiles(old, found) : ["no files any more"]).map((line) => `${name}: ${line}`);
  });
  if (changes.length === 0) return;
  if (onChanged) {
    onChanged(changes);
    return;
  }
  const some =
    changes.length > 5 ? `${changes.slice(0, 5).join("; ")}; and ${changes.length - 5} more` : changes.join("; ");
  throw new ConfigError(
    `loader: expected to resume with the data of before, got other files: ${some}`,
    "the order of the data depends on them; put them back, start anew, or allow it",
  );
}
