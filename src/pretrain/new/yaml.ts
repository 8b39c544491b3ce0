/** A recipe as the text of a YAML file, with a remark beside what its author will want to change. */
import { stringify } from "yaml";
import type { SplitBy } from "../../data/index.ts";
import type { DataKind } from "../recipe/types.ts";
import type { Shape, Size } from "./shape.ts";

/** A source as a recipe says it. */
export type SourceText = string | Readonly<Record<string, unknown>>;

/** All that the file says. */
export interface RecipeText {
  readonly name: string;
  readonly size: Size;
  readonly kind: DataKind;
  /** Whether the vocabulary is what the data use. */
  readonly reduced: boolean;
  /** What was found, a line a fact: stands at the head of the file. */
  readonly facts: readonly string[];
  /** The command that runs it. */
  readonly command: string;
  readonly source: SourceText;
  /** Further images and texts. */
  readonly images?: SourceText | undefined;
  readonly texts?: SourceText | undefined;
  /** Held-out sets by name, and what training must not share with them. */
  readonly validation?: SourceText | undefined;
  readonly test?: SourceText | undefined;
  readonly by: SplitBy;
  readonly heldOutTexts?: SourceText | undefined;
  /** Bytes that pictures and samples may take in memory. */
  readonly cacheBytes: number;
  readonly shape: Shape;
}

/** One line of YAML in braces: paths with odd characters come out quoted. */
const flow = (value: unknown): string =>
  stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: true }).trim();

/** The text of the file. */
export function recipeYaml(text: RecipeText): string {
  return [
    ...text.facts.map((fact) => `# ${fact}`.trimEnd()),
    "#",
    `# command:  ${text.command}`,
    "#           --dry-run prints the plan; every part is explained in docs/recipes.md",
    "",
    `name: ${flow(text.name)}`,
    "seed: 0",
    "",
    `variant: ${text.size} # ${ABOUT[text.size]}`,
    ...modelLines(text.shape.model),
    "",
    ...(text.kind === "images" ? [] : [VOCABULARY[text.reduced ? "reduced" : "full"], ""]),
    ...dataLines(text),
    "",
    ...evaluationLines(text),
    ...stageLines(text),
    "",
  ].join("\n");
}

const VOCABULARY = {
  reduced: "vocabulary: { kind: reduced } # the pieces of bert-base-uncased that occur; full: all 30,522",
  full: "vocabulary: { kind: full } # all of bert-base-uncased; reduced: the pieces that occur, for which all texts are read first",
};

const ABOUT: Readonly<Record<Size, string>> = {
  tiny: "16 wide: to see in seconds that all of it runs",
  small: "192 wide, 64 px in patches of 8: for a laptop; tiny and base are the others",
  base: "the published model: 768 wide, 224 px in patches of 16",
};

function modelLines(model: Shape["model"]): string[] {
  const parts = Object.entries(model).filter(
    ([, part]) => typeof part !== "object" || Object.keys(part as object).length > 0,
  );
  if (parts.length === 0) return [];
  return ["model: # what differs from the variant", ...parts.map(([name, part]) => `  ${name}: ${flow(part)}`)];
}

function dataLines({
  kind,
  source,
  images,
  texts,
  validation,
  test,
  heldOutTexts,
  by,
  cacheBytes,
}: RecipeText): string[] {
  const apart = (given: SourceText, sets: readonly (SourceText | undefined)[]): string[] => {
    const held = sets.filter((set) => set !== undefined);
    if (held.length === 0) return [`    - ${flow({ source: given })}`];
    const without = held.map((set) => ({ source: set, by }));
    return [
      `    - source: ${flow(given)}`,
      `      without: ${flow(without.length === 1 ? without[0] : without)} # held out, and what shares a ${SHARES[by]} with it`,
    ];
  };
  const own = apart(source, kind === "texts" ? [heldOutTexts] : [validation, test]);
  const lines = ["data:", `  ${kind}:`, ...own];
  if (images !== undefined)
    lines.push(
      "  images: # the pairs' pictures, and pictures without captions",
      ...own,
      ...apart(images, [validation, test]),
    );
  if (texts !== undefined && kind !== "texts") lines.push("  texts:", ...apart(texts, [heldOutTexts]));
  lines.push(
    `  memoryBytes: ${cacheBytes} # smaller sources are read once and reshuffled as a whole`,
    `  pixelBytes: ${cacheBytes} # decoded pictures that are kept`,
  );
  return lines;
}

const SHARES: Readonly<Record<SplitBy, string>> = {
  concept: "picture, a caption or what a short caption names",
  caption: "picture or a caption",
  sample: "picture with its caption",
};

function evaluationLines({ kind, validation, test, heldOutTexts }: RecipeText): string[] {
  const lines: string[] = [];
  if (validation !== undefined && kind !== "texts")
    lines.push(`  validation: ${flow({ validation })} # measured during the run`);
  if (test !== undefined) lines.push(`  test: ${flow({ test })} # measured once, at the end: what flava compare shows`);
  const texts = heldOutTexts ?? (kind === "pairs" ? validation : undefined);
  if (texts !== undefined) lines.push(`  texts: ${flow([texts])}`);
  return lines.length === 0 ? [] : ["evaluation:", ...lines, ""];
}

const PURPOSE: Readonly<Record<string, string>> = {
  codebook: "visual words: what masked patches are predicted as",
  text: "the text encoder alone, by masked words",
  image: "the image encoder alone, by masked patches; kind image-dino learns by comparing crops instead",
  joint: "all three encoders together",
};

function stageLines({ shape }: RecipeText): string[] {
  const lines = [
    "# A run goes on to more steps, or with another learning rate, where this says so.",
    "mayChange: [stages.*.steps, stages.*.optimizer.lr]",
    "",
    "stages:",
  ];
  for (const [name, { kind, ...stage }] of Object.entries(shape.stages)) {
    lines.push(`  ${name}: # ${PURPOSE[name]}`, `    kind: ${kind}`);
    for (const [key, value] of Object.entries(stage)) lines.push(`    ${key}: ${flow(value)}`);
  }
  return lines;
}
