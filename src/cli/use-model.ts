/** What the commands that use a model share: their options, the model, and what is said of inputs that could not be used. */
import { type Command, Option } from "commander";
import type { FlavaModel, LoadOptions } from "../api/index.ts";
import type { BadInput, Inputs } from "../collections/index.ts";
import { ConfigError, DataError } from "../errors.ts";
import { saveFile, statOf } from "../io/index.ts";
import { deviceNames } from "../runtime/device-names.ts";
import type { Io } from "./command.ts";
import { withDownloads } from "./download-progress.ts";
import { positive } from "./numbers.ts";
import { formatCount } from "./progress.ts";

/** Options of every command that uses a model. */
export interface ModelOptions {
  readonly model?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly batchSize?: number;
  readonly cacheDir?: string;
  readonly offline?: boolean;
}

/** Where `npm start` leaves its model. */
export const LAST_RUN = "runs/starter";

/** Adds those options. */
export const withModel = (command: Command): Command =>
  withEngine(
    command.option(
      "--model <id>",
      `a run's folder, a model's folder, or a repository of the Hub (default: ${LAST_RUN})`,
    ),
  );

/** Those of them that do not say which model it is. */
export const withEngine = (command: Command): Command =>
  command
    .addOption(new Option("--device <name>", "what computes").choices(deviceNames))
    .option("--threads <n>", "threads of one operator (default: all processors)", positive)
    .option("--batch-size <n>", "pictures or texts that go through the model at once", positive)
    .option("--cache-dir <dir>", "where models of the Hub are kept")
    .option("--offline", "download nothing");

/** Collects what an option is given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Opens the model that was asked for. What is cut off texts is said. */
export async function openUsed(io: Io, options: ModelOptions): Promise<FlavaModel> {
  const name = options.model ?? (await lastRun());
  const { FlavaModel: Flava } = await import("../api/index.ts");
  io.note(`model: ${name}`);
  const said = new Set<string>(); // a text that two encoders cut is cut once
  const onWarning = (line: string): void => {
    if (!said.has(line)) io.note(line);
    said.add(line);
  };
  return withDownloads(io, (progressCallback) =>
    Flava.fromPretrained(name, {
      device: options.device as LoadOptions["device"],
      threads: options.threads,
      batchSize: options.batchSize ?? 16,
      cacheDir: options.cacheDir,
      localFilesOnly: options.offline,
      onWarning,
      progressCallback,
      signal: io.signal,
    }),
  );
}

async function lastRun(): Promise<string> {
  if (await statOf(`${LAST_RUN}/config.json`)) return LAST_RUN;
  throw new ConfigError(
    `--model: expected a model, got none, and there is none in ${LAST_RUN}`,
    "npm start trains one there; or name a run, a folder or a repository, as in --model facebook/flava-full",
  );
}

/** Says which words of some texts the model does not know: it reads a text without them, or as [UNK]. */
export async function sayUnknown(io: Io, model: FlavaModel, texts: readonly string[]): Promise<string[]> {
  const { vocabularyCoverage } = await import("../text/index.ts");
  const tokenizer = model.processor.tokenizer;
  if (!tokenizer || texts.length === 0) return []; // a model without a tokenizer fails when it is asked for texts
  const plain = texts.map((text) => text.replaceAll("[MASK]", " "));
  const { unknown, commonest } = vocabularyCoverage(tokenizer, plain);
  const words = commonest.map(({ word }) => word);
  if (unknown > 0) {
    const more = unknown > words.length ? ", …" : "";
    io.note(
      `the model does not know ${unknown === 1 ? "a word" : `${formatCount(unknown)} words`}: ${words.join(", ")}${more}`,
    );
  }
  return words;
}

/** Says what was met in folders and patterns and is not used. */
export function sayPassed(io: Io, { hidden, others }: Inputs["passed"]): void {
  const counts = [
    hidden === 1 ? "a hidden file" : `${formatCount(hidden)} hidden files`,
    others === 1 ? "a file that is no picture" : `${formatCount(others)} files that are no pictures`,
  ];
  const said = counts.filter((_, i) => [hidden, others][i]! > 0);
  if (said.length > 0) io.note(`passed over: ${said.join(", ")}`);
}

/** How many bad inputs are shown. */
const SHOWN = 5;

/**
 * Ends a command: with an error where inputs could not be used, once the others are answered. A single one is named in the error; of
 * several the first are listed, and all of them are in the file `badFile`. `of` counts all inputs.
 */
export async function endWithBad(bad: readonly BadInput[], of: number, badFile?: string): Promise<void> {
  if (badFile !== undefined) await saveFile(badFile, bad.map((one) => `${JSON.stringify(one)}\n`).join(""));
  if (bad.length === 0) return;
  if (of === 1) throw new DataError(`${bad[0]!.key}: ${bad[0]!.reason}`);
  const some = bad.slice(0, SHOWN).map(({ key, reason }) => `\n  ${key}: ${reason}`);
  const more = bad.length > SHOWN ? "\n  …" : "";
  const where = badFile === undefined ? (more ? "--bad FILE lists all" : undefined) : `${badFile} lists all`;
  const counted = `${formatCount(bad.length)} of ${formatCount(of)} inputs could not be used`;
  throw new DataError(`${counted}:${some.join("")}${more}`, where);
}

/** Columns side by side; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map(String));
  const widths = (texts[0] ?? []).map((_, i) => texts.reduce((most, row) => Math.max(most, row[i]!.length), 0));
  return texts
    .map((row, r) =>
      row
        .map((text, i) => (typeof rows[r]![i] === "number" ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** 0.1234 → "12.3 %". */
export const percent = (share: number): string => `${(100 * share).toFixed(1).padStart(5)} %`;
