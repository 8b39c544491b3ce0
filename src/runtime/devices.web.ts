/** The devices of browsers. Its counterpart for Node is devices.node.ts. */

import type { DeviceName } from "./device-names.ts";
import type { OpenDevice } from "./device-options.ts";

/** A browser asks for nothing. */
export const checkPlatform = (): void => {};

/** Those that need nothing of Node. */
export const DEVICES: { readonly [N in DeviceName]?: OpenDevice<N> } = {
  interpret: async (options) => (await import("./interpret/device.ts")).openInterpreter(options),
};
