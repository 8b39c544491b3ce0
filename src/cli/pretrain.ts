/** `flava pretrain RECIPE`: from options to a checked recipe, the plan of `--dry-run`, and then the run itself. */
import { type Command, Option } from "commander";
import { launchOf } from "../cluster/index.ts";
import { ConfigError } from "../errors.ts";
import type { MeasureStage, Override, Recipe } from "../pretrain/recipe/index.ts";
import type { Preview } from "../pretrain/run/preview.ts";
import { deviceNames } from "../runtime/device-names.ts";
import { action, type Io } from "./command.ts";
import { natural, positive } from "./numbers.ts";

export interface PretrainOptions {
  readonly stage?: string;
  readonly resume?: string;
  readonly runDir?: string;
  readonly set?: readonly string[];
  readonly seed?: string;
  readonly seeds?: string;
  readonly device?: string;
  readonly dtype?: string;
  readonly threads?: string;
  readonly tiny?: boolean;
  readonly dryRun?: boolean;
  readonly workers?: number;
  readonly mpi?: string | true;
  readonly patience?: number;
}

/** What was asked for, checked. */
export interface PretrainRequest {
  readonly recipe: Recipe;
  readonly overrides: readonly Override[];
  /** Only this stage; its predecessors must have been run. */
  readonly stage: string | undefined;
  /** `latest` or a path. */
  readonly resume: string | undefined;
  /** The command line that does the same. */
  readonly command: string;
  /** Whether to train on an MPI job's workers, and by which library; seen by itself under a launcher. */
  readonly mpi?: string | true | undefined;
  /** Seconds that workers wait for each other. */
  readonly patience?: number | undefined;
}

/** What trains: loaded when it is needed, so that `--help` stays instant. */
export interface Pretraining {
  run(request: PretrainRequest, io: Io): Promise<void>;
  readonly measure?: ((recipe: Recipe, stage: string, workers?: number) => ReturnType<MeasureStage>) | undefined;
  /** Looks at the data that is already here. */
  readonly preview?: ((recipe: Recipe, io: Io) => Promise<Preview>) | undefined;
}

const EXAMPLES = `
Examples:
  flava pretrain recipes/starter.yaml --dry-run
  flava pretrain recipes/starter.yaml --run-dir runs/mine --set stages.joint.steps=500 --seed 1
  flava pretrain runs/mine/recipe.json --resume latest
  mpirun -n 4 --bind-to none flava pretrain recipes/starter.yaml`;

/** The verb, given what trains. */
export const definePretrain =
  (load: () => Promise<Pretraining>) =>
  (program: Command): void => {
    program
      .command("pretrain")
      .summary("all stages of a recipe, or one of them")
      .description(
        "Trains a FLAVA from a recipe: its stages in turn, with checkpoints, metrics and a report in the run's folder.",
      )
      .argument("<recipe>", "a YAML file, or the recipe.json of a run")
      .option("--stage <name>", "only this stage")
      .option("--resume <from>", "go on from `latest` or from a checkpoint folder")
      .option("--run-dir <dir>", "where the run writes")
      .option("--set <key=value>", "change a value of the recipe; may be given again", collect)
      .option("--seed <n>", "as --set seed=n")
      .option("--seeds <list>", "a run for each seed in turn, as 0,1,2, and their results side by side")
      .addOption(new Option("--device <name>", "as --set device=name").choices(deviceNames))
      .addOption(new Option("--dtype <name>", "as --set dtype=name").choices(["fp32", "bf16"]))
      .option("--threads <n>", "as --set threads=n")
      .option("--tiny", "a small model, few steps and synthetic data, to see that all of it runs")
      .option("--dry-run", "print the plan, and stop")
      .option("--workers <n>", "with --dry-run: the plan of one of so many workers", positive)
      .option("--mpi [library]", "train on the workers of an MPI job, which mpirun, mpiexec or srun says by itself")
      .option("--patience <seconds>", "how long workers wait for each other before the job ends; 0: for ever", natural)
      .addHelpText("after", EXAMPLES)
      .action(
        action<PretrainOptions>(async (io, [path], options) => {
          if (options.seeds !== undefined && !options.dryRun) {
            const { runSeeds } = await import("./pretrain-seeds.ts");
            await runSeeds(io, options.seeds, options, { load, request: (given) => pretrainRequest(path!, given) });
            return;
          }
          const request = await pretrainRequest(path!, options);
          for (const { path: key, was, now } of request.overrides) io.note(`set ${key}: ${show(was)} → ${show(now)}`);
          if (options.dryRun) await printPlan(request.recipe, await load(), io, workersOf(options));
          else await (await load()).run(request, io);
        }),
      );
  };

const collect = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];
const show = (value: unknown): string => (value === undefined ? "(default)" : JSON.stringify(value));

/** Resolves the recipe and checks the options against it and against each other. Throws ConfigError. */
export async function pretrainRequest(path: string, options: PretrainOptions): Promise<PretrainRequest> {
  const { resolveRecipe } = await import("../pretrain/recipe/index.ts");
  const { nearest } = await import("../tensor/index.ts");
  const { stage, resume, tiny = false, set = [] } = options;
  const assignments = [...set];
  for (const key of ["runDir", "seed", "device", "dtype", "threads"] as const)
    if (options[key] !== undefined) assignments.push(`${key}=${options[key]}`);
  const { recipe, overrides } = await resolveRecipe(path, { set: assignments, tiny });
  const names = Object.keys(recipe.stages);
  if (stage !== undefined && !names.includes(stage))
    throw new ConfigError(
      `--stage ${stage}: expected a stage of ${recipe.name}, got "${stage}"`,
      nearest(stage, names),
    );
  const command = commandLine(path, assignments, options);
  return { recipe, overrides, stage, resume, command, mpi: options.mpi, patience: options.patience };
}

function commandLine(path: string, assignments: readonly string[], { stage, tiny }: PretrainOptions): string {
  const words = ["flava", "pretrain", path, ...assignments.flatMap((assignment) => ["--set", assignment])];
  if (stage !== undefined) words.push("--stage", stage);
  if (tiny) words.push("--tiny");
  return words.map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

/** How many workers the plan is for: `--workers`, else those of the job. */
const workersOf = ({ workers }: PretrainOptions): number => workers ?? launchOf(process.env)?.size ?? 1;

async function printPlan(asked: Recipe, { measure, preview }: Pretraining, io: Io, workers: number): Promise<void> {
  const { describePlan, formatPlan, missingPlaces } = await import("../pretrain/recipe/index.ts");
  const missing = await missingPlaces(asked, io.signal);
  const { recipe, ...seen } = (await preview?.(asked, io)) ?? { recipe: asked };
  const each: MeasureStage | undefined = measure && ((given, stage) => measure(given, stage, workers));
  const plan = await describePlan(recipe, { measure: each, ...seen });
  if (missing.length > 0)
    io.note(
      `${missing.length} of the recipe's files or folders not found from ${process.cwd()}, the first: ${missing[0]}`,
    );
  if (workers > 1) io.note(`one of ${workers} workers: memory and operations are those of each`);
  io.result(formatPlan(plan), { ...plan, missing });
}
