/** `data/openmoji.json`: what OpenMoji says of its pictures. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

export interface OpenmojiEntry {
  readonly hexcode: string;
  readonly group: string;
  readonly subgroups: string;
  readonly annotation: string;
  /** Tags beside Unicode's, joined by commas. */
  readonly openmoji_tags: string;
}

const openmojiSchema: z.ZodType<readonly OpenmojiEntry[]> = z.array(
  z.looseObject({
    hexcode: z.string(),
    group: z.string(),
    subgroups: z.string(),
    annotation: z.string(),
    openmoji_tags: z.string(),
  }),
);

export function openmojiEntries(pack: PackageFiles): readonly OpenmojiEntry[] {
  const entries = openmojiSchema.safeParse(readJson(pack, "data/openmoji.json"));
  if (!entries.success) throw new DataError(`${pack.name} data/openmoji.json: ${z.prettifyError(entries.error)}`);
  return entries.data;
}

export const ownTags = ({ openmoji_tags }: OpenmojiEntry): string[] =>
  openmoji_tags
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
