export { auroc, f1, matthews } from "./binary.ts";
export { at, type BootstrapOptions, bootstrap, bootstrapAll, type Interval } from "./bootstrap.ts";
export { checkFinite, checkLabels, type Numbers } from "./check.ts";
export { accuracy, argmaxRows, meanPerClass, topKAccuracy } from "./classification.ts";
export { pearson, spearman } from "./correlation.ts";
export { type Box, type DetectedPicture, type DetectionScores, detectionScores } from "./detection.ts";
export { answerScores, normalizeAnswer, vqaScore } from "./vqa.ts";
