export type { Item, LayoutReader, Listing, Place } from "./layout.ts";
export { findTask, openOwnSplit, openSplit, requireTask, type TaskPlace, type TaskSource } from "./open.ts";
export { layouts } from "./table.ts";
