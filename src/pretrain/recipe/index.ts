export { describeIssues } from "./issues.ts";
export { recipeJsonSchema } from "./json-schema.ts";
export { loadRecipe, parseRecipe, parseYaml, type Resolved, type ResolveOptions, resolveRecipe } from "./load.ts";
export { checkPlaces, missingPlaces } from "./places.ts";
export {
  describePlan,
  type Fit,
  formatPlan,
  formatTotals,
  type MeasureStage,
  type Plan,
  type PlannedStage,
  type PlanOptions,
  type StageMeasure,
} from "./plan.ts";
export type { Override } from "./set.ts";
export { tinyRecipe } from "./tiny.ts";
export type * from "./types.ts";
