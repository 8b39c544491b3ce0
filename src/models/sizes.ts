/** What the configurations of all families share: how they are filled in and checked, and a config.json of this package's own. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import type { ConfigJson, VocabularySizes } from "./model.ts";

/** A size. */
export const whole: z.ZodInt = z.int().positive();

/** A configuration, or a part of it, in which what is missing takes a default. */
export type Partly<C> = {
  readonly [K in keyof C]?:
    | (C[K] extends readonly unknown[]
        ? C[K]
        : C[K] extends object
          ? { readonly [F in keyof C[K]]?: C[K][F] | undefined }
          : C[K])
    | undefined;
};

/** Fills in defaults and checks. Throws ConfigError that lists every wrong key. */
export function configured<C>(schema: z.ZodType<C>, values: unknown): C {
  const parsed = schema.safeParse(values);
  if (!parsed.success) throw new ConfigError(`model configuration:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The fields that are there. */
export const defined = <T extends object>(fields: T): { [K in keyof T]: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;

/** Reports a contradiction at a path. */
export type Issue = (path: string[], message: string) => void;

export const issuesOf =
  (context: z.RefinementCtx): Issue =>
  (path, message) =>
    context.addIssue({ code: "custom", path, message });

/** Reports a width that its heads do not share evenly. */
export function checkHeads(issue: Issue, path: string[], width: number, heads: number): void {
  if (width % heads) issue([...path, "heads"], `width ${width} does not divide among ${heads} heads`);
}

/** Reports an id of padding, or another of `names`, that is no word's. */
export function checkIds<N extends string>(
  issue: Issue,
  text: { readonly vocabSize: number } & { readonly [K in N]: number | null },
  ...names: N[]
): void {
  for (const name of names)
    if ((text[name] ?? 0) >= text.vocabSize)
      issue(["text", name], `expected an id below ${text.vocabSize}, got ${text[name]}`);
}

/** The same sizes with a vocabulary, where `text` has its numbers. */
export const withTextVocabulary = <C extends { readonly text: object }>(
  config: C,
  { vocabSize, padTokenId }: VocabularySizes,
): C => ({ ...config, text: { ...config.text, vocabSize, padTokenId } });

/** A config.json for a model that nobody else has a class of: its whole configuration, under a type of its own. */
export const ownConfigFile = <C>(type: string, make: (values: never) => C) => ({
  is: ({ model_type }: ConfigJson): boolean => model_type === type,
  /** Throws ConfigError for one without the configuration. */
  from({ flava_options: options }: ConfigJson): C {
    if (typeof options !== "object" || options === null)
      throw new ConfigError(`config.json: expected the sizes of a ${type} under flava_options, got none`);
    return make(options as never);
  },
  json: (config: C): ConfigJson => ({ model_type: type, torch_dtype: "float32", flava_options: config }),
});
