export { COMMON_NOUNS } from "./common-nouns.ts";
export {
  type DataSpec,
  dataLocations,
  dataName,
  dataSchema,
  fetchData,
  isAtHand,
  namedPart,
  openData,
} from "./open.ts";
export type { FetchProgress, NamedSet, SetOptions, SetSpec } from "./sets.ts";
