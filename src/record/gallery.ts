/**
 * The pictures of a report: `gallery/<section>.json` in a run folder, with image files beside it. This file is the contract
 * between the stages, which write them, and the report, which shows them.
 */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { z } from "zod";
import { DataError } from "../errors.ts";
import { namesIn, readJson, saveJson, systemReason } from "../io/index.ts";

/** The gallery's folder in a run's. */
export const GALLERY_FOLDER = "gallery";

interface Titled {
  readonly title: string;
  /** A sentence or two that say what is seen. */
  readonly text?: string | undefined;
}

/** Images and their reconstructions from the codebook. */
export interface Reconstructions extends Titled {
  readonly kind: "reconstructions";
  readonly items: readonly {
    readonly original: string;
    readonly reconstruction: string;
    readonly caption?: string | undefined;
  }[];
}

/** What the model puts where patches are hidden, decoded by the codebook. */
export interface MaskedPatches extends Titled {
  readonly kind: "masked-patches";
  readonly items: readonly {
    readonly original: string;
    readonly masked: string;
    readonly filled: string;
    readonly caption?: string | undefined;
  }[];
}

export interface Guess {
  readonly text: string;
  readonly probability: number;
}

/** Words that were hidden, and what the model takes them for. */
export interface MaskedWords extends Titled {
  readonly kind: "masked-words";
  readonly items: readonly {
    /** The picture that the text belongs to, where there is one. */
    readonly image?: string | undefined;
    /** The text as it was written: tokens may lack words that the vocabulary does not know, or what is past the length. */
    readonly caption?: string | undefined;
    /** WordPiece tokens without specials; `guesses`, best first, where the token was hidden. */
    readonly tokens: readonly { readonly text: string; readonly guesses?: readonly Guess[] | undefined }[];
  }[];
}

/** For an image the captions that score highest. What the model gets wrong is a second section of this kind. */
export interface ImageToText extends Titled {
  readonly kind: "image-to-text";
  readonly items: readonly {
    readonly image: string;
    /** Best first. */
    readonly captions: readonly { readonly text: string; readonly score: number; readonly right: boolean }[];
    /** The right caption and its place among all, counted from 1: shown where it is not among the captions. */
    readonly answer?: { readonly text: string; readonly rank: number } | undefined;
  }[];
}

/** For a caption the images that score highest. */
export interface TextToImage extends Titled {
  readonly kind: "text-to-image";
  readonly items: readonly {
    readonly caption: string;
    /** Best first. */
    readonly images: readonly { readonly image: string; readonly score: number; readonly right: boolean }[];
    readonly answer?: { readonly image: string; readonly rank: number } | undefined;
  }[];
}

/** Where in the image the words of its caption look. */
export interface AttentionMaps extends Titled {
  readonly kind: "attention";
  readonly items: readonly {
    readonly image: string;
    /** The caption as it was written. */
    readonly caption?: string | undefined;
    /** Rows and columns of patches. */
    readonly grid: readonly [number, number];
    /** A weight a patch, row by row; only their ratios are shown. */
    readonly words: readonly { readonly text: string; readonly weights: readonly number[] }[];
  }[];
}

export type GallerySection = Reconstructions | MaskedPatches | MaskedWords | ImageToText | TextToImage | AttentionMaps;

/** A file beside the section's: no folders, so nothing outside can be read. */
const image = z
  .string()
  .regex(/^[\w-][\w.-]*\.(png|jpe?g|webp)$/, "expected the name of a PNG, JPEG or WebP file in gallery/");
const titled = { title: z.string().min(1), text: z.string().optional() };
const caption = z.string().optional();
const rank = z.int().positive();
const share = z.number().min(0).max(1);

const attention = z
  .strictObject({
    image,
    caption,
    grid: z.tuple([z.int().positive(), z.int().positive()]),
    words: z.array(z.strictObject({ text: z.string(), weights: z.array(z.number().nonnegative()) })),
  })
  .refine(({ grid: [h, w], words }) => words.every(({ weights }) => weights.length === h * w), {
    path: ["words"],
    error: "expected a weight a patch of the grid",
  });

