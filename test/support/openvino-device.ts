/** The device `openvino` for tests, where its provider is installed; a line that says so where it is not. */
import { EngineError } from "../../src/errors.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";

/** Undefined, and one line on the screen, without the provider. */
export const openvino: Device | undefined = await openDevice("openvino", { threads: 1, inference: "fp32" }).catch(
  (error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    console.warn(`skipped: ${error.message.split(":").slice(0, 2).join(":")}; ${error.help}`);
    return undefined;
  },
);
