/** Checks of a recipe that look at more than one field: sizes that fit, sources that exist, stages that hand over. */
import type { z } from "zod";
import { wordSize } from "../../models/dvae/config.ts";
import { gridSize } from "../../models/flava/config.ts";
import { nearest } from "../../tensor/index.ts";
import type { InitFrom, JointStage, PatchMasking, Recipe, Stage, StageKind } from "./types.ts";

type Unnamed = Omit<Recipe, "runDir">;
type Report = (path: readonly (string | number)[], message: string) => void;

/** What a stage can take its weights from. */
const GIVES: Readonly<Record<"image" | "text" | "codebook", readonly StageKind[]>> = {
  image: ["image-mim", "image-dino", "joint"],
  text: ["text-mlm", "joint"],
  codebook: ["dvae"],
};

/** Reports every contradiction at its path. */
export function checkRecipe(recipe: Unnamed, context: z.RefinementCtx): void {
  const report: Report = (path, message) => context.addIssue({ code: "custom", path: [...path], message });
  if (Object.keys(recipe.stages).length === 0) report(["stages"], "expected at least one stage");
  if (Object.values(recipe.model.lossWeights).some((weight) => weight !== 1))
    report(["model", "lossWeights"], "loss weights belong to the joint stage: stages.<name>.lossWeights");
  checkVocabulary(recipe, report);
  checkSets(recipe, report);
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const at: Report = (path, message) => report(["stages", name, ...path], message);
    checkBatch(stage, at);
    if (stage.kind === "image-dino" && stage.ema !== null) at(["ema"], "DINO's teacher is its average: expected null");
    checkBest(recipe, stage, at);
    checkInit(recipe, name, stage, at);
    (STAGE_CHECKS[stage.kind] as StageCheck<StageKind>)(recipe, stage, at);
  }
}

function checkVocabulary({ vocabulary: { kind, path, minCount }, data }: Unnamed, report: Report): void {
  if ((kind === "file") !== (path !== null))
    report(["vocabulary", "path"], `kind "${kind}" ${path === null ? "needs the" : "takes no"} path of a tokenizer`);
  if (kind !== "caption-words") return;
  if (data.pairs.length === 0)
    report(["vocabulary", "kind"], '"caption-words" are those of data.pairs, which is empty');
  if (minCount !== 1)
    report(["vocabulary", "minCount"], 'counts of texts do not choose among "caption-words": minCaptionCount does');
}

function checkBatch(stage: Stage, report: Report): void {
  const { batchSize, gradientAccumulationSteps: micro } = stage;
  if (batchSize % micro !== 0)
    report(["gradientAccumulationSteps"], `${batchSize} samples do not divide into ${micro} micro-batches`);
}

/** Metrics that are no set's, by what they start with, and the data that they are measured on. */
const MEASURED_ON: Readonly<Record<string, (evaluation: Recipe["evaluation"]) => string | undefined>> = {
  mlm: ({ texts }) => (texts.length === 0 ? "evaluation.texts" : undefined),
  mim: ({ validation }) => (Object.keys(validation).length === 0 ? "evaluation.validation" : undefined),
  codebook: ({ validation }) => (Object.keys(validation).length === 0 ? "evaluation.validation" : undefined),
  knn: ({ labelled }) => (labelled === null ? "evaluation.labelled" : undefined),
};

/** Reports sets whose metrics would have the names of others. */
function checkSets({ evaluation }: Unnamed, report: Report): void {
  for (const part of ["validation", "test"] as const)
    for (const name of Object.keys(evaluation[part])) {
      if (Object.hasOwn(MEASURED_ON, name))
        report(["evaluation", part, name], `"${name}" is the name of another evaluation: expected a name of its own`);
      if (part === "test" && Object.hasOwn(evaluation.validation, name))
        report(["evaluation", part, name], `"${name}" is a validation set already: expected a name of its own`);
    }
}

/** Reports a `best` that nothing would measure. */
function checkBest({ evaluation }: Unnamed, { best }: Stage, report: Report): void {
  const complaint = best && whyNotMeasured(evaluation, best.metric);
  if (complaint) report(["best", "metric"], `"${best.metric}" ${complaint}`);
}

/** Held-out metrics are called `eval/<set or evaluation>/<metric>`. */
function whyNotMeasured(evaluation: Unnamed["evaluation"], metric: string): string | undefined {
  const [prefix, of = ""] = metric.split("/");
  const known = [...Object.keys(MEASURED_ON), ...Object.keys(evaluation.validation)];
  if (prefix !== "eval") return `is not measured on held-out data: expected "eval/…", for instance "eval/${metric}"`;
  if (Object.hasOwn(evaluation.test, of)) return "is of a test set, which is measured once, at the end";
  if (!known.includes(of)) return `is measured by nothing: expected eval/ and one of ${known.join(", ")}`;
  const missing = Object.hasOwn(MEASURED_ON, of) ? MEASURED_ON[of]!(evaluation) : undefined;
  return missing && `is measured on ${missing}, which is empty`;
}

