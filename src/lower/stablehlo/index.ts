export { type Lowered, type LowerOptions, type Port, toStableHlo } from "./lower.ts";
