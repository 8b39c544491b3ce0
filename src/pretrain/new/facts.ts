/** What was found of data and machine, a line a fact: at the head of the recipe and on the terminal. */
import type { Holding } from "./hold-out.ts";
import type { Looking, NewRequest } from "./new.ts";
import type { Budget } from "./shape.ts";
import type { Range, Survey } from "./survey.ts";

const count = (n: number): string => Math.round(n).toLocaleString("en-US");
const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

interface Found {
  readonly request: NewRequest;
  readonly looking: Looking;
  readonly holding: Holding | undefined;
  readonly textHolding: Holding | undefined;
  readonly budget: Budget;
  readonly cores: number;
}

/** The lines. */
export function factsOf({ request, looking, holding, textHolding, budget, cores }: Found): string[] {
  const { survey, images, texts } = looking;
  return [
    `${request.source}:`,
    ...surveyLines(survey),
    ...heldLines(holding),
    ...(images ? [`${request.images}, further pictures:`, ...surveyLines(images.survey)] : []),
    ...(texts ? [`${request.texts}, texts:`, ...surveyLines(texts.survey), ...heldLines(textHolding)] : []),
    ...(request.validation === undefined
      ? []
      : [`validation: ${request.validation}; what shares a picture or a caption with it is left out of training`]),
    `machine: ${plural(cores, "processor")}, ${(budget.memory / 2 ** 30).toFixed(0)} GiB of memory, about ${(budget.speed / 1e9).toFixed(0)} GFLOP/s now`,
  ];
}

function surveyLines(survey: Survey): string[] {
  const { looked, total, whole, bad, notes, pictures, captions, side, words, tokens, distinctCaptions } = survey;
  const size = whole
    ? plural(looked, "sample")
    : `about ${plural(total, "sample")}, of which ${count(looked)} were looked at`;
  const lines = [`  ${size}: ${plural(pictures, "picture")}, ${count(captions)} with text`];
  if (side)
    lines.push(
      `  pictures: smaller side ${range(side)} px${survey.repeatedPictures > 0 ? `; ${plural(survey.repeatedPictures, "is a copy", "are copies")} of another` : ""}`,
    );
  if (words && tokens) {
    const each = survey.captionsPerPicture > 1.05 ? `, ${survey.captionsPerPicture.toFixed(1)} a sample` : "";
    lines.push(
      `  texts: ${count(distinctCaptions)} different${each}; ${range(words)} words, ${range(tokens)} tokens, 95 of 100 have up to ${count(tokens.most)}`,
    );
  }
  if (bad.length > 0)
    lines.push(`  cannot be used: ${count(bad.length)}`, ...topReasons(bad.map(({ reason }) => reason)));
  const passed = Object.entries(notes);
  if (passed.length > 0)
    lines.push(
      `  passed over without losing a sample: ${count(passed.reduce((sum, [, n]) => sum + n, 0))}, as: ${passed[0]![0]}`,
    );
  return lines;
}

function topReasons(reasons: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const lines = sorted.slice(0, 3).map(([reason, n]) => `    ${count(n)} × ${oneLine(reason)}`);
  return sorted.length > 3 ? [...lines, `    and ${sorted.length - 3} other reasons`] : lines;
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").slice(0, 140);

const range = ({ min, median, max }: Range): string =>
  min === max ? count(min) : `${count(min)} to ${count(max)} (median ${count(median)})`;

const BY = {
  concept: "what shares a picture, a caption or the thing that a short caption names stays together",
  caption: "what shares a picture or a caption stays together",
  sample: "at random, as the samples cannot be divided by what they show",
} as const;

function heldLines(holding: Holding | undefined): string[] {
  if (!holding) return [];
  const { validation, test } = holding.samples;
  return [
    `  held out: ${count(validation)} for validation${test > 0 ? `, ${count(test)} for the test` : ""}; ${BY[holding.by]}`,
  ];
}