function checkInit(recipe: Unnamed, name: string, stage: Stage, report: Report): void {
  const names = Object.keys(recipe.stages);
  const earlier = names.slice(0, names.indexOf(name));
  for (const [part, from] of Object.entries(stage.init) as [keyof typeof GIVES, InitFrom][]) {
    if (typeof from !== "string" || from === "random") continue;
    const giver = earlier.includes(from) ? recipe.stages[from] : undefined;
    if (!giver) {
      const help = earlier.length > 0 ? nearest(from, ["random", ...earlier]) : "there is no earlier stage";
      report(["init", part], `expected random, an earlier stage or {path}, got "${from}" (${help})`);
    } else if (!GIVES[part].includes(giver.kind))
      report(["init", part], `"${from}" is a ${giver.kind} stage, which trains no ${part}`);
  }
}

/** Reports a kind of data that is read and has no source. */
function checkSource(recipe: Unnamed, kind: "pairs" | "images" | "texts", report: Report, path: string[]): void {
  if (recipe.data[kind].length === 0) report(path, `this reads ${kind}, but data.${kind} is empty`);
}

type StageCheck<K extends StageKind> = (recipe: Unnamed, stage: Extract<Stage, { kind: K }>, report: Report) => void;

const STAGE_CHECKS: { readonly [K in StageKind]: StageCheck<K> } = {
  dvae: (recipe, { imageSize }, report) => {
    const { codebook } = recipe.model;
    checkSource(recipe, "images", report, []);
    if (!codebook) report([], "this trains a codebook, but model.codebook is null");
    else if (imageSize !== null && imageSize % wordSize(codebook) !== 0)
      report(["imageSize"], `${imageSize} pixels are not whole words of ${wordSize(codebook)}`);
  },
  "text-mlm": (recipe, { textLength }, report) => {
    checkSource(recipe, "texts", report, []);
    checkLength(recipe, textLength, report, ["textLength"]);
  },
  "image-mim": (recipe, { masking }, report) => {
    checkSource(recipe, "images", report, []);
    if (!recipe.model.codebook) report([], "this predicts visual words, but model.codebook is null");
    checkPatches(recipe, masking, report, ["masking"]);
  },
  "image-dino": (recipe, { localCrops }, report) => {
    const { patchSize } = recipe.model.image;
    checkSource(recipe, "images", report, []);
    if (localCrops.size % patchSize !== 0)
      report(["localCrops", "size"], `${localCrops.size} pixels are not whole patches of ${patchSize}`);
  },
  joint: checkJoint,
};

function checkJoint(recipe: Unnamed, stage: JointStage, report: Report): void {
  const { sampling, lossWeights: w } = stage;
  const kinds = (["pairs", "images", "texts"] as const).filter((kind) => sampling[kind] > 0);
  if (kinds.length === 0) report(["sampling"], "the ratios sum to 0: nothing would be sampled");
  const losses = {
    pairs: w.globalContrastive + w.mmmImage + w.mmmText + w.itm,
    images: w.mim,
    texts: w.mlm,
  };
  for (const kind of kinds) {
    checkSource(recipe, kind, report, ["sampling", kind]);
    if (losses[kind] === 0)
      report(["sampling", kind], `every loss of ${kind} has weight 0: these steps would train nothing`);
  }
  if (kinds.includes("pairs")) {
    checkLength(recipe, stage.textLength.pairs, report, ["textLength", "pairs"]);
    if (w.globalContrastive > 0 && stage.batchSize < 2)
      report(["batchSize"], "the contrastive loss compares samples: expected 2 or more");
  }
  if (kinds.includes("texts")) checkLength(recipe, stage.textLength.texts, report, ["textLength", "texts"]);
  const masked = (kinds.includes("images") && w.mim > 0) || (kinds.includes("pairs") && w.mmmImage > 0);
  if (masked) {
    checkPatches(recipe, stage.imageMasking, report, ["imageMasking"]);
    if (!recipe.model.codebook) report([], "mim and mmmImage predict visual words, but model.codebook is null");
  }
}

function checkLength({ model }: Unnamed, length: number, report: Report, path: string[]): void {
  if (length > model.text.maxPositions)
    report(path, `${length} tokens are more than model.text.maxPositions ${model.text.maxPositions}`);
  if (length < 3) report(path, `${length} tokens hold no word between [CLS] and [SEP]: expected 3 or more`);
}

function checkPatches({ model }: Unnamed, masking: PatchMasking, report: Report, path: string[]): void {
  const { patches, minBlock, maxBlock } = masking;
  const grid = gridSize(model.image);
  if (patches > grid * grid)
    report(
      [...path, "patches"],
      `${patches} masked patches are more than the ${grid} × ${grid} = ${grid * grid} there are`,
    );
  if (minBlock > patches) report([...path, "minBlock"], `a block of ${minBlock} is more than the ${patches} to mask`);
  if (maxBlock !== null && maxBlock < minBlock)
    report([...path, "maxBlock"], `expected ${minBlock} (minBlock) or more, got ${maxBlock}`);
}
