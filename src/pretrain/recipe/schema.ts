/** The schema of a whole recipe: plain data, unknown keys refused, every default here or in the schemas it is made of. */
import { z } from "zod";
import { SPLIT_BY } from "../../data/index.ts";
import { dataSchema } from "../../datasets/index.ts";
import { deviceNames } from "../../runtime/device-names.ts";
import type { Tables } from "../tables.ts";
import { checkRecipe } from "./checks.ts";
import { whole } from "./parts-schema.ts";
import type { Recipe, WeightedSource, Without } from "./types.ts";

const source = z
  .union([z.string().min(1), dataSchema])
  .describe("starter:PART, a path, a URL, type:location, or {type, path, …}.");

const heldOut = z.union([
  z.string().min(1),
  z.strictObject({ source, by: z.enum(SPLIT_BY).default("concept") }),
  dataSchema,
]);

const without = z
  .union([heldOut, z.array(heldOut)])
  .transform((given): Without[] =>
    [given]
      .flat()
      .map((one) => (typeof one === "object" && "by" in one ? one : { source: one as string, by: "concept" })),
  )
  .describe(
    "Held-out sets. Left out are samples with a picture, a caption or the head word of a short caption of one of theirs (by: concept), with a picture or caption of one (caption), or equal to one (sample).",
  );

const weighted = z.strictObject({
  source,
  weight: z.number().positive().default(1).describe("Share among the sources of its kind."),
  share: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      "Only this share of its samples is read, chosen by their keys: a smaller share is a part of a larger one. Absent: all.",
    ),
  captions: z
    .enum(["first", "any", "tags"])
    .optional()
    .describe("Which caption of a sample is read; absent: what the source says, else one at random."),
  tasks: z.array(z.string().min(1)).min(1).optional().describe("Which tasks of a UniT read it; absent: all."),
  without: without.optional(),
});

const sources = z
  .union([z.string().min(1), z.array(z.union([z.string().min(1), weighted]))])
  .default([])
  .transform((given): WeightedSource[] =>
    (typeof given === "string" ? [given] : given).map((one) =>
      typeof one === "string" ? { source: one, weight: 1 } : one,
    ),
  );

const MIB = 2 ** 20;

const data = z
  .strictObject({
    pairs: sources.describe("Images with captions."),
    images: sources.describe("What image stages and image-only steps see; of pairs, the image. Absent: the pairs."),
    texts: sources.describe("What text stages and text-only steps see; of pairs, the caption. Absent: the pairs."),
    shuffle: z
      .int()
      .nonnegative()
      .default(4096)
      .describe("Samples of a shuffle block; 0: in the order of the source. They hold bytes, not pixels."),
    shuffleBytes: whole.default(256 * MIB).describe("A block ends early at this many bytes; two are held at a time."),
    memoryBytes: z
      .int()
      .nonnegative()
      .default(0)
      .describe("Sources that fit into this many bytes are read once and reshuffled as wholes."),
    pixelBytes: z.int().nonnegative().default(0).describe("Decoded pictures up to this many bytes are kept."),
    workers: z
      .int()
      .nonnegative()
      .default(1)
      .describe("Threads that decode and mask; one keeps up with two cores of training. 0: the main one."),
    prefetch: whole.default(2).describe("Batches ahead: one in work, one ready."),
  })
  .prefault({});

const sets = z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), source).default({});

const evaluation = z
  .strictObject({
    validation: sets.describe("Held-out pairs that are measured during the run; `best` goes by them."),
    test: sets.describe("Held-out pairs that are measured once, at the end."),
    texts: z
      .union([z.string().min(1), z.array(source)])
      .default([])
      .transform((given) => (typeof given === "string" ? [given] : given))
      .describe("Held-out texts for masked language modelling: eval/mlm/loss, eval/mlm/accuracy."),
    labelled: z
      .strictObject({ train: source, test: source })
      .nullable()
      .default(null)
      .describe("Images with labels for k-NN classification by the image encoder: eval/knn/accuracy."),
    boxes: sets.describe(
      "Held-out pictures with boxes, for models that find them: eval/<name>/ap, …/ap50, …/ap75, …/ar100.",
    ),
    maxPairs: whole.default(5000).describe("Samples of a set; COCO's retrieval split has 5,000 images."),
    batchSize: whole.default(64).describe("Samples that go through the model at once; no result depends on it."),
  })
  .prefault({});

