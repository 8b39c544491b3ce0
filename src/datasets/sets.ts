/** The table of named data sets: what each is asked for, as plain data of a recipe, and how it is fetched and opened. */
import type { z } from "zod";
import type { OpenOptions, Source } from "../data/sources/index.ts";
import { type StarterChoice, starterSet } from "./starter/set.ts";

/** What each set asks for, beside `type` and `name`. A new line here makes the compiler ask for its row below. */
interface Fields {
  starter: StarterChoice;
}

export type SetType = keyof Fields;

/** A part of a named set, as plain data. */
export type SetSpec = {
  readonly [T in SetType]: { readonly type: T; readonly name?: string | undefined } & Fields[T];
}[SetType];

/** What is being fetched, and how far it is. */
export interface FetchProgress {
  readonly stage: string;
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

export interface SetOptions extends OpenOptions {
  /** Where fetched data is kept, for a spec that does not say it. */
  readonly cacheDir?: string | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

export interface NamedSet<F> {
  readonly fields: { readonly [K in keyof F]-?: z.ZodType<F[K]> };
  /** What `set:REST` says. */
  parse(rest: string): F;
  /** What logs and plans call it. */
  title(spec: F): string;
  /** Downloads and prepares what is not there yet. */
  fetch(spec: F, options: SetOptions): Promise<unknown>;
  /** Whether all of it is there, so that opening it downloads and prepares nothing. */
  isThere(spec: F, options: SetOptions): Promise<boolean>;
  open(name: string, spec: F, options: SetOptions): Promise<Source>;
}

/** A new set is a folder beside this file, a line in `Fields` and a row here. */
export const sets: { readonly [T in SetType]: NamedSet<Fields[T]> } = {
  starter: starterSet,
};
