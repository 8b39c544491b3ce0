/** One look at all samples of a source: which can be used, what their labels are, how long their texts. */
import type { BadSample, Sample, Source } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { fnv1a } from "../tensor/index.ts";
import type { TextTokenizer } from "../text/index.ts";
import { turns } from "../train/index.ts";

/** What a sample must have. */
export interface Needs {
  readonly inputs: "text" | "image" | "pair";
  readonly textPairs: boolean;
  /** Where what is learned stands: the sample's label; or answers, one a line, in its `meta.answers` or else its label. */
  readonly from: "label" | "answers";
}

/** A sample that can be used. */
export interface Row {
  readonly key: string;
  readonly label: string;
  /** Tokens of its text, the special ones included; 0 without a text. */
  readonly tokens: number;
  /** A hash of its texts. */
  readonly words: number;
  /** The same for samples of the same texts: they stay on one side of a split. */
  readonly group: string;
}

/** Why samples cannot be used: how many, and the first. */
export type Refusals = ReadonlyMap<string, { readonly count: number; readonly first: string }>;

/** The samples of a source. */
export interface Survey {
  readonly rows: readonly Row[];
  readonly refused: Refusals;
}

/** What a sample is labelled with; undefined where nothing is. */
export function labelOf(sample: Pick<Sample, "label" | "meta">, { from }: Pick<Needs, "from">): string | undefined {
  const value = from === "label" ? sample.label : (sample.meta?.answers ?? sample.label);
  const text = value === undefined ? "" : String(value).trim();
  return text === "" ? undefined : text;
}

/** Why a sample cannot be used; undefined where it can. `labelled`: whether it must have a label. */
export function refusal(sample: Sample, needs: Needs, labelled = true): string | undefined {
  const { inputs, textPairs } = needs;
  const { texts = [], image } = sample;
  if (inputs !== "text" && image === undefined) return "the image is missing";
  if (inputs !== "image" && texts.length === 0) return "the text is missing";
  if (inputs !== "image" && textPairs && texts.length < 2) return "a text of the pair is missing";
  return labelled && labelOf(sample, needs) === undefined ? "the label is missing" : undefined;
}

/** Who hears of progress, and of samples that cannot be used. */
export interface SurveyOptions {
  readonly tokenizer?: TextTokenizer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** Reads a source once. Throws DataError where no sample can be used. */
export async function survey(source: Source, needs: Needs, options: SurveyOptions = {}): Promise<Survey> {
  const { tokenizer, signal, onProgress, onBad } = options;
  const rows: Row[] = [];
  const refused = new Map<string, { count: number; first: string }>();
  const refuse = (key: string, reason: string): void => {
    const known = refused.get(reason);
    if (known) known.count++;
    else refused.set(reason, { count: 1, first: key });
    onBad?.({ source: source.name, key, reason });
  };
  const turn = turns(signal);
  const unreadable = ({ key, reason, kept }: BadSample): void => {
    if (!kept) refuse(key, reason);
  };
  for await (const { sample } of source.samples({ signal, onBad: unreadable })) {
    const reason = refusal(sample, needs);
    if (reason === undefined) rows.push(rowOf(sample, needs, tokenizer));
    else refuse(sample.key, reason);
    onProgress?.(rows.length);
    await turn();
  }
  if (rows.length === 0)
    throw new DataError(
      `${source.name}: expected samples that can be used, got none`,
      describeRefusals(refused)[0] ?? "the source is empty",
    );
  return { rows, refused };
}

function rowOf(sample: Sample, needs: Needs, tokenizer: TextTokenizer | undefined): Row {
  const { inputs, textPairs } = needs;
  const [first, second] = inputs === "image" ? [] : (sample.texts ?? []);
  const ids = (text: string | undefined): number => (text === undefined ? 0 : (tokenizer?.ids(text).length ?? 0));
  const tokens = first === undefined ? 0 : textPairs ? ids(first) + ids(second) + 3 : ids(first) + 2;
  const text = first === undefined ? "" : `${first}\u0000${textPairs ? second : ""}`;
  const same = inputs === "text" ? text.toLowerCase() : sample.key;
  return {
    ...{ key: sample.key, label: labelOf(sample, needs)!, tokens, words: fnv1a(text) },
    group: `${fnv1a(same)} ${same.length}`,
  };
}

/** A line for each reason. */
export const describeRefusals = (refused: Refusals): string[] =>
  [...refused].map(
    ([reason, { count, first }]) =>
      `${count.toLocaleString("en-US")} ${count === 1 ? "sample" : "samples"} left out: ${reason} (${count === 1 ? first : `the first: ${first}`})`,
  );
