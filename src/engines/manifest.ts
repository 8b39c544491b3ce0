/** What `add` writes into the folder of an engine, so that `list` can name it and `remove` knows what is its own. */
import { existsSync, readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** Its name in the engine's folder. */
export const MANIFEST = "engine.json";

/** One engine that `add` has made. */
export interface EngineManifest {
  readonly engine: string;
  readonly version: string;
  readonly device: string;
  /** The library that is loaded, inside the folder. */
  readonly library: string;
  /** What was fetched; `url` is without credentials, and `sha256` null where the index named none. */
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly file: string;
    readonly url: string;
    readonly sha256: string | null;
  }[];
  /** With slashes, from the folder on. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** A path that stays inside. */
export const INSIDE: RegExp = /^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\\:]+$/;

const SCHEMA: z.ZodType<EngineManifest> = z.object({
  engine: z.string(),
  version: z.string(),
  device: z.string(),
  library: z.string(),
  packages: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      file: z.string(),
      url: z.string(),
      sha256: z.string().nullable(),
    }),
  ),
  files: z.array(z.object({ path: z.string().regex(INSIDE), bytes: z.int().nonnegative() })),
});

/** Undefined where the folder has none, or one that is not ours. */
export function readManifest(folder: string): EngineManifest | undefined {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) return undefined;
  try {
    return SCHEMA.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** What is not as it was unpacked, in words; undefined where all of it is. */
export async function damageOf(folder: string, { files }: EngineManifest): Promise<string | undefined> {
  for (const { path, bytes } of files) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (found === undefined) return `${path} is gone`;
    if (found.size !== bytes) return `${path} has ${found.size} bytes of ${bytes}`;
  }
  return undefined;
}

/** Bytes of all files. */
export const bytesOf = ({ files }: EngineManifest): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
