/** The code base whose files are read: MMF's UniT (models/unit). Its names are ours. */
import type { Layout, Place } from "../layout.ts";
import type { UnitConfigInput } from "./config.ts";

/** How a file names the tensors of a UniT. */
export type UnitLayout = "mmf-unit";

const SIGN = "unit_base_model.transformer.encoder.layers.0.self_attn.in_proj_weight";
/** The shared decoder once more for every set, as MMF saves it. */
const ALIAS = /^unit_base_model\.transformer\.decoders\./;
/** Visual Genome's head for attributes. */
const ATTRIBUTES = /attribute/;

const mmf: Layout<UnitConfigInput> = {
  title: "MMF's UniT",
  recognise(tensors) {
    const start = ["", "model."].find((prefix) => tensors.has(`${prefix}${SIGN}`));
    if (start === undefined) return undefined;
    return {
      what: "UniT",
      place: (stored): Place | undefined => {
        if (!stored.startsWith(start)) return undefined;
        const name = stored.slice(start.length);
        if (ALIAS.test(name)) return { ignored: "copies of the shared decoder" };
        if (ATTRIBUTES.test(name)) return { ignored: "heads for attributes" };
        if (name.startsWith("bert_model.module.pooler.")) return { ignored: "a pooler that nothing reads" };
        return { to: name };
      },
    };
  },
  target: (name) => ({ name }),
};

export const unitLayouts: { readonly [L in UnitLayout]: Layout<UnitConfigInput> } = { "mmf-unit": mmf };
