/** The code bases whose files are read: VOLTA, whose names are ours, and Hugging Face's LXMERT and VisualBERT. */
import { countNumbers, type Layout, type Naming, type Place, type Shapes } from "../layout.ts";
import { type Pairs, swapStart } from "../rename.ts";

const COPIES = /^cls\.predictions\.decoder\./;
const copies: Place = { ignored: "copies of the word embeddings" };
/** What Hugging Face's classes for other tasks put on VisualBERT. */
const TASKS = /^(cls\.(weight|bias)$|attention\.)/;

const volta: Layout = {
  title: "VOLTA",
  recognise: (tensors) =>
    tensors.has("bert.encoder.layer.0.attention_self.query.weight")
      ? { what: "a BERT of VOLTA", place: (name) => (COPIES.test(name) ? copies : { to: name }) }
      : undefined,
  target: (name) => ({ name }),
};

/** The parts of a layer of Hugging Face's: theirs, and ours behind the number of a sub-layer. */
type Parts = readonly (readonly [theirs: string, sublayer: number, ours: string])[];

/** A BERT layer is two sub-layers; `prefix` is "v_" where it reads regions. */
const bertParts = (prefix: string): Parts => [
  ["attention.self.", 0, `attention_self.${prefix}`],
  ["attention.output.", 0, `attention_output.${prefix}`],
  ["intermediate.", 1, `intermediate.${prefix}`],
  ["output.", 1, `output.${prefix}`],
];

/** A layer that crosses is three: one attention for both directions, two of their own, and two feed-forwards. */
const crossParts: Parts = [
  ["visual_attention.att.", 0, "attention_self."],
  ["visual_attention.output.", 0, "attention_output."],
  ["lang_self_att.self.", 1, "attention_self."],
  ["lang_self_att.output.", 1, "attention_output."],
  ["visn_self_att.self.", 1, "attention_self.v_"],
  ["visn_self_att.output.", 1, "attention_output.v_"],
  ["lang_inter.", 2, "intermediate."],
  ["lang_output.", 2, "output."],
  ["visn_inter.", 2, "intermediate.v_"],
  ["visn_output.", 2, "output.v_"],
];

/** The place of a tensor of a layer, whose first sub-layer is `first`. */
function inLayer(rest: string, parts: Parts, first: number): Place | undefined {
  const found = parts.find(([theirs]) => rest.startsWith(theirs));
  if (!found) return undefined;
  const [theirs, sublayer, ours] = found;
  return { to: `bert.encoder.layer.${first + sublayer}.${ours}${rest.slice(theirs.length)}` };
}

const lxmertNames: Pairs = [
  ["bert.embeddings.", "lxmert.embeddings."],
  ["bert.v_embeddings.image_embeddings.", "lxmert.encoder.visn_fc.visn_fc."],
  ["bert.v_embeddings.ImgLayerNorm.", "lxmert.encoder.visn_fc.visn_layer_norm."],
  ["bert.v_embeddings.image_location_embeddings.", "lxmert.encoder.visn_fc.box_fc."],
  ["bert.v_embeddings.LocLayerNorm.", "lxmert.encoder.visn_fc.box_layer_norm."],
  ["bert.pooler.", "lxmert.pooler."],
  ["cls.imagePredictions.transform.", "obj_predict_head.transform."],
  ["cls.imagePredictions.decoder_dict.3.", "obj_predict_head.decoder_dict.obj."],
  ["cls.imagePredictions.decoder_dict.4.", "obj_predict_head.decoder_dict.attr."],
  ["cls.imagePredictions.decoder_dict.5.", "obj_predict_head.decoder_dict.feat."],
  ["cls.", "cls."],
  ["answer_head.", "answer_head."],
];

const visualBertNames: Pairs = [
  ["bert.embeddings.token_type_embeddings_visual.", "visual_bert.embeddings.visual_token_type_embeddings."],
  ["bert.embeddings.position_embeddings_visual.", "visual_bert.embeddings.visual_position_embeddings."],
  ["bert.embeddings.projection.", "visual_bert.embeddings.visual_projection."],
  ["bert.embeddings.", "visual_bert.embeddings."],
  ["bert.pooler.", "visual_bert.pooler."],
  ["cls.", "cls."],
];

/** A name of Hugging Face's by its beginning. */
function placeBy(name: string, pairs: Pairs): Place | undefined {
  if (COPIES.test(name)) return copies;
  if (TASKS.test(name)) return { ignored: "heads of tasks" };
  const to = swapStart(name, pairs, 1);
  return to === undefined ? undefined : { to };
}

function lxmertNaming(tensors: Shapes): Naming | undefined {
  const sign = [...tensors.keys()].map((name) => /^(lxmert\.)?encoder\.x_layers\./.exec(name)).find(Boolean);
  if (!sign) return undefined;
  const bare = sign[1] === undefined; // LxmertModel by itself
  const count = (list: string): number =>
    countNumbers(tensors, new RegExp(`^(?:lxmert\\.)?encoder\\.${list}\\.(\\d+)\\.`));
  const crossing = 2 * Math.max(count("layer"), count("r_layers"));
  const place = (name: string): Place | undefined => {
    const [, list, number, rest] = /^lxmert\.encoder\.(layer|r_layers|x_layers)\.(\d+)\.(.*)$/.exec(name) ?? [];
    if (list === undefined) return placeBy(name, lxmertNames);
    if (list === "x_layers") return inLayer(rest!, crossParts, crossing + 3 * Number(number));
    return inLayer(rest!, bertParts(list === "layer" ? "" : "v_"), 2 * Number(number));
  };
  return { what: bare ? "LxmertModel" : "LXMERT", place: (name) => place(bare ? `lxmert.${name}` : name) };
}

/** Read alone: a name of ours does not say how many layers stand before those that cross. */
const lxmert: Layout = { title: "Hugging Face's LXMERT", recognise: lxmertNaming, target: () => undefined };

const visualBert: Layout = {
  title: "Hugging Face's VisualBERT",
  recognise(tensors) {
    const table = "embeddings.visual_projection.weight";
    if (tensors.has(`visual_bert.${table}`)) return { what: "VisualBERT", place: visualBertPlace };
    // VisualBertModel by itself.
    return tensors.has(table)
      ? { what: "VisualBertModel", place: (name) => visualBertPlace(`visual_bert.${name}`) }
      : undefined;
  },
  target(name) {
    const [, number, rest] = /^bert\.encoder\.layer\.(\d+)\.(.*)$/.exec(name) ?? [];
    if (number === undefined) {
      const to = swapStart(name, visualBertNames, 0);
      return to === undefined ? undefined : { name: to };
    }
    const found = bertParts("").find(([, sublayer, ours]) => sublayer === Number(number) % 2 && rest!.startsWith(ours));
    if (!found) return undefined;
    const [theirs, , ours] = found;
    return { name: `visual_bert.encoder.layer.${Math.floor(Number(number) / 2)}.${theirs}${rest!.slice(ours.length)}` };
  },
};

function visualBertPlace(name: string): Place | undefined {
  const [, number, rest] = /^visual_bert\.encoder\.layer\.(\d+)\.(.*)$/.exec(name) ?? [];
  return number === undefined ? placeBy(name, visualBertNames) : inLayer(rest!, bertParts(""), 2 * Number(number));
}

export const voltaLayouts: Readonly<Record<"volta" | "lxmert" | "visual_bert", Layout>> = {
  volta,
  lxmert,
  visual_bert: visualBert,
};
