/** Parameter groups: which parameters decay, move slower, or stay. The first rule whose pattern matches a name decides. */
import { ConfigError } from "../errors.ts";
import type { Value } from "../graph/index.ts";

export interface GroupRule {
  /** Tested against the parameter's checkpoint name. */
  readonly match: RegExp;
  readonly weightDecay?: number | Value;
  /** Multiplies the learning rate. */
  readonly lrScale?: number | Value;
  /** No gradient, no update. */
  readonly frozen?: boolean;
}

export interface Group {
  readonly weightDecay: number | Value;
  readonly lrScale: number | Value;
  readonly frozen: boolean;
}

/** The group of a parameter. */
export function groupOf(name: string, rules: readonly GroupRule[], weightDecay: number | Value): Group {
  const rule = rules.find(({ match }) => match.test(name));
  return { weightDecay: rule?.weightDecay ?? weightDecay, lrScale: rule?.lrScale ?? 1, frozen: rule?.frozen ?? false };
}

/** Excludes biases, normalisation weights and 1-dimensional tensors from weight decay, as most transformer recipes do. */
export const noDecayOnVectors: GroupRule = {
  match: /(\.bias|[lL]ayer[nN]orm[^.]*\.weight|cls_token|mask_token|position_embeddings|logit_scale)$/,
  weightDecay: 0,
};

/**
 * Layer-wise learning rates: layer i of n moves at decay^(n − i), embeddings at decay^(n + 1), the rest at 1
 * (Clark et al., arXiv:2003.10555; Bao et al., arXiv:2106.08254).
 */
export function layerDecay(encoder: string, layers: number, decay: number): GroupRule[] {
  if (!(decay > 0 && decay <= 1)) throw new ConfigError(`layer decay: expected a number in (0, 1], got ${decay}`);
  const escaped = encoder.replaceAll(".", "\\.");
  const rules: GroupRule[] = [{ match: new RegExp(`^${escaped}\\.embeddings\\.`), lrScale: decay ** (layers + 1) }];
  for (let i = 0; i < layers; i++)
    rules.push({ match: new RegExp(`^${escaped}\\.encoder\\.layer\\.${i}\\.`), lrScale: decay ** (layers - i) });
  return rules;
}
