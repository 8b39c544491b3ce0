export { attention } from "./attention.ts";
export { reconstructions } from "./codebook.ts";
export { drawSections, type NamedSection, type SectionName } from "./draw.ts";
export type { Drawing, DrawOptions } from "./drawing.ts";
export type { PairMasks } from "./feeds.ts";
export { imagePatches, pairPatches } from "./patches.ts";
export { rank } from "./ranking.ts";
export { foundCaptions, foundPictures, mistakes } from "./retrieval.ts";
export { pairWords, textWords } from "./words.ts";
