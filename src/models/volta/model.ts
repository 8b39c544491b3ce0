/**
 * ViLBERT, LXMERT, VL-BERT, VisualBERT and UNITER (arXiv:2011.15124): embeddings of each and one stack of bimodal sub-layers. Parameter
 * names are those of VOLTA.
 */
import { type Bimodal, bimodalStack, normal, type Params, paddingMask, type Taps } from "../../nn/index.ts";
import { type VoltaConfig, voltaSublayers } from "./config.ts";
import { type VoltaInputs, voltaEmbeddings } from "./embeddings.ts";

/** What hides a key: VOLTA's and BERT's. */
const DROP = -10_000;

export interface VoltaOutputs {
  readonly embeddings: Bimodal;
  /** States of the last sub-layer, (B, T, D) and (B, R, D). */
  readonly states: Bimodal;
}

/** Both modalities through the stack. `p` is the root. */
export function volta(p: Params, config: VoltaConfig, inputs: VoltaInputs, out?: Taps): VoltaOutputs {
  const bert = initialised(p, config).at("bert");
  const embeddings = voltaEmbeddings(bert, config, inputs);
  const masks = {
    text: paddingMask(inputs.attention_mask, embeddings.text, DROP),
    vision: paddingMask(inputs.region_mask, embeddings.vision, DROP),
  };
  const states = bimodalStack(bert, embeddings, voltaSublayers(config), { masks, eps: config.layerNormEps, out });
  return { embeddings, states };
}

const initialised = (p: Params, { initializerRange }: VoltaConfig): Params => p.withWeights(normal(initializerRange));
