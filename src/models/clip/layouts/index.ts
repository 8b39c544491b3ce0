/** The code bases whose files are read, one file each. */
import type { Layout } from "../../layout.ts";
import type { ClipConfigInput } from "../config.ts";
import { huggingface } from "./huggingface.ts";
import { openai } from "./openai.ts";

/** How a file names the tensors of a CLIP. */
export type ClipLayout = "openai-clip" | "huggingface-clip";

export const clipLayouts: { readonly [L in ClipLayout]: Layout<ClipConfigInput> } = {
  "openai-clip": openai,
  "huggingface-clip": huggingface,
};
