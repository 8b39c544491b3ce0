/**
 * The concepts of the starter data: the emoji of emojibase (without flags, skin tones and hair components), each with a
 * label, tags, other names, and the family it is held out with.
 */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { familyKeys, joinFamilies } from "./families.ts";

export interface Concept {
  /** Code points in lower-case hexadecimal joined by "-", without variation selectors: "1f337". */
  readonly id: string;
  readonly label: string;
  readonly tags: readonly string[];
  /** Emojibase's group, such as "animals-nature". */
  readonly group: string;
  /** Emojibase's subgroup, such as "animal-mammal". */
  readonly subgroup: string;
  /** Further names, from emojibase's short codes. */
  readonly aliases: readonly string[];
  /** Ids of its skin-tone variants. */
  readonly skins: readonly string[];
  /** The id of the first concept of the family. */
  readonly family: string;
}

/** What emojibase-data's files hold, parsed from JSON. */
export interface EmojibaseFiles {
  /** `en/data.json` */
  readonly data: unknown;
  /** `meta/groups.json` */
  readonly groups: unknown;
  /** `en/shortcodes/*.json` */
  readonly shortcodes: readonly unknown[];
}

const entrySchema = z.looseObject({
  hexcode: z.string(),
  label: z.string(),
  tags: z.array(z.string()).optional(),
  group: z.int().optional(),
  subgroup: z.int().optional(),
  skins: z.array(z.looseObject({ hexcode: z.string() })).optional(),
});
const dataSchema: z.ZodType<readonly Entry[]> = z.array(entrySchema);
const groupsSchema: z.ZodType<Groups> = z.looseObject({
  groups: z.record(z.string(), z.string()),
  subgroups: z.record(z.string(), z.string()),
});
const shortcodesSchema: z.ZodType<Record<string, string | string[]>> = z.record(
  z.string(),
  z.union([z.string(), z.array(z.string())]),
);

interface Entry {
  readonly hexcode: string;
  readonly label: string;
  readonly tags?: readonly string[] | undefined;
  readonly group?: number | undefined;
  readonly subgroup?: number | undefined;
  readonly skins?: readonly { readonly hexcode: string }[] | undefined;
}

interface Groups {
  readonly groups: Readonly<Record<string, string>>;
  readonly subgroups: Readonly<Record<string, string>>;
}

/** Groups that are no concepts: parts of other emoji, and flags (a picture of a name). */
const LEFT_OUT: readonly string[] = ["component", "flags"];

/** Code points as this module spells them: "1F3F3-FE0F-200D-1F308" → "1f3f3-200d-1f308". */
export function conceptId(hexcode: string): string {
  return hexcode
    .toLowerCase()
    .split(/[-_ ]/)
    .filter((code) => code !== "fe0f")
    .join("-");
}

/** All concepts in emojibase's order, and the ids of the flags, which are pictures without a caption here. */
export function readConcepts(files: EmojibaseFiles): { concepts: readonly Concept[]; flags: readonly string[] } {
  const groups = parse(groupsSchema, files.groups, "meta/groups.json");
  const aliases = readAliases(files.shortcodes);
  const entries = parse(dataSchema, files.data, "en/data.json").filter(({ group }) => group !== undefined);
  const groupOf = ({ group }: Entry): string => groups.groups[String(group)] ?? "";
  const kept = entries.filter((entry) => !LEFT_OUT.includes(groupOf(entry)));
  const concepts = kept.map((entry) => {
    const id = conceptId(entry.hexcode);
    return {
      id,
      label: entry.label,
      tags: (entry.tags ?? []).filter((tag) => tag.toLowerCase() !== entry.label.toLowerCase()),
      group: groupOf(entry),
      subgroup: groups.subgroups[String(entry.subgroup)] ?? "",
      aliases: (aliases.get(id) ?? []).filter((alias) => alias !== entry.label.toLowerCase()),
      skins: (entry.skins ?? []).map(({ hexcode }) => conceptId(hexcode)),
    };
  });
  const families = joinFamilies(concepts.map((concept) => familyKeys(concept)));
  return {
    concepts: concepts.map((concept, i) => ({ ...concept, family: concepts[families[i]!]!.id })),
    flags: entries.filter((entry) => groupOf(entry) === "flags").map(({ hexcode }) => conceptId(hexcode)),
  };
}

function readAliases(shortcodes: readonly unknown[]): Map<string, string[]> {
  const aliases = new Map<string, string[]>();
  for (const file of shortcodes) {
    for (const [hexcode, names] of Object.entries(parse(shortcodesSchema, file, "en/shortcodes"))) {
      const id = conceptId(hexcode);
      const list = aliases.get(id) ?? [];
      for (const name of [names].flat()) {
        const alias = name.replaceAll("_", " ");
        // Short codes with digits are numbered duplicates ("dog2"); very short ones are codes ("m", "ng").
        if (alias.length >= 3 && !/\d/.test(alias) && !list.includes(alias)) list.push(alias);
      }
      aliases.set(id, list);
    }
  }
  return aliases;
}

function parse<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (!result.success) throw new DataError(`emojibase-data ${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}
