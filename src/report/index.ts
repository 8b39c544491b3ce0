export {
  type AttentionMaps,
  GALLERY_FOLDER,
  type GallerySection,
  type Guess,
  type ImageToText,
  type MaskedPatches,
  type MaskedWords,
  type Reconstructions,
  saveGallerySection,
  type TextToImage,
} from "../record/gallery.ts";
export {
  type Environment,
  environment,
  loadRecipe,
  loadRunInfo,
  RECIPE_FILE,
  RUN_FILE,
  type RunInfo,
  refuseOldRun,
  type StageInfo,
  saveRecipe,
  saveRunInfo,
} from "../record/run-info.ts";
export { CARD_FILE, type CardOptions, modelCard, writeCard } from "./card.ts";
export { type Comparison, compareRuns, comparisonTable, type ResultRow } from "./compare.ts";
export { REPORT_FILE, type ReportOptions, writeReport } from "./write.ts";
