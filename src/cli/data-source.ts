/** Opens what a command names; a part of a named set is fetched first, with a progress line. */
import type { Source } from "../data/sources/index.ts";
import { openData } from "../datasets/index.ts";
import type { Io } from "./command.ts";
import { withProgress } from "./data-fetch.ts";

/** As openData. `cacheDir` says where fetched data lies. */
export const openNamed = (
  io: Io,
  spec: string,
  { cacheDir, outside }: { readonly cacheDir?: string; readonly outside?: boolean },
): Promise<Source> =>
  withProgress(io, (onProgress) => openData(spec, { cacheDir, outside, signal: io.signal, note: io.note, onProgress }));
