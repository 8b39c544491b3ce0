export { imageTextMatching, type MatchResult } from "./match.ts";
export { MEASURES, type Measure } from "./measure-names.ts";
export { measures } from "./measures.ts";
export { type RetrievalResult, zeroShotRetrieval } from "./retrieve.ts";
export { type CellEvent, type EvaluationRequest, evaluate, type NamedModel } from "./run.ts";
export { type TextSplits, type WordsResult, wordsAlone } from "./words-alone.ts";
export { type Prompts, type ZeroShotResult, zeroShotClassification } from "./zero-shot.ts";
