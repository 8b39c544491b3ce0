/** Free space on disk (Node). */
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Bytes that this user may still write below a path, which need not exist yet. Undefined where the system does not say. */
export async function freeBytes(path: string): Promise<number | undefined> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = await statfs(at).catch((error: NodeJS.ErrnoException) => error.code);
    if (typeof found === "object") return found.bavail * found.bsize;
    if (found !== "ENOENT" || at === dirname(at)) return undefined;
  }
}
