/** The package's front door: what most programs need. Everything else is under `flava/<room>`. */
export { FlavaError } from "./errors.ts";
export { flavaConfig, imageGraph, multimodalGraph, textGraph, variants } from "./models/flava/index.ts";
export { initialize, Params } from "./nn/index.ts";
export { compile, openDevice, State } from "./runtime/index.ts";
