export * from "./bad-list.ts";
export { expandLocations } from "./braces.ts";
export { decodableSource } from "./decodable.ts";
export * from "./fingerprint.ts";
export {
  type OpenOptions,
  SOURCE_TYPES,
  type SourceSpec,
  type SourceType,
  sourceName,
  sourceSchema,
} from "./formats.ts";
export type { Objects, Regions } from "./objects.ts";
export { locationsOf, openSource, resolveSpec, splitSpec } from "./open.ts";
export { checkedRegions, tagList } from "./regions.ts";
export { buildShards, type ShardManifest, type ShardOptions } from "./shards.ts";
export { sharedSource } from "./share.ts";
export * from "./source.ts";
