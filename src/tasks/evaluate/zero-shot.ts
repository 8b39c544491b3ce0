/** Zero-shot classification with an ensemble of prompts, as CLIP does it (arXiv:2103.00020 §3.1.4). */
import { captionsOf } from "../../api/captions.ts";
import type { FlavaModel } from "../../api/index.ts";
import { dot, meanRows } from "../../api/numbers.ts";
import type { Source } from "../../data/index.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { argmaxRows, checkFinite, type Interval } from "../../evaluators/index.ts";
import { classificationFigures } from "../figures.ts";
import { pictured, type Refused, type StreamOptions } from "./streams.ts";

/** Classes by the names that the data have for them, and the words that prompts say for each. */
export interface Prompts {
  readonly classes: readonly string[];
  readonly words: readonly string[];
  /** `{}` stands for the words. */
  readonly templates: readonly string[];
}

/** How often the best class, or one of the five best, was the right one. */
export interface ZeroShotResult {
  /** In 0..1, with CLIP_benchmark's names. */
  readonly metrics: Readonly<Record<"acc1" | "acc5" | "mean_per_class_recall", number>>;
  /** Of each. */
  readonly intervals: Readonly<Record<"acc1" | "acc5" | "mean_per_class_recall", Interval>>;
  readonly samples: number;
  readonly refused: readonly Refused[];
}

/** Texts that are embedded at once. */
const TEXTS_AT_ONCE = 2048;

/**
 * Of each class all prompts are embedded, brought to length 1, averaged, and brought to length 1 again; a picture is of the class with the
 * highest cosine. Throws DataError for labels that are no class, cosines that are no numbers, and where nothing can be measured.
 */
export async function zeroShotClassification(
  model: FlavaModel,
  source: Source,
  prompts: Prompts,
  options: StreamOptions & { readonly seed?: number | undefined } = {},
): Promise<ZeroShotResult> {
  const { classes } = prompts;
  const rows = await classifier(model, prompts, options.signal);
  const numbers = new Map(classes.map((name, k) => [name, k]));
  const refused: Refused[] = [];
  const [scores, targets]: [number[], number[]] = [[], []];
  const suits = ({ label }: { label?: string | number }): string | undefined =>
    label === undefined ? "the label is missing" : undefined;
  const pictures = pictured(source, suits, refused, options);
  for await (const { input, embeds, error } of model.embedImages(pictures, {
    onError: "yield",
    signal: options.signal,
  })) {
    const target = numbers.get(String(input.label));
    if (target === undefined)
      throw new DataError(
        `${source.name}: ${input.key}: expected a label that is one of ${classes.length} classes, got ${input.label}`,
      );
    if (error) refused.push({ key: input.key, reason: error.message.split("\n")[0]! });
    else {
      targets.push(target);
      for (const row of rows) scores.push(dot(embeds, row));
      options.onProgress?.(targets.length);
    }
  }
  if (targets.length === 0)
    throw new DataError(
      `${source.name}: expected pictures with labels, got none`,
      refused[0] && `${refused[0].key}: ${refused[0].reason}`,
    );
  checkFinite(`${source.name}: cosines`, scores, classes.length);
  return { ...measured(Float64Array.from(scores), Int32Array.from(targets), classes.length, options.seed), refused };
}

/** A row of length 1 for each class. */
async function classifier(
  model: FlavaModel,
  { classes, words, templates }: Prompts,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  if (templates.length === 0 || classes.length < 2 || words.length !== classes.length)
    throw new ConfigError(
      `zero-shot: expected templates and two classes or more, got ${templates.length} and ${classes.length}`,
    );
  const rows: Float32Array[] = [];
  const step = Math.max(1, Math.floor(TEXTS_AT_ONCE / templates.length));
  for (let k = 0; k < words.length; k += step) {
    const some = words.slice(k, k + step);
    const { text_embeds } = await model.encodeText(captionsOf(some, templates), { outputs: ["text_embeds"], signal });
    const means = meanRows(text_embeds, templates.length);
    for (let i = 0; i < some.length; i++) rows.push(means.row(i).slice());
  }
  return rows;
}

function measured(
  scores: Float64Array,
  targets: Int32Array,
  classes: number,
  seed?: number,
): Omit<ZeroShotResult, "refused"> {
  const said = argmaxRows(scores, classes);
  const names = { plain: "acc1", five: "acc5", perClass: "mean_per_class_recall" } as const;
  const { metrics, intervals } = classificationFigures({ said, scores, targets, classes }, names, seed);
  return { metrics, intervals, samples: targets.length };
}
