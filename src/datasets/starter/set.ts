/** The starter data as a named set: `starter:PART`, or which edition of it in full. */
import { z } from "zod";
import { type FileState, fingerprintOf, openSource } from "../../data/sources/index.ts";
import type { NamedSet } from "../sets.ts";
import { DERIVED, derivedSource } from "./derived/derived.ts";
import { fetchStarter, findStarter, starterSplit } from "./fetch.ts";
import type { HeldOutBy } from "./split.ts";

/** A part of the starter data: pairs, images, texts, validation, … */
export interface StarterChoice {
  readonly part: string;
  /** What its unseen concepts are held out by. Default `"families"`. */
  readonly heldOutBy?: HeldOutBy | undefined;
  readonly cacheDir?: string | undefined;
}

const text = z.string().min(1);

export const starterSet: NamedSet<StarterChoice> = {
  fields: {
    part: text,
    heldOutBy: z.enum(["families", "concepts"]).optional(),
    cacheDir: text.optional(),
  },
  parse: (part) => ({ part }),
  title: ({ part, heldOutBy }) => `starter:${part}${heldOutBy === "concepts" ? " by concepts" : ""}`,
  fetch: ({ heldOutBy, cacheDir }, options) =>
    fetchStarter({ ...options, heldOutBy, cacheDir: cacheDir ?? options.cacheDir }),
  isThere: async ({ heldOutBy, cacheDir }, options) =>
    (await findStarter({ heldOutBy, cacheDir: cacheDir ?? options.cacheDir })) !== undefined,
  async open(name, { part, heldOutBy, cacheDir }, options) {
    const data = await fetchStarter({ ...options, heldOutBy, cacheDir: cacheDir ?? options.cacheDir });
    if (DERIVED.includes(part)) return { ...(await derivedSource(data, part, options.signal)), name };
    const { source, files } = starterSplit(data, part);
    const opened = await openSource({ ...source, name }, { signal: options.signal });
    const known = fingerprintOf(files.map((file) => hashed(file, data.manifest.files[file]!)));
    return { ...opened, captions: "tags", fingerprint: async () => known };
  },
};

/** A file by its hash: prepared again, it is the same. */
const hashed = (name: string, { bytes, sha256 }: { bytes: number; sha256: string }): FileState => ({
  name,
  bytes,
  version: sha256,
});
