/** The configuration entries of ONNX Runtime that session options stand for. */
import type { SessionOptions } from "../session.ts";

/** Entries by key; those of `options.config` win. */
export function configEntries(options: SessionOptions): Record<string, string> {
  const { spin } = options;
  return {
    "session.intra_op.allow_spinning": spin === false ? "0" : "1",
    "session.force_spinning_stop": spin === undefined ? "1" : "0",
    ...options.config,
  };
}
