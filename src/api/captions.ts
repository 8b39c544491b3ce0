/** Captions made of labels, for zero-shot classification. */

/** Each label in each template, label by label; `{}` stands for the label. */
export const captionsOf = (labels: readonly string[], templates: readonly string[]): string[] =>
  labels.flatMap((label) => templates.map((template) => template.replaceAll("{}", () => label)));
