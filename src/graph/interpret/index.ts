export { type Feeds, type InterpretOptions, interpret, interpretWorkers } from "./interpret.ts";
export type { Precision } from "./storage.ts";