export const gallerySchema: z.ZodType<GallerySection> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("reconstructions"),
    ...titled,
    items: z.array(z.strictObject({ original: image, reconstruction: image, caption })),
  }),
  z.strictObject({
    kind: z.literal("masked-patches"),
    ...titled,
    items: z.array(z.strictObject({ original: image, masked: image, filled: image, caption })),
  }),
  z.strictObject({
    kind: z.literal("masked-words"),
    ...titled,
    items: z.array(
      z.strictObject({
        image: image.optional(),
        caption,
        tokens: z.array(
          z.strictObject({
            text: z.string(),
            guesses: z
              .array(z.strictObject({ text: z.string(), probability: share }))
              .min(1)
              .optional(),
          }),
        ),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal("image-to-text"),
    ...titled,
    items: z.array(
      z.strictObject({
        image,
        captions: z.array(z.strictObject({ text: z.string(), score: z.number(), right: z.boolean() })),
        answer: z.strictObject({ text: z.string(), rank }).optional(),
      }),
    ),
  }),
  z.strictObject({
    kind: z.literal("text-to-image"),
    ...titled,
    items: z.array(
      z.strictObject({
        caption: z.string(),
        images: z.array(z.strictObject({ image, score: z.number(), right: z.boolean() })),
        answer: z.strictObject({ image, rank }).optional(),
      }),
    ),
  }),
  z.strictObject({ kind: z.literal("attention"), ...titled, items: z.array(attention) }),
]);

/** Writes `gallery/<name>.json`. Throws DataError for a section that the report could not show. */
export async function saveGallerySection(runDir: string, name: string, section: GallerySection): Promise<void> {
  const path = join(runDir, GALLERY_FOLDER, `${name}.json`);
  check(path, section);
  await saveJson(path, section, 1);
}

function check(path: string, value: unknown): GallerySection {
  const parsed = gallerySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DataError(`${path}: expected a section of the report\n${z.prettifyError(parsed.error)}`);
}

/** A section, and its images as data URIs by file name. */
export interface LoadedSection {
  /** The file's name without `.json`. */
  readonly name: string;
  readonly section: GallerySection;
  readonly images: ReadonlyMap<string, string>;
}

const MAX_IMAGE_BYTES = 4 << 20;
const TYPES: Readonly<Record<string, string>> = { ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp" };

/** All sections of a run folder, by file name; none if it has no gallery. Throws DataError for a file that is damaged. */
export async function loadGallery(runDir: string): Promise<LoadedSection[]> {
  const folder = join(runDir, GALLERY_FOLDER);
  const names = (await namesIn(folder)).filter((name) => name.endsWith(".json")).sort();
  const sections: LoadedSection[] = [];
  for (const name of names) {
    const section = check(join(folder, name), await readJson(join(folder, name)));
    const images = new Map<string, string>();
    for (const file of imagesOf(section)) if (!images.has(file)) images.set(file, await dataUri(join(folder, file)));
    sections.push({ name: name.slice(0, -".json".length), section, images });
  }
  return sections;
}

function imagesOf(section: GallerySection): string[] {
  const all = (items: readonly (string | undefined)[]): string[] => items.filter((item) => item !== undefined);
  switch (section.kind) {
    case "reconstructions":
      return section.items.flatMap((item) => [item.original, item.reconstruction]);
    case "masked-patches":
      return section.items.flatMap((item) => [item.original, item.masked, item.filled]);
    case "text-to-image":
      return section.items.flatMap((item) => all([...item.images.map((one) => one.image), item.answer?.image]));
    default:
      return all(section.items.map((item) => item.image));
  }
}

async function dataUri(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: expected an image of the report, got ${systemReason(cause)}`, undefined, { cause });
  });
  if (bytes.length > MAX_IMAGE_BYTES)
    throw new DataError(`${path}: expected an image of at most ${MAX_IMAGE_BYTES} bytes, got ${bytes.length}`);
  return `data:image/${TYPES[extname(path)]};base64,${bytes.toString("base64")}`;
}
