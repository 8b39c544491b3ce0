/** Sizes of the discrete VAE that turns images into visual words (DALL-E, arXiv:2102.12092, appendix A). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";

/** Sizes of the discrete VAE. */
export interface DvaeConfig {
  /** Groups of blocks; all but the last (encoder) or first (decoder) change the side by 2, so a word covers 2^(groups − 1) pixels. */
  readonly groups: number;
  readonly blocksPerGroup: number;
  readonly channels: number;
  /** Width of the group at full resolution; it doubles with each halving of the side. */
  readonly hiddenSize: number;
  readonly vocabSize: number;
}

/** Any field may be left out: the schema fills in the published codebook's value. */
export type DvaeConfigInput = { readonly [K in keyof DvaeConfig]?: DvaeConfig[K] | undefined };

const whole = z.int().positive();

/** Defaults: the published codebook. */
export const dvaeConfigSchema: z.ZodType<DvaeConfig, DvaeConfigInput> = z.strictObject({
  groups: whole.default(4),
  blocksPerGroup: whole.default(2),
  channels: whole.default(3),
  hiddenSize: z.int().positive().multipleOf(4).default(256),
  vocabSize: whole.default(8192),
});

/** Fills in defaults and checks. Throws ConfigError. */
export function dvaeConfig(values: DvaeConfigInput = {}): DvaeConfig {
  const parsed = dvaeConfigSchema.safeParse(values);
  if (!parsed.success) throw new ConfigError(`dVAE configuration:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Pixels along the side of what one visual word stands for. */
export const wordSize = (config: Pick<DvaeConfig, "groups">): number => 2 ** (config.groups - 1);
