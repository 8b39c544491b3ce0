/** From sources to training and validation samples of one problem: what can be used, what is held out, how long texts are. */
import type { BadSample, Sample, Source } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { fnv1a, permutation, random } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import type { Problem, Target } from "./problem.ts";
import { describeRefusals, labelOf, type Needs, type Row, refusal, type Survey, survey } from "./survey.ts";
import { type ChosenTarget, chooseTarget, gapsAmong, labelReader, type TargetOptions, wholeNumbers } from "./target.ts";

/** What is read, and how. */
export interface DataRequest extends TargetOptions {
  readonly train: Source;
  /** Held out from the training samples where absent. */
  readonly validation?: Source | undefined;
  readonly needs: Needs;
  /** Share of the training samples that is held out. */
  readonly share: number;
  readonly seed: number;
  readonly tokenizer?: TextTokenizer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly note?: ((line: string) => void) | undefined;
  /** Called with each sample of training and validation that cannot be used. */
  readonly onBad?: ((bad: BadSample) => void) | undefined;
  readonly onProgress?: ((what: string, done: number, total: number | undefined) => void) | undefined;
}

/** Labelled samples. */
export interface LabelledSamples {
  readonly source: Source;
  readonly count: number;
  /** Tokens of each text. */
  readonly tokens: readonly number[];
  /** Of keys, labels and texts: another for samples that have changed. */
  readonly content: number;
}

/** What is trained and measured on. */
export interface PreparedData {
  readonly problem: Problem;
  readonly why: string;
  readonly train: LabelledSamples;
  readonly validation: LabelledSamples;
  /** Whether the validation samples were held out. */
  readonly heldOut: boolean;
  /** Samples of each class, training and validation. */
  readonly classes: readonly { readonly name: string; readonly train: number; readonly validation: number }[];
}

/** Reads both sources once. Throws DataError for labels that cannot be learned, and for a label only in validation. */
export async function prepareData(request: DataRequest): Promise<PreparedData> {
  const { needs, note = () => undefined } = request;
  const look = async (source: Source): Promise<Survey> => {
    const { tokenizer, signal, onProgress, onBad } = request;
    const report = onProgress && ((done: number): void => onProgress(`reading ${source.name}`, done, source.count));
    const seen = await survey(source, needs, { tokenizer, signal, onProgress: report, onBad });
    const { rows, refused } = withoutGaps(source, seen, request);
    for (const line of describeRefusals(refused)) note(`${source.name}: ${line}`);
    return { rows, refused };
  };
  const surveys = [await look(request.train), ...(request.validation ? [await look(request.validation)] : [])];
  const [all, own] = withWholeNumbers(surveys, request) as [Survey, Survey | undefined];
  const chosen = chooseTarget(
    all.rows.map(({ label }) => label),
    { ...request, of: request.train.name },
  );
  const parts = own ? { train: all.rows, validation: own.rows } : heldOut(all.rows, chosen, request);
  checkValidation(request, chosen, parts);
  const samples = (source: Source, rows: readonly Row[]): LabelledSamples => ({
    source: labelled(source, rows, needs, labelReader(chosen.target)),
    count: rows.length,
    tokens: rows.map(({ tokens }) => tokens),
    content: rows.reduce((before, { key, label, words }) => fnv1a(`${before} ${key} ${label} ${words}`), 0),
  });
  const { inputs, textPairs } = needs;
  return {
    problem: { inputs, textPairs, target: chosen.target },
    why: chosen.why,
    train: samples(request.train, parts.train),
    validation: samples(request.validation ?? request.train, parts.validation),
    heldOut: own === undefined,
    classes: counted(chosen, parts),
  };
}

/** Where all labels but "NaN" and the like are numbers, those are no class: they are left out. */
function withoutGaps(source: Source, { rows, refused }: Survey, { as, classes, onBad }: DataRequest): Survey {
  const gaps = as === "auto" || as === "number" ? gapsAmong(rows, classes) : [];
  if (gaps.length === 0) return { rows, refused };
  const gap = new Set(gaps);
  const [{ key, label }] = gaps as [Row, ...Row[]];
  const reason = `the label ${JSON.stringify(label)} is no number`;
  for (const { key } of gaps) onBad?.({ source: source.name, key, reason });
  return {
    rows: rows.filter((row) => !gap.has(row)),
    refused: new Map([...refused, [reason, { count: gaps.length, first: key }]]),
  };
}

/** Labels that are one whole number in two spellings are one class. */
function withWholeNumbers(surveys: readonly Survey[], { as, note }: DataRequest): Survey[] {
  if (as === "answers") return [...surveys];
  const labels = surveys.flatMap(({ rows }) => rows.map(({ label }) => label));
  const alike = wholeNumbers(labels);
  const changed = labels.filter((label) => alike(label) !== label);
  if (changed.length > 0) note?.(`labels such as ${changed[0]}, read as ${alike(changed[0]!)}: ${changed.length}`);
  return surveys.map(({ rows, refused }) => ({
    rows: rows.map((row) => ({ ...row, label: alike(row.label) })),
    refused,
  }));
}

interface Parts {
  readonly train: readonly Row[];
  readonly validation: readonly Row[];
}

