/** The code bases whose files are read, one file each. */
import type { Layout } from "../../layout.ts";
import type { AlbefConfigInput } from "../config.ts";
import { bert, deit, original } from "./original.ts";

/** How a file names the tensors of an ALBEF. */
export type AlbefLayout = "albef" | "albef-vit" | "albef-bert";

export const albefLayouts: { readonly [L in AlbefLayout]: Layout<AlbefConfigInput> } = {
  albef: original,
  "albef-vit": deit,
  "albef-bert": bert,
};
