export { type Added, type AddOptions, type AddPlan, type AddProgress, addEngine, planEngine } from "./add.ts";
export { type Engine, type EnginePackage, engineNamed, engines, enginesFor, librariesOf } from "./catalogue.ts";
export type { Choice, Wheel } from "./choose.ts";
export { type EngineStatus, type InstalledEngine, listEngines } from "./list.ts";
export { bytesOf, type EngineManifest } from "./manifest.ts";
export { enginesFolder, type FindOptions, findInPackages, pythonFolders, subfolders } from "./places.ts";
export { type Removed, removeEngine } from "./remove.ts";
export { describeMachine, type Machine, thisMachine } from "./wheel-name.ts";
