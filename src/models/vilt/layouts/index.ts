/** The code bases whose files are read, one file each. */
import type { Layout } from "../../layout.ts";
import type { ViltConfigInput } from "../config.ts";
import { huggingface } from "./huggingface.ts";
import { original, vit } from "./original.ts";

/** How a file names the tensors of a ViLT. */
export type ViltLayout = "vilt" | "huggingface-vilt" | "vilt-vit";

export const viltLayouts: { readonly [L in ViltLayout]: Layout<ViltConfigInput> } = {
  vilt: original,
  "huggingface-vilt": huggingface,
  "vilt-vit": vit,
};
