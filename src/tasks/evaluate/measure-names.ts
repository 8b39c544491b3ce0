/** What the package can measure, by the names that CLIP_benchmark has for it where it has one. Imports nothing: commands list them. */
export const MEASURES = [
  "linear_probe",
  "text_probe",
  "zeroshot_retrieval",
  "zeroshot_classification",
  "image_text_matching",
  "pair_retrieval",
  "finetune",
  "words_alone",
] as const;

/** A way of measuring. */
export type Measure = (typeof MEASURES)[number];
