/** What a person names on a command line, one by one. */

/** One picture, one text, or one of each. */
export interface Input {
  /** What results call it: the path or address as it was given or found, `FILE:LINE` for a row of a list, or its `id`. */
  readonly key: string;
  /** A path or an http(s) address. */
  readonly image?: string | undefined;
  readonly text?: string | undefined;
}

/** An input that cannot be used, and why. */
export interface BadInput {
  readonly key: string;
  readonly reason: string;
}

/** All that was named. */
export interface Inputs {
  /** In the order given; the pictures of a folder or a pattern in code point order. */
  readonly inputs: readonly Input[];
  readonly bad: readonly BadInput[];
  /** Files that were met on the way and not asked for by name: hidden ones, and those that are no pictures. */
  readonly passed: { readonly hidden: number; readonly others: number };
}
