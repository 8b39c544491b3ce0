/** The named sizes of FLAVA. Each is a JSON file of what differs from the base model; adding one needs no code. */
import { type FlavaConfig, flavaConfig } from "./config.ts";
import base from "./variants/base.json" with { type: "json" };
import small from "./variants/small.json" with { type: "json" };
import tiny from "./variants/tiny.json" with { type: "json" };

/** "tiny" is for tests, "small" for training on a laptop, "base" is the published model. */
export const variants: Readonly<Record<"tiny" | "small" | "base", FlavaConfig>> = {
  tiny: flavaConfig(tiny),
  small: flavaConfig(small),
  base: flavaConfig(base),
};