const vocabulary = z
  .strictObject({
    kind: z
      .enum(["full", "reduced", "file"])
      .optional()
      .describe(
        "reduced: only the entries that the texts use; file: those at `path`. Default: file where there is a path, else full.",
      ),
    path: z.string().min(1).nullable().default(null).describe("A model's folder, tokenizer.json or vocab.txt."),
    minCount: whole.default(1).describe("reduced: entries used less often are dropped; 1 drops nothing that occurs."),
    minCaptionCount: whole.default(1).describe("Entries that captions use so often stay, however rare in texts."),
  })
  .prefault({})
  .transform((given) => ({
    ...given,
    kind: given.kind ?? (given.path === null ? ("full" as const) : ("file" as const)),
  }));

/** The schemas that follow from the tables of families and of kinds of stages. */
export interface RecipeSchemas {
  /** What a recipe file may hold: the recipe's fields, and the recipe it starts from. */
  readonly file: z.ZodType;
  /** A recipe whose `model` already has its variant in it (see load.ts). */
  readonly recipe: z.ZodType<Recipe>;
}

const made = new WeakMap<Tables, Map<string | undefined, RecipeSchemas>>();

/** Made once for the same tables. `family` is the recipe's, so that its model is checked as one of that family alone. */
export function recipeSchemas(tables: Tables, family?: unknown): RecipeSchemas {
  const key = typeof family === "string" && Object.hasOwn(tables.families, family) ? family : undefined;
  const all = made.get(tables) ?? new Map<string | undefined, RecipeSchemas>();
  made.set(tables, all);
  const known = all.get(key) ?? makeSchemas(tables, key);
  all.set(key, known);
  return known;
}

function makeSchemas(tables: Tables, family: string | undefined): RecipeSchemas {
  const fields = fieldsOf(tables, family);
  const file = fields.partial({ name: true, model: true, stages: true }).extend({
    extends: z.string().min(1).optional().describe("Path, from this file, of a recipe that this one changes."),
  });
  const recipe = fields
    .superRefine((given, context) => checkRecipe(tables, given as never, context))
    .transform((given) => ({
      ...given,
      runDir: (given.runDir ?? `runs/${given.name}`).replaceAll("{seed}", String(given.seed)),
    }));
  return { file, recipe: recipe as never };
}

function fieldsOf({ families, kinds }: Tables, family: string | undefined) {
  const models = Object.entries(families).flatMap(([name, { schema }]) =>
    family === undefined || name === family ? [schema] : [],
  );
  const variants = new Set(Object.values(families).flatMap((family) => Object.keys(family.variants)));
  const stages = Object.values(kinds).map(({ schema }) => schema);
  return z.strictObject({
    name: z
      .string()
      .regex(/^(?!\.{1,2}$)[^/\\]+$/, 'expected a name without "/" and "\\": the run\'s folder is runs/<name>'),
    seed: z.int().nonnegative().default(0),
    device: z.enum(deviceNames).default("cpu"),
    dtype: z
      .enum(["fp32", "bf16"])
      .default("fp32")
      .describe(
        "What products read in training steps. Parameters, moments, losses and checkpoints are float32 in both.",
      ),
    threads: z.int().nonnegative().default(0).describe("Threads of the engine; 0: all processors."),
    runDir: z
      .string()
      .min(1)
      .optional()
      .describe("Where the run writes; runs/<name> unless given. {seed} in it stands for the seed."),
    mayChange: z
      .array(z.string().regex(/^[\w*-]+(\.[\w*-]+)*$/, "expected a key, as in stages.joint.steps"))
      .default([])
      .describe(
        "Keys that may differ when the run is resumed, each with all below it: stages.joint.steps, stages.*.optimizer, data. What differed is kept in run.json.",
      ),
    family: z.enum(Object.keys(families)).default("flava").describe("Which kind of model."),
    variant: z
      .enum([...variants])
      .default("base")
      .describe(
        "The sizes that `model` starts from, and how long and large its stages are: tiny, small or base (the published model).",
      ),
    model: (models.length === 1 ? models[0]! : z.union(models as [z.ZodType, z.ZodType])).describe(
      "What differs from the variant; its defaults are the published model.",
    ),
    vocabulary,
    data,
    evaluation,
    stages: z
      .record(z.string().regex(/^[a-z][a-z0-9-]*$/), z.discriminatedUnion("kind", stages as never))
      .describe("By name, in the order they run."),
  });
}
