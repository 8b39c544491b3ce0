/** The drawings of the starter data: which pictures a package holds, and the SVG or bytes of each. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { type Concept, conceptId } from "./concepts.ts";
import { openmojiEntries, ownTags } from "./openmoji.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

/** A picture before it is drawn: an SVG document, or the bytes of a raster image. */
export type Art = { readonly svg: string } | { readonly bytes: Uint8Array };

/** One style of emoji: a picture for the id of a concept, a skin-tone variant or a flag. */
export interface EmojiStyle {
  readonly name: string;
  readonly art: (id: string) => Art | undefined;
}

/** A picture that has a caption of its own and no emoji behind it. */
export interface CaptionedArt {
  /** Unique within its style; letters, digits and "-". */
  readonly id: string;
  readonly label: string;
  readonly tags: readonly string[];
  /** What its makers file it under. */
  readonly category?: string | undefined;
  readonly art: Art;
}

interface Icon {
  readonly body: string;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

interface Alias {
  readonly parent: string;
  readonly hFlip?: boolean | undefined;
  readonly vFlip?: boolean | undefined;
  readonly rotate?: number | undefined;
}

/** Iconify's `icons.json`. */
export interface IconSet {
  readonly icons: Readonly<Record<string, Icon>>;
  readonly aliases?: Readonly<Record<string, Alias>> | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

const size = z.number().positive().max(4096).optional();
const place = z.number().min(-4096).max(4096).optional();
const iconSetSchema: z.ZodType<IconSet> = z.looseObject({
  icons: z.record(z.string(), z.looseObject({ body: z.string(), left: place, top: place, width: size, height: size })),
  aliases: z
    .record(
      z.string(),
      z.looseObject({
        parent: z.string(),
        hFlip: z.boolean().optional(),
        vFlip: z.boolean().optional(),
        rotate: z.number().optional(),
      }),
    )
    .optional(),
  width: size,
  height: size,
});
const charsSchema: z.ZodType<Record<string, string>> = z.record(z.string(), z.string());

/** An emoji style of an Iconify package; pictures are found by `chars.json`, else by the label of the concept. */
export function iconifyStyle(name: string, pack: PackageFiles, concepts: readonly Concept[]): EmojiStyle {
  const set = readIconSet(pack);
  const byId = new Map(concepts.map(({ id, label }) => [id, slugOf(label)]));
  if (pack.files.has("chars.json")) {
    const chars = charsSchema.safeParse(readJson(pack, "chars.json"));
    if (!chars.success) throw new DataError(`${pack.name} chars.json: ${z.prettifyError(chars.error)}`);
    for (const [hexcode, icon] of Object.entries(chars.data)) byId.set(conceptId(hexcode), icon);
  }
  return {
    name,
    art: (id) => {
      const icon = byId.get(id);
      const svg = icon === undefined ? undefined : iconSvg(set, icon);
      return svg === undefined ? undefined : { svg };
    },
  };
}

/** The files "assets/HEX.webp" of a package of renders. */
export function webpStyle(name: string, pack: PackageFiles): EmojiStyle {
  return fileStyle(name, pack, /^assets\/(.+)\.webp$/, (bytes) => ({ bytes }));
}

/** OpenMoji's colour drawings, "color/svg/HEX.svg". */
export function openmojiStyle(name: string, pack: PackageFiles): EmojiStyle {
  return fileStyle(name, pack, /^color\/svg\/(.+)\.svg$/, (bytes) => ({ svg: new TextDecoder().decode(bytes) }));
}

function fileStyle(
  name: string,
  { files }: PackageFiles,
  pattern: RegExp,
  toArt: (bytes: Uint8Array) => Art,
): EmojiStyle {
  const byId = new Map<string, Uint8Array>();
  for (const [path, bytes] of files) {
    const match = pattern.exec(path);
    if (match) byId.set(conceptId(match[1]!), bytes);
  }
  return {
    name,
    art: (id) => {
      const bytes = byId.get(id);
      return bytes === undefined ? undefined : toArt(bytes);
    },
  };
}

/** OpenMoji's pictures beyond Unicode, with annotation and tags; brands are left out. */
export function openmojiExtras(pack: PackageFiles): readonly CaptionedArt[] {
  return openmojiEntries(pack)
    .filter(({ group, subgroups }) => group === "extras-openmoji" && subgroups !== "brand")
    .flatMap((entry) => {
      const { hexcode, annotation } = entry;
      const bytes = pack.files.get(`color/svg/${hexcode}.svg`);
      if (bytes === undefined) return [];
      const tags = ownTags(entry).filter((tag) => tag !== annotation);
      return [{ id: conceptId(hexcode), label: annotation, tags, art: { svg: new TextDecoder().decode(bytes) } }];
    });
}

/** The ids of OpenMoji's pictures of Unicode characters that are no emoji: pictures without a useful caption. */
export function openmojiUncaptioned(pack: PackageFiles): readonly string[] {
  return openmojiEntries(pack)
    .filter(({ group }) => group === "extras-unicode")
    .map(({ hexcode }) => conceptId(hexcode));
}

/** A label as Iconify spells icon names: "woman’s hat" → "womans-hat". */
export function slugOf(label: string): string {
  return label
    .toLowerCase()
    .normalize("NFD")
    .replace(/[\p{M}’'“”"]/gu, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
}

/** The icons of an Iconify package. Throws DataError where `icons.json` is something else. */
export function readIconSet(pack: PackageFiles): IconSet {
  const set = iconSetSchema.safeParse(readJson(pack, "icons.json"));
  if (!set.success) throw new DataError(`${pack.name} icons.json: ${z.prettifyError(set.error)}`);
  // Looked up by names from elsewhere: without a prototype, "constructor" is no icon.
  return {
    ...set.data,
    icons: Object.assign(Object.create(null), set.data.icons),
    aliases: Object.assign(Object.create(null), set.data.aliases),
  };
}

/** The icon as an SVG document with a viewBox, in `colour` where it takes its colour from around it. */
export function iconSvg(set: IconSet, name: string, colour = "#000"): string | undefined {
  const alias = set.aliases?.[name];
  const icon = set.icons[name] ?? (alias && set.icons[alias.parent]);
  if (icon === undefined || alias?.rotate || alias?.vFlip) return undefined;
  const { left = 0, top = 0, width = set.width ?? 16, height = set.height ?? 16 } = icon;
  const mirrored = set.icons[name] === undefined && alias?.hFlip;
  const flip = `<g transform="translate(${2 * left + width} 0) scale(-1 1)">`;
  const body = icon.body.replaceAll("currentColor", colour);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${left} ${top} ${width} ${height}">` +
    `${mirrored ? `${flip}${body}</g>` : body}</svg>`
  );
}
