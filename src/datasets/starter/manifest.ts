/** `manifest.json` of the prepared starter data: what it holds, from which packages, under which licences, and the proof of its splits. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { DataError, FileError, settled } from "../../errors.ts";
import { saveFile, statOf, systemReason } from "../../io/index.ts";
import type { PinnedPackage, StarterSize } from "./packages.ts";
import type { HeldOutBy } from "./split.ts";

/** Raised when the same packages are prepared in another way, so that old folders are not taken for new ones. */
export const STARTER_FORMAT = 6;

/** What decides the contents, and so the name of the folder. */
export interface StarterRecipe {
  readonly size: StarterSize;
  /** Side of the drawings. */
  readonly pixels: number;
  /** Tags in the caption of an evaluation sample. */
  readonly evaluationTags: "all" | number;
  /** What the unseen concepts are held out by. */
  readonly heldOutBy: HeldOutBy;
}

export type SplitKind = "pairs" | "images" | "labelled-images" | "texts" | "labelled-texts";

export interface SplitEntry {
  readonly kind: SplitKind;
  /** Below the folder of the manifest, "/" between parts. */
  readonly files: readonly string[];
  readonly samples: number;
  /** Whether training may see it. */
  readonly use: "train" | "evaluate";
  readonly about: string;
  /** Of labelled data: the labels, in order. */
  readonly classes?: readonly string[] | undefined;
}

export interface StarterManifest extends StarterRecipe {
  readonly format: number;
  readonly packages: readonly PinnedPackage[];
  readonly splits: Readonly<Record<string, SplitEntry>>;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  /** The held-out styles of emoji and sets of icons, and the held-out concepts by emoji id. */
  readonly heldOut: {
    readonly styles: readonly string[];
    readonly test: Readonly<Record<string, string>>;
    readonly validation: Readonly<Record<string, string>>;
  };
  /** What was left out of training to keep the splits apart. */
  readonly leftOut: {
    readonly conceptsNamingHeldOut: number;
    readonly captionsNamingHeldOut: number;
    readonly picturesEqualToHeldOut: number;
  };
  /** What was checked on the written files; a violation stops the preparation. */
  readonly proof: {
    readonly heldOutNames: number;
    readonly trainingPictures: number;
    readonly trainingCaptions: number;
    readonly violations: 0;
  };
  readonly notes: readonly string[];
}

const count = z.int().nonnegative();
const names = z.record(z.string(), z.string());
const schema: z.ZodType<StarterManifest> = z.strictObject({
  format: z.literal(STARTER_FORMAT),
  size: z.enum(["full", "tiny"]),
  pixels: z.int().positive(),
  evaluationTags: z.union([z.literal("all"), count]),
  heldOutBy: z.enum(["families", "concepts"]),
  packages: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      integrity: z.string(),
      spdx: z.string(),
      credit: z.string(),
      source: z.string(),
      use: z.string(),
      tiny: z.boolean(),
    }),
  ),
  splits: z.record(
    z.string(),
    z.strictObject({
      kind: z.enum(["pairs", "images", "labelled-images", "texts", "labelled-texts"]),
      files: z.array(z.string().regex(/^[\w-]+\.(tar|jsonl)$/)),
      samples: count,
      use: z.enum(["train", "evaluate"]),
      about: z.string(),
      classes: z.array(z.string()).optional(),
    }),
  ),
  files: z.record(z.string(), z.strictObject({ bytes: count, sha256: z.string() })),
  heldOut: z.strictObject({ styles: z.array(z.string()), test: names, validation: names }),
  leftOut: z.strictObject({
    conceptsNamingHeldOut: count,
    captionsNamingHeldOut: count,
    picturesEqualToHeldOut: count,
  }),
  proof: z.strictObject({
    heldOutNames: count,
    trainingPictures: count,
    trainingCaptions: count,
    violations: z.literal(0),
  }),
  notes: z.array(z.string()),
});

/** The folder's name: a hash of everything that decides what is in it. */
export function starterFolderName(
  { size, pixels, evaluationTags, heldOutBy }: StarterRecipe,
  packages: readonly PinnedPackage[],
): string {
  const pins = packages.map(({ name, version, integrity }) => `${name}@${version} ${integrity}`);
  const all = JSON.stringify([STARTER_FORMAT, size, pixels, evaluationTags, heldOutBy, ...pins]);
  return `starter-${createHash("sha256").update(all).digest("hex").slice(0, 12)}`;
}

/** Beside the manifest: size and times of each file when its hash was last found right. */
const CHECKED = "checked.json";

const checkedSchema = z.record(z.string(), z.strictObject({ size: z.number(), mtime: z.number(), ctime: z.number() }));

type Checked = z.infer<typeof checkedSchema>;

/**
 * The manifest of a folder, after checking that every file is there with its size and its hash. Files whose size and times are
 * those of the last check are not hashed again unless `verify`. Undefined where there is no manifest. Throws DataError
 * where the folder is not whole.
 */
export async function readManifest(
  dir: string,
  { verify = false }: { verify?: boolean | undefined } = {},
): Promise<StarterManifest | undefined> {
  const path = join(dir, "manifest.json");
  if (!(await statOf(path))) return undefined;
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a readable file, got ${systemReason(cause)}`, undefined, { cause });
  });
  const help = `remove ${dir} and fetch again`;
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw new DataError(`${path}: ${z.prettifyError(parsed.error)}`, help);
  const earlier = verify ? {} : await readChecked(dir);
  const now: Checked = {};
  for (const [name, { bytes, sha256 }] of Object.entries(parsed.data.files)) {
    const found = await statOf(join(dir, name));
    if (found?.size !== bytes)
      throw new DataError(`${join(dir, name)}: expected ${bytes} bytes, got ${found?.size ?? "no file"}`, help);
    now[name] = { size: bytes, mtime: found.mtimeMs, ctime: found.ctimeMs };
    if (isDeepStrictEqual(earlier[name], now[name])) continue;
    const got = sha256Of(await readFile(join(dir, name)));
    if (got !== sha256) throw new DataError(`${join(dir, name)}: expected sha256 ${sha256}, got ${got}`, help);
  }
  // A cache that cannot be written to is hashed every time.
  if (!isDeepStrictEqual(earlier, now)) await settled(saveFile(join(dir, CHECKED), JSON.stringify(now)));
  return parsed.data;
}

async function readChecked(dir: string): Promise<Checked> {
  const path = join(dir, CHECKED);
  const text = (await statOf(path)) ? await readFile(path, "utf8") : "{}";
  return checkedSchema.safeParse(parseJson(text)).data ?? {};
}

export const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
