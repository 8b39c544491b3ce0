/** The device `xla:cpu` for tests, where a plugin is installed; a line that says so where none is. */
import { EngineError } from "../../src/errors.ts";
import { openXla, type XlaDevice } from "../../src/runtime/xla/device.ts";

// LLVM's optimisations are half of what a test takes, and no test is about them; XLA_FLAGS from outside stand.
process.env.XLA_FLAGS ??= "--xla_backend_optimization_level=0";

/** Undefined, and one line on the screen, without a plugin. Two pretended devices, so that replicas can be tried. */
export const xla: XlaDevice | undefined = await openXla("cpu", { devices: 2, compiled: false, trial: false }).catch(
  (error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    console.warn(`skipped, no PJRT plugin for processors: ${error.help}`);
    return undefined;
  },
);
