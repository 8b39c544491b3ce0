export { createEmbedder, type Embedder } from "./embed.ts";
export { imageFeeds, type Picture, textFeeds } from "./feeds.ts";
export type { LoadedModel } from "./loaded-model.ts";
export { createMatcher, type Matcher, type PictureText } from "./match.ts";
export { runOnce } from "./run-once.ts";
export { batches, createRunner, cutRows, hasParameters, joinEmbeds, only, type Runner } from "./runner.ts";
