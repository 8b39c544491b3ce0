export * from "./bad-list.ts";
export { expandLocations } from "./braces.ts";
export { openSource } from "./open.ts";
export { SOURCE_TYPES, type SourceSpec, type SourceType, sourceName, sourceSchema } from "./options.ts";
export { buildShards, type ShardManifest, type ShardOptions } from "./shards.ts";
export * from "./source.ts";
