export { checkResumable, type Difference, differences, recipeHash } from "./compare.ts";
export * from "./find.ts";
export type { BestSoFar, CheckpointState, Json } from "./format.ts";
export { betterOf, type Checkpoint, type SaveCheckpointOptions, saveCheckpoint } from "./save.ts";
export { type Aliases, aliasesOf, readMatching, restoreTensors, storeEntries, type TensorStore } from "./tensors.ts";
