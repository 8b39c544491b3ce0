/** run.json during a run: one writer, and always up to date, however the process ends. */
import { type RunInfo, type StageInfo, saveRunInfo } from "./run-info.ts";

/** What a stage has done. Seconds and their parts are those since `begin`. */
export type StageProgress = Pick<StageInfo, "done" | "samples" | "seconds" | "times">;

/** The writer of run.json. */
export interface RunRecord {
  /** As it was written last. */
  readonly info: RunInfo;
  /** Writes what has changed. */
  update(change: Partial<Omit<RunInfo, "stages" | "peakMemoryBytes">>): Promise<void>;
  /** A stage begins or is resumed: what it spent in earlier processes stays, and `advance` adds to it. */
  begin(stage: string, about: Pick<StageInfo, "kind" | "steps" | "chance" | "parameters">): Promise<void>;
  /** To be called with every checkpoint, and at the end with the chance levels that evaluations found. */
  advance(stage: string, progress: StageProgress, chance?: StageInfo["chance"]): Promise<void>;
}

/** Writes `first` to the run folder and hands out what keeps it up to date. Throws FileError. */
export async function openRunRecord(runDir: string, first: RunInfo): Promise<RunRecord> {
  let info = first;
  const before = new Map<string, Pick<StageInfo, "seconds" | "times">>();
  const save = async (change: Partial<RunInfo>): Promise<void> => {
    info = { ...info, ...change, peakMemoryBytes: peakMemory(info) };
    await saveRunInfo(runDir, info);
  };
  const saveStage = (name: string, stage: StageInfo): Promise<void> =>
    save({ stages: { ...info.stages, [name]: stage } });
  await save({});
  return {
    get info() {
      return info;
    },
    update: save,
    async begin(name, about) {
      const stage = { done: 0, seconds: 0, samples: 0, ...info.stages[name], ...about };
      before.set(name, stage);
      await saveStage(name, stage);
    },
    async advance(name, { seconds, times, ...at }, chance = {}) {
      const stage = info.stages[name];
      const spent = before.get(name);
      if (!stage || !spent) throw new Error(`internal: stage ${name} has not begun`);
      const summed = Object.entries(times ?? {}).map(([what, t]) => [what, t + (spent.times?.[what] ?? 0)]);
      await saveStage(name, {
        ...stage,
        ...at,
        seconds: spent.seconds + seconds,
        times: { ...spent.times, ...Object.fromEntries(summed) },
        chance: { ...stage.chance, ...chance },
      });
    },
  };
}

/** The most that any process of the run has had. */
const peakMemory = ({ peakMemoryBytes = 0 }: RunInfo): number =>
  Math.max(peakMemoryBytes, process.resourceUsage().maxRSS * 1024);
