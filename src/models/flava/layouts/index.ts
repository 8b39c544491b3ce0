/** The code bases whose files are read and written, one file each. A new one is a file beside this and a row here. */
import type { Layout } from "../../layout.ts";
import type { FlavaConfigInput } from "../config.ts";
import { dino } from "./dino.ts";
import { huggingface } from "./huggingface.ts";
import { openaiDvae } from "./openai-dvae.ts";
import { torchmultimodal } from "./torchmultimodal.ts";

/** How a file names the tensors of a FLAVA. */
export type FlavaLayout = "torchmultimodal" | "openai-dvae" | "dino" | "huggingface";

/** In the order in which a file is tried: those with a sign of their own first. */
export const flavaLayouts: { readonly [L in FlavaLayout]: Layout<FlavaConfigInput> } = {
  torchmultimodal,
  "openai-dvae": openaiDvae,
  dino,
  huggingface,
};
