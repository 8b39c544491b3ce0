/** How a model is measured on a task, by the names that CLIP_benchmark has for it. */
import type { FlavaModel } from "../../api/index.ts";
import { ConfigError } from "../../errors.ts";
import { openOwnSplit, openSplit, type TaskPlace, type TaskSource } from "../layouts/index.ts";
import { type Features, labelledFeatures } from "../probe/features.ts";
import { linearEvaluation } from "../probe/linear-evaluation.ts";
import { textFeatures } from "../probe/text-features.ts";
import type { SplitName, Task } from "../schema.ts";
import { classWords } from "./class-words.ts";
import { imageTextMatching } from "./match.ts";
import type { Measure } from "./measure-names.ts";
import type { Measured, MeasureOptions } from "./measured.ts";
import { pairRetrieval } from "./rank-pairs.ts";
import { zeroShotRetrieval } from "./retrieve.ts";
import { fineTuning } from "./tune.ts";
import { requireClasses } from "./unseen-classes.ts";
import { wordsAlone } from "./words-alone.ts";
import { type Prompts, zeroShotClassification } from "./zero-shot.ts";

interface Way {
  suits(task: Task): boolean;
  /** Whether figures depend on the seed: held-out samples, first weights, order, wrong captions. */
  readonly drawn: boolean;
  measure(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured>;
}

/** The table of ways. */
export const measures: { readonly [M in Measure]: Way } = {
  linear_probe: { suits: ({ protocol }) => protocol === "linear", drawn: true, measure: linear },
  text_probe: { suits: ({ protocol }) => protocol === "linear-text", drawn: true, measure: linear },
  zeroshot_retrieval: { suits: ({ protocol }) => protocol === "retrieval", drawn: false, measure: retrieve },
  zeroshot_classification: {
    suits: ({ protocol, templates }) => protocol === "linear" && templates !== undefined,
    drawn: false,
    measure: classify,
  },
  image_text_matching: { suits: ({ protocol }) => protocol === "matching", drawn: true, measure: match },
  pair_retrieval: { suits: ({ protocol }) => protocol === "ranking", drawn: true, measure: rankPairs },
  finetune: { suits: ({ protocol }) => protocol.startsWith("finetune-"), drawn: true, measure: tune },
  words_alone: {
    suits: ({ protocol, data }) => /^finetune-(text|pair)$/.test(protocol) && data.range === undefined,
    drawn: false,
    measure: words,
  },
};

async function linear(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const read = async (split: SplitName): Promise<Features | undefined> => {
    const source = await openSplit(place, split);
    if (!source) return undefined;
    const streaming = {
      signal: options.signal,
      onProgress: (done: number) => options.onProgress?.(`features of ${source.name}`, done, source.count),
    };
    if (options.features) return options.features(source, streaming);
    if (place.task.protocol === "linear-text") return textFeatures(model, source, streaming);
    return labelledFeatures(model, source, { ...streaming, cacheDir: options.cacheDir });
  };
  const [train, validation, test] = [await read("train"), await read("validation"), await read("test")];
  if (!train || !test)
    throw new ConfigError(`task ${place.task.name}: expected splits for training and for the test in its file`);
  requireClasses(place, [...train.labels, ...(validation?.labels ?? [])], test.labels);
  let tried = 0;
  const result = await linearEvaluation(
    model.device,
    { train, validation, test },
    {
      seed: options.seed,
      signal: options.signal,
      onTried: () => options.onProgress?.(`regularisation for ${place.task.name}`, ++tried, 15),
    },
  );
  const { intervals, swept, samples, classes, classifier } = result;
  return {
    metrics: result.metrics,
    about: {
      interval: intervals,
      C: swept.C,
      samples,
      classes: classes.length,
      converged: classifier.converged,
    },
    refused: [train, validation, test].flatMap((features) => features?.refused ?? []),
  };
}

async function retrieve(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const names = place.task.data.splits.test ?? [];
  const sources = await Promise.all(names.map((name) => openOwnSplit(place, name)));
  const total = sources.reduce((sum, { count = 0 }) => sum + count, 0) || undefined;
  const { metrics, intervals, reranked, chance, samples, captions, refused } = await zeroShotRetrieval(model, sources, {
    seed: options.seed,
    rerank: options.rerank,
    signal: options.signal,
    onProgress: (done) => options.onProgress?.(`pictures of ${place.task.name}`, done, total),
    onReranked: (done) => options.onProgress?.(`re-ranking for ${place.task.name}`, done, total),
  });
  const about = {
    interval: intervals,
    chance,
    ...(reranked && { rerank: reranked }),
    samples: { test: samples },
    captions,
  };
  return { metrics, about, refused };
}

async function match(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const names = place.task.data.splits.test ?? [];
  const sources = await Promise.all(names.map((name) => openOwnSplit(place, name)));
  const total = sources.reduce((sum, { count = 0 }) => sum + count, 0) || undefined;
  const { metrics, interval, samples, refused } = await imageTextMatching(model, sources, {
    seed: options.seed,
    signal: options.signal,
    onProgress: (done) => options.onProgress?.(`pictures of ${place.task.name}`, done, total),
  });
  return { metrics, about: { interval: { itm_accuracy: interval }, samples: { test: samples } }, refused };
}

async function rankPairs(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const names = place.task.data.splits.test ?? [];
  const sources = await Promise.all(names.map((name) => openOwnSplit(place, name)));
  const { metrics, intervals, chance, by, samples, concepts, pairs, refused } = await pairRetrieval(model, sources, {
    seed: options.seed,
    signal: options.signal,
    onProgress: (done, total) => options.onProgress?.(`pictures of ${place.task.name}`, done, total),
  });
  return { metrics, about: { interval: intervals, chance, by, samples: { test: samples }, concepts, pairs }, refused };
}

async function classify(model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const source = (await openSplit(place, "test"))!;
  const { metrics, intervals, samples, refused } = await zeroShotClassification(
    model,
    source,
    await promptsOf(place, source),
    {
      seed: options.seed,
      signal: options.signal,
      onProgress: (done) => options.onProgress?.(`pictures of ${source.name}`, done, source.count),
    },
  );
  return { metrics, about: { interval: intervals, samples: { test: samples } }, refused };
}

function tune(model: FlavaModel, place: TaskPlace, { runDir, ...options }: MeasureOptions): Promise<Measured> {
  if (runDir === undefined) throw new ConfigError(`task ${place.task.name}: expected a folder for the run, got none`);
  return fineTuning(model, place, { ...options, runDir });
}

async function words(_model: FlavaModel, place: TaskPlace, options: MeasureOptions): Promise<Measured> {
  const [train, validation, test] = [
    await openSplit(place, "train"),
    await openSplit(place, "validation"),
    await openSplit(place, "test"),
  ];
  if (!train || !test)
    throw new ConfigError(`task ${place.task.name}: expected splits for training and for the test in its file`);
  options.onProgress?.(`words of ${place.task.name}`, 0, undefined);
  const { metrics, interval, refused, ...about } = await wordsAlone(
    { train, validation, test },
    { signal: options.signal },
  );
  return { metrics, about: { interval: { [Object.keys(metrics)[0]!]: interval }, ...about }, refused };
}

/**
 * Names of classnames.txt or the task file, where the data's own are among them or as many; else what is known of the data's own numbers and
 * codes, or those themselves with blanks for _. Classes are those of the test split, in their order.
 */
async function promptsOf(place: TaskPlace, source: TaskSource): Promise<Prompts> {
  const { task, root, classes } = place;
  const { templates = [] } = task;
  const labels = source.labels ?? (await labelsOf(source));
  if (classes && labels.every((label) => classes.includes(label))) return { classes, words: classes, templates };
  const names = [...labels].sort();
  if (classes?.length === names.length) return { classes: names, words: classes, templates };
  const words = classes ? undefined : await classWords(place, names);
  if (words) return { classes: names, words, templates };
  throw new ConfigError(
    `task ${task.name}: ${root}: expected names of classes for prompts, got ${classes ? `${classes.length} for ${names.length} classes` : names.slice(0, 3).join(", ")}`,
    `put them into classnames.txt, one a line, in the order of the classes${names[0]?.startsWith("n0") ? "; or take the LOC_synset_mapping.txt that comes with the data" : ""}`,
  );
}

async function labelsOf(source: TaskSource): Promise<string[]> {
  const found = new Set<string>();
  for await (const { sample } of source.samples()) if (sample.label !== undefined) found.add(String(sample.label));
  return [...found];
}
