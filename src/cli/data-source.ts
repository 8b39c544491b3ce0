/** Opens a source that a command names; a part of the starter data is fetched first, with a progress line. */
import { openSource, type Source } from "../data/sources/index.ts";
import type { Io } from "./command.ts";

const STARTER = "starter:";

/** As openSource. `cacheDir` says where the starter data lies. */
export async function openNamed(io: Io, spec: string, cacheDir: string | undefined): Promise<Source> {
  const { signal } = io;
  if (!spec.startsWith(STARTER)) return openSource(spec, { signal });
  const { fetchStarter } = await import("../datasets/starter/index.ts");
  const { withProgress } = await import("./data-fetch.ts");
  await withProgress(io, (onProgress) => fetchStarter({ cacheDir, signal, onProgress }));
  return openSource({ type: "starter", part: spec.slice(STARTER.length), cacheDir, name: spec }, { signal });
}
