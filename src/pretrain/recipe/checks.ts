/** Checks of a recipe that look at more than one field; each kind of stage adds its own. */
import type { z } from "zod";
import { nearest } from "../../tensor/index.ts";
import type { Report, StageBase, StageKind, Unplaced } from "../stages/stage.ts";
import { familyOf, kindOf, type Tables } from "../tables.ts";

/** Keys that no resumed run may change. */
export const NEVER: RegExp = /^(architecture|family|model|seed|vocabulary)\b/;

/** Reports every contradiction at its path. */
export function checkRecipe(tables: Tables, recipe: Unplaced, context: z.RefinementCtx): void {
  const report: Report = (path, message) => context.addIssue({ code: "custom", path: [...path], message });
  if (Object.keys(recipe.stages).length === 0) report(["stages"], "expected at least one stage");
  for (const [i, key] of recipe.mayChange.entries())
    if (NEVER.test(key))
      report(["mayChange", i], `"${key}" cannot change: its weights or draws would be another run's`);
  checkVocabulary(recipe, report);
  checkSets(tables, recipe, report);
  for (const [name, stage] of Object.entries(recipe.stages)) {
    const at: Report = (path, message) => report(["stages", name, ...path], message);
    if (!checkFamily(tables, recipe, stage, at)) continue;
    checkBatch(stage, at);
    checkBest(tables, recipe, stage, at);
    checkInit(tables, recipe, name, stage, at);
    kindOf(tables, stage).check?.(recipe, stage, at);
  }
}

/** Whether a stage trains models of the recipe's family; reports where it does not. */
function checkFamily(tables: Tables, { family }: Unplaced, stage: StageBase, report: Report): boolean {
  const trained = kindOf(tables, stage).family ?? family;
  if (trained !== family)
    report(["kind"], `a ${stage.kind} stage trains a ${trained}, and family is ${family}: say family: ${trained}`);
  return trained === family;
}

function checkVocabulary({ vocabulary: { kind, path } }: Unplaced, report: Report): void {
  if ((kind === "file") !== (path !== null))
    report(["vocabulary", "path"], `kind "${kind}" ${path === null ? "needs the" : "takes no"} path of a tokenizer`);
}

function checkBatch({ batchSize, gradientAccumulationSteps: micro }: StageBase, report: Report): void {
  if (batchSize % micro !== 0)
    report(["gradientAccumulationSteps"], `${batchSize} samples do not divide into ${micro} micro-batches`);
}

/** Reports sets whose metrics would have the names of others. */
function checkSets({ kinds }: Tables, { evaluation }: Unplaced, report: Report): void {
  const taken = Object.values(kinds).flatMap(({ measures = {} }) => Object.keys(measures));
  for (const part of ["validation", "test"] as const)
    for (const name of Object.keys(evaluation[part])) {
      if (taken.includes(name))
        report(["evaluation", part, name], `"${name}" is the name of another evaluation: expected a name of its own`);
      if (part === "test" && Object.hasOwn(evaluation.validation, name))
        report(["evaluation", part, name], `"${name}" is a validation set already: expected a name of its own`);
    }
}

/** Reports a `best` that nothing would measure. */
function checkBest(tables: Tables, { evaluation }: Unplaced, stage: StageBase, report: Report): void {
  const { best } = stage;
  const complaint = best && whyNotMeasured(kindOf(tables, stage), evaluation, best.metric);
  if (complaint) report(["best", "metric"], `"${best!.metric}" ${complaint}`);
}

/** Held-out metrics are called `eval/<set or evaluation>/<metric>`. */
function whyNotMeasured(
  { measures = {}, test }: StageKind<StageBase>,
  evaluation: Unplaced["evaluation"],
  metric: string,
): string | undefined {
  const [prefix, of = ""] = metric.split("/");
  const known = [...Object.keys(measures), ...(test ? Object.keys(evaluation.validation) : [])];
  if (prefix !== "eval") return `is not measured on held-out data: expected "eval/…", for instance "eval/${metric}"`;
  if (Object.hasOwn(evaluation.test, of)) return "is of a test set, which is measured once, at the end";
  if (known.length === 0) return "is measured by nothing: this kind of stage has no evaluations";
  if (!known.includes(of)) return `is not measured by this stage: expected eval/ and one of ${known.join(", ")}`;
  const needed = Object.hasOwn(measures, of) ? measures[of]! : undefined;
  return needed && isEmpty(evaluation[needed]) ? `is measured on evaluation.${needed}, which is empty` : undefined;
}

const isEmpty = (given: object | null): boolean => given === null || Object.keys(given).length === 0;

/** Reports weights from a stage that does not come before, or that does not train them. */
function checkInit(tables: Tables, recipe: Unplaced, name: string, stage: StageBase, report: Report): void {
  const names = Object.keys(recipe.stages);
  const earlier = names.slice(0, names.indexOf(name));
  const { parts } = familyOf(tables, recipe);
  for (const [part, from] of Object.entries(stage.init)) {
    if (!Object.hasOwn(parts, part))
      report(["init", part], `a ${recipe.family} has no ${part}: expected one of ${Object.keys(parts).join(", ")}`);
    if (typeof from !== "string" || from === "random") continue;
    const giver = earlier.includes(from) ? recipe.stages[from] : undefined;
    if (!giver) {
      const help = earlier.length > 0 ? nearest(from, ["random", ...earlier]) : "there is no earlier stage";
      report(["init", part], `expected random, an earlier stage or {path}, got "${from}" (${help})`);
    } else if (!kindOf(tables, giver).gives.includes(part))
      report(["init", part], `"${from}" is a ${giver.kind} stage, which trains no ${part}`);
  }
}
