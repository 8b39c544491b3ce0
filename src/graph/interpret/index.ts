export type { Feeds } from "../../tensor/index.ts";
export { type InterpretOptions, interpret, interpretWorkers } from "./interpret.ts";
export type { Precision } from "./storage.ts";
