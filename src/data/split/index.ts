export { type Assignment, assignGroups, type Shares, type SplitPart } from "./assign.ts";
export { Grouping, type Groups } from "./groups.ts";
export { captionWords, headWord, marksOf, normalCaption, SPLIT_BY, type SplitBy } from "./marks.ts";
export { type SplitManifest, type SplitOptions, splitSource } from "./split.ts";
export { type HeldOutSet, withoutSource } from "./without.ts";
