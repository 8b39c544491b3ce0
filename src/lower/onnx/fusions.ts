/** All fusions, in the order in which they are tried. */
import type { Fusion } from "./fusion.ts";

export type FusionName = string;

export const allFusions: readonly Fusion[] = [];
