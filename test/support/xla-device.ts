/** The device `xla:cpu` for tests, where a plugin is installed; a line that says so where none is. */
import { EngineError } from "../../src/errors.ts";
import { openXla, type XlaDevice } from "../../src/runtime/xla/device.ts";

/** Undefined, and one line on the screen, without a plugin. Two pretended devices, so that replicas can be tried. */
export const xla: XlaDevice | undefined = await openXla("cpu", { devices: 2 }).catch((error: unknown) => {
  if (!(error instanceof EngineError)) throw error;
  console.warn(`skipped, no PJRT plugin for processors: ${error.help}`);
  return undefined;
});
