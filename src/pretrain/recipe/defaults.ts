/** What a recipe leaves unsaid and its own sizes decide: the variant's model, what stages of it take, where their data and weights come from. */
import { isRecord } from "../../io/index.ts";
import type { Tables } from "../tables.ts";
import { merge } from "./merge.ts";

type Raw = Record<string, unknown>;

/** The recipe with the variant's sizes, the stages' defaults for these sizes, and the sources that serve for others, below its own. */
export function withDefaults(raw: Raw, tables: Tables): Raw {
  const sized = withVariant(raw, tables);
  const model = modelOf(sized, tables);
  const { stages, data } = sized;
  return {
    ...sized,
    ...(isRecord(data) && { data: withPairs(data) }),
    ...(isRecord(stages) && { stages: withStages(stages, { model, variant: sized.variant ?? "base", tables }) }),
  };
}

/** The recipe with its variant's sizes below its own. */
function withVariant(raw: Raw, { families }: Tables): Raw {
  const { family = "flava", variant = "base", model = {} } = raw;
  const variants = typeof family === "string" && Object.hasOwn(families, family) ? families[family]!.variants : {};
  const sizes = typeof variant === "string" && Object.hasOwn(variants, variant) ? (variants[variant] as Raw) : {};
  return { ...raw, model: isRecord(model) ? merge(sizes, model) : model };
}

/** The model, where it is one: what is wrong with it is said when the recipe is checked. */
function modelOf({ family = "flava", model }: Raw, { families }: Tables): unknown {
  const known = typeof family === "string" && Object.hasOwn(families, family) ? families[family] : undefined;
  const parsed = known?.schema.safeParse(model);
  return parsed?.success ? parsed.data : undefined;
}

/** Of pairs, image stages see the image and text stages the caption, where the recipe names no other images or texts. */
function withPairs(data: Raw): Raw {
  const { pairs } = data;
  return pairs === undefined ? data : { ...data, images: data.images ?? pairs, texts: data.texts ?? pairs };
}

interface Sized {
  readonly model: unknown;
  readonly variant: unknown;
  readonly tables: Tables;
}

function withStages(stages: Raw, { model, variant, tables }: Sized): Raw {
  const out: Raw = {};
  for (const [name, stage] of Object.entries(stages)) {
    const row = isRecord(stage) ? kindOf(stage, tables) : undefined;
    if (!isRecord(stage) || !row) {
      out[name] = stage;
      continue;
    }
    const sizes = model === undefined ? {} : row.defaults?.({ model: model as never, variant: String(variant), stage });
    const { init = {} } = stage;
    const from = isRecord(init) ? { init: { ...givers(out, row.startsFrom ?? [], tables), ...init } } : {};
    out[name] = { ...merge({ ...sizes }, stage), ...from };
  }
  return out;
}

const kindOf = ({ kind }: Raw, { kinds }: Tables) =>
  typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;

/** For each part the last of the earlier stages that trains it. */
function givers(earlier: Raw, parts: readonly string[], tables: Tables): Raw {
  const found: Raw = {};
  for (const [name, stage] of Object.entries(earlier))
    for (const part of isRecord(stage) ? (kindOf(stage, tables)?.gives ?? []) : [])
      if (parts.includes(part)) found[part] = name;
  return found;
}
