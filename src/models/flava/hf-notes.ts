/** Where Hugging Face's FLAVA treats a model of ours differently from us (transformers 5.24, modeling_flava; docs/reference.md). */
import type { DvaeConfig } from "../dvae/config.ts";
import type { FlavaConfig } from "./config.ts";
import { flavaParameters } from "./parameters.ts";

/** Whether their codebook class can hold this one: it always has four groups, whatever `num_groups` says. */
export const opensCodebook = (codebook: DvaeConfig | null): boolean => codebook?.groups === 4;

export interface NotesOptions {
  /** By name; 1 unless said. */
  readonly lossWeights: Readonly<Record<string, number>>;
  /** Names of the tensors in the file; all of the model's unless said. */
  readonly tensors?: Iterable<string> | undefined;
}

/** One sentence for each part that does not load there, or computes something else; none for a model that is theirs. */
export function huggingFaceNotes(config: FlavaConfig, { lossWeights, tensors }: NotesOptions): string[] {
  const { image, text, multimodal, codebook } = config;
  const when = (applies: boolean, note: string): string[] => (applies ? [note] : []);
  const [low, high] = config.logitScaleRange;
  return [
    ...when(
      codebook !== null && !opensCodebook(codebook),
      `The codebook has ${codebook?.groups} groups and FlavaImageCodebook always four: FlavaForPreTraining opens without a codebook and leaves the tensors image_codebook.* over; give it mim_labels. FlavaModel is not concerned.`,
    ),
    ...when(
      image.hiddenSize !== multimodal.hiddenSize || text.hiddenSize !== multimodal.hiddenSize,
      `The encoders have widths ${image.hiddenSize}, ${text.hiddenSize} and ${multimodal.hiddenSize}: FlavaForPreTraining's multimodal heads have those of the image and text encoders, so it does not open. FlavaModel does.`,
    ),
    ...when(
      config.headLayerNormEps !== null,
      `The heads were trained with a LayerNorm eps of ${config.headLayerNormEps}; FlavaForPreTraining takes the encoders'.`,
    ),
    ...when(
      config.textPadMask !== "given",
      `Padding of texts was ${config.textPadMask === "none" ? "not hidden: give no attention_mask" : "hidden by its id: give an attention_mask"}.`,
    ),
    ...when(
      !config.multimodalPadMask,
      "The multimodal encoder was trained to attend padding; transformers 5 hides it.",
    ),
    ...when(
      !multimodal.clsToken,
      "The multimodal encoder has no CLS; FlavaForPreTraining's masked losses on pairs then read the patches from the second on and the CLS of the text for the last.",
    ),
    ...when(
      multimodal.layer !== "flava",
      `The layers of the multimodal encoder are ${[multimodal.layer].flat().join(", ")}, which FlavaMultimodalModel does not have: its own are drawn at random there.`,
    ),
    ...when(
      low !== 0 || high !== 4.6052,
      `In training, logit_scale was kept in [${low}, ${high}]; FlavaForPreTraining keeps it in [0, 4.6052].`,
    ),
    ...when(
      lossWeights.itm === 0,
      "With itm_weight 0, FlavaForPreTraining takes mismatched pairs into the other losses on pairs; here they were left out.",
    ),
    ...(tensors ? lacking(config, new Set(tensors)) : []),
  ];
}

/** The parameters that are not in the file, by the parts that they belong to. */
function lacking(config: FlavaConfig, found: ReadonlySet<string>): string[] {
  const counts = new Map<string, number>();
  for (const { name } of flavaParameters(config)) {
    if (found.has(name)) continue;
    const part = /^(flava\.)?\w+/.exec(name)![0];
    counts.set(part, (counts.get(part) ?? 0) + 1);
  }
  if (counts.size === 0) return [];
  const list = [...counts].map(([part, count]) => `${part} (${count})`).join(", ");
  return [`Not trained and not in the file: ${list}. Hugging Face draws these tensors at random.`];
}
