/** Sets of icons whose names are captions: which are read, how a name becomes a caption, and which of them are pictures of things. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { fnv1a, random } from "../../tensor/index.ts";
import { type CaptionedArt, iconSvg, readIconSet } from "./art.ts";
import type { Nouns } from "./nouns.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

/** How a set of icons is read. */
export interface IconSetChoice {
  /** The package is "@iconify-json/NAME". */
  readonly name: string;
  /** Only icons whose name is a noun for something that can be seen: interfaces have many that are not. */
  readonly things?: boolean | undefined;
  /** The most words of a caption; icons with longer names are left out. */
  readonly words?: number | undefined;
  /** Icons without colours of their own get one, drawn by name, instead of black. */
  readonly tinted?: boolean | undefined;
  /** Only icons whose id ends in this. */
  readonly ending?: string | undefined;
}

/** Sets in several colours. */
export const COLOURED_SETS: readonly IconSetChoice[] = [
  { name: "streamline-ultimate-color" },
  { name: "streamline-freehand-color" },
  { name: "fluent-color" },
  { name: "icon-park", things: true },
];

/** Sets of lines and silhouettes. */
export const LINE_SETS: readonly IconSetChoice[] = [
  { name: "game-icons", things: true, tinted: true },
  { name: "mdi", things: true, tinted: true },
  { name: "hugeicons", things: true, tinted: true },
  { name: "tabler", things: true, tinted: true },
  { name: "lucide", things: true, tinted: true },
  { name: "lucide-lab", things: true, tinted: true },
  { name: "ph", things: true, tinted: true, ending: "-duotone" },
  { name: "solar", things: true, tinted: true, ending: "-bold-duotone" },
  { name: "iconoir", things: true, tinted: true },
  { name: "maki", things: true, tinted: true },
];

/** Sets that are never trained on, by the split that they are. */
export const UNSEEN_SETS: Readonly<Record<string, IconSetChoice>> = {
  validation_colours: { name: "flat-color-icons", words: 2 },
  validation_lines: { name: "fa6-solid", things: true, words: 2 },
  unseen_source: { name: "streamline-kameleon-color", words: 2 },
};

/** Last words of an icon's name that say how it is drawn or which of several it is, not what it shows. */
const RENDERINGS: ReadonlySet<string> = new Set(
  "alt bold broken duo duotone fill filled flat light line linear one outline outlined sharp solid thin two three four variant".split(
    " ",
  ),
);

/** Colours of tinted icons, dark enough on white. */
const TINTS =
  "#000 #000 #333 #b91c1c #c2410c #a16207 #4d7c0f #15803d #0f766e #0369a1 #1d4ed8 #6d28d9 #a21caf #be185d #78350f".split(
    " ",
  );

/** The icons of a set, the first of each caption. Brands are left out. */
export function namedIcons(
  pack: PackageFiles,
  choice: Omit<IconSetChoice, "name">,
  nouns?: Nouns,
): readonly CaptionedArt[] {
  const set = readIconSet(pack);
  const categories = categoriesOf(pack);
  const labels = new Set<string>();
  return Object.keys(set.icons).flatMap((id): CaptionedArt[] => {
    const label = labelOf(id);
    const brand = /(^|-)(logo|brand)(-|$)/.test(id);
    const told = label.split(" ").length <= (choice.words ?? Number.POSITIVE_INFINITY);
    const isThing = !choice.things || nouns?.thing(label) !== undefined;
    if (label === "" || labels.has(label) || brand || !told || !isThing || !id.endsWith(choice.ending ?? "")) return [];
    const svg = iconSvg(set, id, choice.tinted ? tintOf(id) : undefined);
    if (svg === undefined) return [];
    labels.add(label);
    return [{ id, label, tags: nouns?.relatives(label) ?? [], category: categories.get(id), art: { svg } }];
  });
}

/** "bird-cage-2" → "bird cage", "car-duo" → "car", "cat-24" → "cat", "abstract-001" → "abstract". */
export function labelOf(id: string): string {
  const words = id.split("-").filter((word) => !/^\d+(px)?$/.test(word));
  while (words.length > 1 && RENDERINGS.has(words.at(-1)!)) words.pop();
  return words.join(" ");
}

const tintOf = (id: string): string => TINTS[random(1, "starter-tint", fnv1a(id)).integer(TINTS.length)]!;

const metadataSchema: z.ZodType<{ categories?: Record<string, string[]> | undefined }> = z.looseObject({
  categories: z.record(z.string(), z.array(z.string())).optional(),
});

/** Iconify's categories by icon, in words: "FoodDrink" → "food drink". */
function categoriesOf(pack: PackageFiles): ReadonlyMap<string, string> {
  if (!pack.files.has("metadata.json")) return new Map();
  const found = metadataSchema.safeParse(readJson(pack, "metadata.json"));
  if (!found.success) throw new DataError(`${pack.name} metadata.json: ${z.prettifyError(found.error)}`);
  return new Map(
    Object.entries(found.data.categories ?? {}).flatMap(([name, ids]) =>
      ids.map((id) => [id, name.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2").toLowerCase()] as const),
    ),
  );
}
