export * from "./checkpoint/index.ts";
export { type Difference, differences, formatDifference, hashOf, listDifferences } from "./differences.ts";
export { type Environment, environment } from "./environment.ts";
export type {
  AttentionMaps,
  ColourErrors,
  Confusion,
  GallerySection,
  Guess,
  ImageToText,
  MaskedPatches,
  MaskedWords,
  Reconstructions,
  Scores,
  SectionForms,
  SectionKind,
  TextToImage,
  WordNeighbours,
} from "./forms.ts";
export { GALLERY_FOLDER, type LoadedSection, loadGallery, saveGallerySection } from "./gallery.ts";
export * from "./logs/index.ts";
export { RECIPE_FILE, readRecipe, refuseOldRun, saveRecipe } from "./recipe.ts";
export {
  findRunInfo,
  loadRunInfo,
  type Resumption,
  RUN_FILE,
  type RunInfo,
  type SetCoverage,
  type StageInfo,
  saveRunInfo,
} from "./run-info.ts";
export { openRunRecord, type RunRecord, type StageProgress } from "./run-record.ts";
