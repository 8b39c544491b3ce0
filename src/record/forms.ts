/** The forms of picture sections: what their files hold, and which images belong to them. */
import { z } from "zod";

interface Titled {
  readonly title: string;
  /** A sentence or two that say what is seen. */
  readonly text?: string | undefined;
}

/** Mean errors of pictures in CIELAB. */
export interface ColourErrors {
  /** Whose. */
  readonly of: string;
  /** √(Δa*² + Δb*²). */
  readonly colour: number;
  /** |ΔL*|. */
  readonly lightness: number;
}

/** Images and their reconstructions from the codebook. */
export interface Reconstructions extends Titled {
  readonly kind: "reconstructions";
  /** Of all held-out pictures, and of what they are compared with. */
  readonly errors?: readonly ColourErrors[] | undefined;
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

/** A word and its probability in 0..1. */
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

/** Who reads whom in each layer on picture and text: scores before the softmax. */
export interface Scores extends Titled {
  readonly kind: "scores";
  readonly items: readonly {
    readonly image: string;
    readonly caption: string;
    /** The text's pieces, one a row; the picture's tokens come behind them. */
    readonly words: readonly string[];
    readonly size: number;
    /** (size, size) each, mean over heads; null in quarters that the layer does not have. */
    readonly layers: readonly (readonly (number | null)[])[];
  }[];
}

/** Words, and those that the text encoder puts nearest to them. */
export interface WordNeighbours extends Titled {
  readonly kind: "word-neighbours";
  readonly items: readonly {
    readonly word: string;
    /** Nearest first. */
    readonly neighbours: readonly { readonly text: string; readonly cosine: number }[];
  }[];
}

/** Which classes are taken for which. */
export interface Confusion extends Titled {
  readonly kind: "confusion";
  /** Of rows and columns. */
  readonly classes: readonly string[];
  /** Samples: a row for each class that is right, a column for each that was named. */
  readonly counts: readonly (readonly number[])[];
}

/** The forms that a section may have. */
export interface SectionForms {
  reconstructions: Reconstructions;
  "masked-patches": MaskedPatches;
  "masked-words": MaskedWords;
  "image-to-text": ImageToText;
  "text-to-image": TextToImage;
  attention: AttentionMaps;
  scores: Scores;
  "word-neighbours": WordNeighbours;
  confusion: Confusion;
}

/** The forms by name. */
export type SectionKind = keyof SectionForms;
/** A section of any form. */
export type GallerySection = SectionForms[SectionKind];

/** A file beside the section's: no folders, so nothing outside can be read. */
const image = z
  .string()
  .regex(/^[\w-][\w.-]*\.(png|jpe?g|webp)$/, "expected the name of a PNG, JPEG or WebP file in gallery/");
const titled = { title: z.string().min(1), text: z.string().optional() };
const caption = z.string().optional();
const rank = z.int().positive();
const share = z.number().min(0).max(1);

/** What is known of a form. */
interface Form<K extends SectionKind> {
  readonly schema: z.ZodType<SectionForms[K]>;
  /** The image files that a section shows. */
  images(section: SectionForms[K]): readonly (string | undefined)[];
}

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

const samples = z.array(z.array(z.int().nonnegative()));

/** All forms: one without a row does not compile. */
export const FORMS: { readonly [K in SectionKind]: Form<K> } = {
  reconstructions: {
    schema: z.strictObject({
      kind: z.literal("reconstructions"),
      ...titled,
      errors: z.array(z.strictObject({ of: z.string(), colour: z.number(), lightness: z.number() })).optional(),
      items: z.array(z.strictObject({ original: image, reconstruction: image, caption })),
    }),
    images: ({ items }) => items.flatMap((item) => [item.original, item.reconstruction]),
  },
  "masked-patches": {
    schema: z.strictObject({
      kind: z.literal("masked-patches"),
      ...titled,
      items: z.array(z.strictObject({ original: image, masked: image, filled: image, caption })),
    }),
    images: ({ items }) => items.flatMap((item) => [item.original, item.masked, item.filled]),
  },
  "masked-words": {
    schema: z.strictObject({
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
    images: ({ items }) => items.map(({ image }) => image),
  },
  "image-to-text": {
    schema: z.strictObject({
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
    images: ({ items }) => items.map(({ image }) => image),
  },
  "text-to-image": {
    schema: z.strictObject({
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
    images: ({ items }) => items.flatMap((item) => [...item.images.map(({ image }) => image), item.answer?.image]),
  },
  attention: {
    schema: z.strictObject({ kind: z.literal("attention"), ...titled, items: z.array(attention) }),
    images: ({ items }) => items.map(({ image }) => image),
  },
  scores: {
    schema: z.strictObject({
      kind: z.literal("scores"),
      ...titled,
      items: z.array(
        z
          .strictObject({
            image,
            caption: z.string(),
            words: z.array(z.string()),
            size: z.int().positive(),
            layers: z.array(z.array(z.number().nullable())).min(1),
          })
          .refine(({ size, layers }) => layers.every(({ length }) => length === size * size), {
            path: ["layers"],
            error: "expected a score for each row and column",
          }),
      ),
    }),
    images: ({ items }) => items.map(({ image }) => image),
  },
  "word-neighbours": {
    schema: z.strictObject({
      kind: z.literal("word-neighbours"),
      ...titled,
      items: z.array(
        z.strictObject({
          word: z.string(),
          neighbours: z.array(z.strictObject({ text: z.string(), cosine: z.number() })),
        }),
      ),
    }),
    images: () => [],
  },
  confusion: {
    schema: z
      .strictObject({ kind: z.literal("confusion"), ...titled, classes: z.array(z.string()).min(1), counts: samples })
      .refine(({ classes: { length }, counts }) => [counts, ...counts].every((row) => row.length === length), {
        path: ["counts"],
        error: "expected a row and a column for each class",
      }),
    images: () => [],
  },
};

const kinded = z.looseObject({ kind: z.enum(Object.keys(FORMS) as [SectionKind, ...SectionKind[]]) });

/** A section, checked. Throws zod's error. */
export const parseSection = (value: unknown): GallerySection => FORMS[kinded.parse(value).kind].schema.parse(value);

/** The image files of a section. */
export const imagesOf = <K extends SectionKind>(section: SectionForms[K] & { readonly kind: K }): string[] =>
  FORMS[section.kind].images(section).filter((file) => file !== undefined);
