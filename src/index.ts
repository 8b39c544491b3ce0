/** The package's front door: what most programs need. docs/package.md lists the other entries, `flava/<room>`. */
export { FlavaModel, FlavaProcessor, pipeline } from "./api/index.ts";
export { FlavaError } from "./errors.ts";
export { flavaConfig, imageGraph, multimodalGraph, textGraph, variants } from "./models/flava/index.ts";
export { initialize, Params } from "./nn/index.ts";
export { parseRecipe, pretrain, type Recipe, resolveRecipe } from "./pretrain/index.ts";
export { compile, openDevice, State } from "./runtime/index.ts";
