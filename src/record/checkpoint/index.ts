export { checkResumable, type Difference, differences, recipeHash } from "./compare.ts";
export * from "./find.ts";
export {
  BEST_FILE,
  type BestSoFar,
  bestSchema,
  type CheckpointState,
  folderName,
  hashOf,
  type Json,
  MODEL_FILE,
  OPTIMIZER_FILE,
  OWED,
  owesEvaluation,
} from "./format.ts";
export { betterOf, type Checkpoint, removeCheckpoint, type SaveCheckpointOptions, saveCheckpoint } from "./save.ts";
export {
  type Aliases,
  aliasesOf,
  mismatch,
  readTied,
  restoreTensors,
  storeEntries,
  type TensorSource,
  type TensorStore,
} from "./tensors.ts";
