/**
 * `flava table --systems`: FLAVA and the systems that its paper sets beside it, as their recipes train them and their models answer. Nothing here
 * is typed in: a tick is a loss that a step trains, or a result that a model's graphs have.
 */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../errors.ts";
import type { Model } from "../models/index.ts";

/** One system. */
export interface SystemRow {
  readonly system: string;
  readonly family: string;
  /** Parameters that are trained or kept. */
  readonly parameters: number;
  /** Samples that all stages read, by kind of data. */
  readonly samples: Readonly<Record<string, number>>;
  /** Names of losses: on pairs by what they do, and on pictures or texts alone. */
  readonly contrastive: readonly string[];
  readonly matching: readonly string[];
  readonly masking: readonly string[];
  readonly unimodal: readonly string[];
  /** What the model answers for: vision, cross-modal retrieval, multimodal reasoning, language. */
  readonly answers: Readonly<Record<"V" | "CV&L" | "MV&L" | "L", boolean>>;
  /** Why it answers none of it for pictures, where the model says so. */
  readonly lacks: string | undefined;
}

const ROOT = new URL("../../recipes/", import.meta.url);

/** The rows of all recipes in recipes/compared, FLAVA's last; those of the starter data or of the published runs. */
export async function systemRows(of: "base" | "starter"): Promise<SystemRow[]> {
  const names = (await readdir(fileURLToPath(new URL("compared/", ROOT)))).filter((name) =>
    name.endsWith(`-${of}.yaml`),
  );
  const own = of === "base" ? "flava-base.yaml" : "starter.yaml";
  const paths = [...names.sort().map((name) => `compared/${name}`), own];
  const rows: SystemRow[] = [];
  for (const path of paths) rows.push(await systemRow(fileURLToPath(new URL(path, ROOT))));
  return rows;
}

async function systemRow(path: string): Promise<SystemRow> {
  const [{ resolveRecipe }, { kindOf, modelOf, planOf, tables }] = await Promise.all([
    import("../pretrain/recipe/index.ts"),
    import("../pretrain/tables.ts"),
  ]);
  const { recipe } = await resolveRecipe(path);
  const model = modelOf(tables, recipe);
  const samples: Record<string, number> = {};
  for (const stage of Object.values(recipe.stages))
    for (const [kind, n] of Object.entries(kindOf(tables, stage).reads(stage)))
      samples[kind] = (samples[kind] ?? 0) + n;
  const trained = await Promise.all(
    Object.values(recipe.stages).map(async (stage) => lossesOf(planOf(tables, recipe, stage))),
  );
  const losses = trained.flat();
  const ofPairs = (wanted: RegExp): string[] => unique(losses, (data, loss) => data === "pairs" && wanted.test(loss));
  return {
    system: recipe.name.replace(/-(base|starter)$/, ""),
    family: recipe.family,
    parameters: model.parameters().reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0),
    samples,
    contrastive: ofPairs(CONTRASTIVE),
    matching: ofPairs(MATCHING),
    masking: unique(losses, (data, loss) => data === "pairs" && !CONTRASTIVE.test(loss) && !MATCHING.test(loss)),
    unimodal: unique(losses, (data) => data !== "pairs"),
    answers: systemAnswers(model),
    lacks: model.image || model.pair ? undefined : Object.values(model.lacks ?? {})[0],
  };
}

/** Losses that compare the pairs of a batch with each other. */
const CONTRASTIVE = /contrastive|^it[ac]$/;
/** Losses that say of one pair whether it belongs together. */
const MATCHING = /^(itm|triple|wpa|match)/;

type Plan = ReturnType<typeof import("../pretrain/tables.ts").planOf>;

/** Each loss of a plan, with the kind of data that its batches are of. */
async function lossesOf(plan: Plan): Promise<(readonly [data: string, loss: string])[]> {
  const [{ Params }, { WHOLE }] = await Promise.all([import("../nn/index.ts"), import("../train/plan.ts")]);
  return plan.datasets.flatMap(({ kind, data }) => {
    const { losses } = plan.objectives[kind]!.losses(new Params(), 2, WHOLE); // the graph of a small batch
    return Object.keys(losses).map((loss) => [data, loss] as const);
  });
}

const unique = (
  losses: readonly (readonly [data: string, loss: string])[],
  wanted: (data: string, loss: string) => boolean,
): string[] => [...new Set(losses.filter(([data, loss]) => wanted(data, loss)).map(([, loss]) => loss))];

/** By the results that its graphs have. */
export function systemAnswers(model: Model): SystemRow["answers"] {
  const image = model.image?.({ batch: 1 })?.graph.outputs ?? {};
  const text = model.text?.({ batch: 1, textLength: 4 })?.graph.outputs ?? {};
  const pair = model.pair?.({ batch: 1, textLength: 4 })?.graph.outputs ?? {};
  const has = (outputs: object): boolean => Object.keys(outputs).length > 0;
  const own = Object.values(model.tasks ?? {});
  return {
    V: has(image) && ("image_embeds" in image || model.features !== undefined),
    "CV&L": "image_embeds" in image && "text_embeds" in text,
    "MV&L": has(pair) || model.regionPair !== undefined || own.includes("pair"),
    L: "text_embeddings" in text || "text_embeds" in text || "pooler_output" in text || own.includes("text"),
  };
}

const millions = (n: number): string => `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} M`;
const tick = (is: boolean): string => (is ? "✓" : "–");
const list = (names: readonly string[]): string => names.join(", ") || "–";

/** The table as Markdown or CSV. */
export function systemsTable(rows: readonly SystemRow[], format: "markdown" | "csv" | "html"): string {
  if (format === "html")
    throw new ConfigError("--systems: expected --format markdown or csv, got html", "html is for tables of results");
  const head = [
    "system",
    "parameters",
    "samples read",
    "contrastive",
    "matching",
    "on pairs besides",
    "unimodal",
    "V",
    "CV&L",
    "MV&L",
    "L",
  ];
  const cells = rows.map((row) => [
    row.system,
    millions(row.parameters),
    Object.entries(row.samples)
      .map(([kind, n]) => `${millions(n)} ${kind}`)
      .join(", "),
    list(row.contrastive),
    list(row.matching),
    list(row.masking),
    list(row.unimodal),
    ...(["V", "CV&L", "MV&L", "L"] as const).map((name) => tick(row.answers[name])),
  ]);
  if (format === "csv")
    return [head, ...cells].map((line) => line.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(",")).join("\n");
  const lines = [head, head.map(() => "---"), ...cells].map((line) => `| ${line.join(" | ")} |`);
  const notes = rows.flatMap(({ system, lacks }) => (lacks === undefined ? [] : [`- ${system}: ${lacks}.`]));
  return [
    ...lines,
    "",
    "Losses are named as logs have them. V vision, CV&L cross-modal retrieval, MV&L multimodal reasoning, L language: a tick where the model's graphs give states or embeddings for it.",
    ...notes,
  ].join("\n");
}
