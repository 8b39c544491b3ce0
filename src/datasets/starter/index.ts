export { evaluationCaption, starterCaption } from "../../data/loader/tag-captions.ts";
export { defaultCacheDir } from "./cache-dir.ts";
export * from "./fetch.ts";
export {
  readManifest,
  type SplitEntry,
  type SplitKind,
  type StarterManifest,
  type StarterRecipe,
} from "./manifest.ts";
export {
  type PackageFacts,
  type PinnedPackage,
  pinnedPackages,
  STARTER_PACKAGES,
  type StarterSize,
} from "./packages.ts";
export type { HeldOutBy } from "./split.ts";
