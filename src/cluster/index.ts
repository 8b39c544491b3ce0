export { type Cluster, inOrder, type Memory, type NativeMemory, type Numbers, type UnderWay } from "./cluster.ts";
export { workersInProcess } from "./in-process.ts";
export { type Launch, launchOf } from "./mpi/launcher.ts";
export { loadMpi } from "./mpi/library.ts";
export { type MpiOptions, openMpi } from "./mpi/mpi.ts";
export { oneWorker } from "./one.ts";
export { gatherTexts, textOfFirst } from "./text.ts";
