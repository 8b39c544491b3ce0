/** Sets that are held out of training, written beside a new recipe: whole groups of samples that belong together. */
import { join } from "node:path";
import { type Assignment, assignGroups, type Source, type SplitBy, type SplitPart } from "../../data/index.ts";
import { inNewFolder, ShardSet } from "../../data/sources/shards.ts";
import { DataError } from "../../errors.ts";
import { makeFolder, saveFile } from "../../io/index.ts";
import type { DataKind } from "../recipe/types.ts";
import { SURVEY_ORDER, type Survey } from "./survey.ts";

/** What of a source is held out, by groups of the survey. */
export interface Holding {
  readonly by: SplitBy;
  readonly assignment: Assignment;
  readonly of: Int32Array;
  readonly samples: Readonly<Record<SplitPart, number>>;
}

/** The most samples of a held-out set: measuring takes time, and more digits say little. */
const MOST = 500;
const SHARE = 0.1;
/** With fewer samples there is one set, which the run is measured on; with more also one for its end. */
const ENOUGH_FOR_TEST = 50;
/** In order of strictness: captions that name few things, or are one sentence, cannot be divided by concept. */
const STRICTEST: Readonly<Record<DataKind, readonly SplitBy[]>> = {
  pairs: ["concept", "caption", "sample"],
  images: ["caption", "sample"],
  texts: ["caption", "sample"],
};

/** Chooses what is held out: as strictly as the samples can be divided. */
export function chooseHeldOut({ name, groups, looked }: Survey, kind: DataKind, seed: number): Holding {
  const share = Math.min(SHARE, MOST / looked);
  const shares = { validation: share, test: kind === "pairs" && looked >= ENOUGH_FOR_TEST ? share : 0 };
  let failure: unknown;
  for (const by of STRICTEST[kind])
    try {
      const grouped = groups[by].groups();
      const assignment = assignGroups(grouped, shares, { name, seed, by });
      const samples = { train: 0, validation: 0, test: 0 };
      for (const group of grouped.of) samples[assignment.get(group) ?? "train"]++;
      return { by, assignment, of: grouped.of, samples };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      failure = error;
    }
  throw failure;
}

/** Writes the held-out samples below a new folder: `validation/` and `test/` as shards, or texts as lines of `validation.txt`. */
export async function writeHeldOut(
  source: Source,
  folder: string,
  { looked, bad }: Survey,
  holding: Holding,
  { kind, signal }: { readonly kind: DataKind; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const unusable = new Set(bad.map(({ key }) => key));
  await inNewFolder(folder, async (staging, list) => {
    for (const { key, reason } of bad) list.onBad({ source: source.name, key, reason });
    const lines: string[] = [];
    const sets = new Map<SplitPart, ShardSet>();
    let at = 0;
    for await (const { sample } of source.samples({ signal, order: SURVEY_ORDER })) {
      if (unusable.has(sample.key)) continue;
      if (at === looked) break;
      const part = holding.assignment.get(holding.of[at++]!) ?? "train";
      if (part === "train") continue;
      if (kind === "texts") lines.push(...(sample.texts ?? []).map((text) => text.replace(/\s+/g, " ")));
      else {
        if (!sets.has(part)) {
          await makeFolder(join(staging, part));
          sets.set(part, new ShardSet(join(staging, part)));
        }
        await sets.get(part)!.add(sample);
      }
    }
    for (const set of sets.values()) await set.close();
    if (kind === "texts") await saveFile(join(staging, TEXTS_FILE), `${lines.join("\n")}\n`);
  });
}

/** Held-out texts, a line each. */
export const TEXTS_FILE = "validation.txt";