/** A share of each class by the seed, samples of the same text together; a class of one sample stays in training. */
function heldOut(rows: readonly Row[], { target }: ChosenTarget, { share, seed, train }: DataRequest): Parts {
  const out = new Set<Row>();
  for (const [stratum, groups] of strataOf(rows, target)) {
    const wanted = groups.length < 2 ? 0 : Math.min(groups.length - 1, Math.max(1, Math.round(share * groups.length)));
    const order = permutation(groups.length, random(seed, `validation:${stratum}`));
    for (const i of order.slice(0, wanted)) for (const row of groups[i]!) out.add(row);
  }
  if (out.size === 0)
    throw new DataError(
      `${train.name}: expected classes with two different samples or more, to hold some out, got ${rows.length} samples`,
      "samples of the same text stay together; give others with --validation",
    );
  return { train: rows.filter((row) => !out.has(row)), validation: rows.filter((row) => out.has(row)) };
}

/** Rows of the same text, by their class; by all their classes where the same text has several. */
function strataOf(rows: readonly Row[], { kind }: Target): Map<string, Row[][]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.group);
    if (group) group.push(row);
    else groups.set(row.group, [row]);
  }
  const strata = new Map<string, Row[][]>();
  for (const group of groups.values()) {
    const stratum = kind === "classes" ? [...new Set(group.map(({ label }) => label))].sort().join("\n") : "";
    const others = strata.get(stratum);
    if (others) others.push(group);
    else strata.set(stratum, [group]);
  }
  return strata;
}

function checkValidation(request: DataRequest, { target }: ChosenTarget, { train, validation }: Parts): void {
  const { note = () => undefined } = request;
  if (target.kind === "number") {
    const bad = validation.find(({ label }) => !Number.isFinite(Number(label)));
    if (bad) throw new DataError(`${bad.key}: expected a number, got ${JSON.stringify(bad.label)}`);
    return;
  }
  if (target.kind === "answers") return;
  const seen = new Set(train.map(({ label }) => label));
  const only = [...new Set(validation.map(({ label }) => label))].filter((label) => !seen.has(label));
  if (only.length > 0)
    throw new DataError(
      `${(request.validation ?? request.train).name}: expected labels that training has too, got ${only
        .map((label) => JSON.stringify(label))
        .slice(0, 5)
        .join(", ")}${only.length > 5 ? ", …" : ""} in validation only`,
      "add training samples of it, or mend its spelling",
    );
  const counts = countsOf(train);
  const single = [...counts].filter(([, n]) => n === 1).map(([label]) => label);
  if (single.length > 0)
    note(
      `${single.length === 1 ? "one class has" : `${single.length} classes have`} a single training sample: ${single.slice(0, 5).join(", ")}${single.length > 5 ? ", …" : ""}`,
    );
}

function countsOf(rows: readonly Row[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

function counted({ target }: ChosenTarget, parts: Parts): PreparedData["classes"] {
  if (target.kind !== "classes") return [];
  const [train, validation] = [countsOf(parts.train), countsOf(parts.validation)];
  return target.names.map((name) => ({ name, train: train.get(name) ?? 0, validation: validation.get(name) ?? 0 }));
}

/** The samples of these rows, with their labels as batches read them. */
function labelled(source: Source, rows: readonly Row[], needs: Needs, read: (label: string) => string): Source {
  const labels = new Map(rows.map(({ key, label }) => [key, read(label)]));
  const relabelled = (sample: Sample): Sample => ({
    key: sample.key,
    label: labels.get(sample.key)!,
    ...(needs.inputs !== "text" && sample.image && { image: sample.image }),
    ...(needs.inputs !== "image" && sample.texts && { texts: sample.texts }),
  });
  return {
    name: source.name,
    ...(source.fingerprint && { fingerprint: source.fingerprint }),
    async *samples(options = {}) {
      // What cannot be used was told when the source was first read.
      for await (const { sample, cursor } of source.samples({ ...options, onBad: undefined }))
        if (labels.has(sample.key) && labelOf(sample, needs) !== undefined)
          yield { sample: relabelled(sample), cursor };
    },
  };
}

/** Lengths that texts are padded to. */
const LENGTHS = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/** The shortest length in which 99 % of the texts are whole, within what the model takes. */
export function lengthFor(tokens: readonly number[], longest: number): number {
  const sorted = [...tokens].sort((a, b) => a - b);
  const wanted = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? 3;
  return Math.min(longest, LENGTHS.find((length) => length >= wanted) ?? longest);
}

/** Labelled samples of a test, as batches read them; those that cannot be used are reported. */
export function labelledSource(source: Source, needs: Needs, target: Target): Source {
  const read = labelReader(target);
  return {
    name: source.name,
    ...(source.count !== undefined && { count: source.count }),
    async *samples(options = {}) {
      for await (const { sample, cursor } of source.samples(options)) {
        const reason = refusal(sample, needs);
        if (reason === undefined) yield { sample: { ...sample, label: read(labelOf(sample, needs)!) }, cursor };
        else options.onBad?.({ source: source.name, key: sample.key, reason });
      }
    },
  };
}
