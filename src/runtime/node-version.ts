/** The oldest Node that this package runs on, as package.json's `engines` says. */
import { EngineError } from "../errors.ts";

const OLDEST = [20, 19] as const;

/** Throws EngineError on an older Node. Elsewhere, in a browser for one, it asks for nothing. */
export function checkNode(version: string | undefined = globalThis.process?.versions?.node): void {
  if (version === undefined) return;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needed, least] = OLDEST;
  if (major > needed || (major === needed && minor >= least)) return;
  throw new EngineError(
    `expected Node ${needed}.${least} or later, got ${version}`,
    "install a newer Node: nodejs.org",
  );
}
