export * from "./find.ts";
export {
  BEST_FILE,
  type BestSoFar,
  bestSchema,
  type CheckpointState,
  EVALUATION_DUE,
  evaluationDue,
  folderName,
  MODEL_FILE,
  OPTIMIZER_FILE,
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
