/** The intermediate tensors of the golden tiny model: where each is in a traced case, and its shape, sum and first four values. */
import type { Value } from "../../src/graph/index.ts";
import type { PairCase } from "./tiny-case.ts";

export interface TensorExpectation {
  readonly name: string;
  readonly value: (c: PairCase) => Value;
  readonly shape: readonly number[];
  readonly sum: number;
  readonly first: readonly number[];
}

const row = (
  name: string,
  value: (c: PairCase) => Value,
  shape: readonly number[],
  sum: number,
  first: readonly number[],
): TensorExpectation => ({ name, value, shape, sum, first });

const I = [3, 17, 16];
const T = [3, 6, 16];
const M = [3, 24, 16];
const tap = (name: string) => (c: PairCase) => c.taps.get(`image_codebook.${name}`)!;

// biome-ignore format: one row a tensor
export const tensorExpectations: readonly TensorExpectation[] = [
  row("image hidden_states[0]", (c) => c.values.unmasked.image.hidden_states[0]!, I, 18.5439258657, [-0.21959931, 0.14113497, -0.43716292, 0.26829706]),
  row("image hidden_states[1]", (c) => c.values.unmasked.image.hidden_states[1]!, I, -10.3959737666, [-1.14884512, 1.02648305, -1.12994768, 0.00088137]),
  row("image hidden_states[2]", (c) => c.values.unmasked.image.hidden_states[2]!, I, -83.0412452725, [-0.68491265, 1.09203394, -0.81538981, 0.77777014]),
  row("image last_hidden_state", (c) => c.values.unmasked.image.last_hidden_state, I, -16.7807667724, [-1.12013644, 1.87974929, -1.3892002, 1.22658687]),
  row("image pooler_output", (c) => c.values.unmasked.image.pooler_output, [3, 16], -1.5220856693, [-0.57691004, -0.78666722, 0.41370091, -0.11825429]),
  row("image hidden_states[0], masked", (c) => c.values.masked.image.hidden_states[0]!, I, 1.1728885655, [-0.21959931, 0.14113497, -0.43716292, 0.26829706]),
  row("image last_hidden_state, masked", (c) => c.values.masked.image.last_hidden_state, I, -16.9232693575, [-0.66096978, 1.88176378, -1.13135113, 1.35557368]),
  row("text hidden_states[0]", (c) => c.values.unmasked.text.hidden_states[0]!, T, 4.3747523261, [1.13509117, -1.10477816, -0.20929774, 1.2563034]),
  row("text hidden_states[1]", (c) => c.values.unmasked.text.hidden_states[1]!, T, 43.4675308019, [1.33374412, -0.74699643, 0.00087177, 1.72163202]),
  row("text hidden_states[2]", (c) => c.values.unmasked.text.hidden_states[2]!, T, 80.2246740273, [1.00704347, -1.21678083, -0.268199, 1.41861465]),
  row("text last_hidden_state", (c) => c.values.unmasked.text.last_hidden_state, T, -15.8771608672, [0.37197691, -1.40381508, -0.16131149, 0.84290913]),
  row("text last_hidden_state, masked ids", (c) => c.values.masked.text.last_hidden_state, T, -15.5796889981, [0.17297217, -1.14282765, -0.16603671, 0.80393297]),
  row("image_to_mm output", (c) => c.values.unmasked.image.to_mm, I, -18.3572618531, [-0.10256432, 0.47646208, 0.80009962, -0.22695284]),
  row("text_to_mm output", (c) => c.values.unmasked.text.to_mm, T, 7.5943263983, [1.27914598, 1.60551022, -1.44821461, 0.26274615]),
  row("multimodal last_hidden_state, unmasked", (c) => c.values.unmasked.multimodal!.last_hidden_state, M, 21.4806049289, [1.93649205, 1.50041532, -1.99862008, -1.83112216]),
  row("multimodal last_hidden_state, masked", (c) => c.values.masked.multimodal.last_hidden_state, M, 26.5968289298, [2.41132363, 1.64277778, -2.07332361, -1.65465995]),
  row("image contrastive projection", (c) => c.values.contrastive.image_projection, [3, 10], 6.3189280958, [-0.00629032, 0.31585315, 0.09310066, 0.74848854]),
  row("the same, normalised", (c) => c.values.contrastive.image_embeds, [3, 10], 4.0201093027, [-0.00480373, 0.24120726, 0.07109808, 0.5715975]),
  row("codebook after input conv", tap("blocks.input"), [3, 8, 32, 32], 1971.1582749403, [0.76542262, 1.31565609, 1.88814365, 1.70495552]),
  row("codebook after group_1", tap("blocks.group_1"), [3, 8, 16, 16], 3579.3145107821, [1.32067478, 2.10127386, 1.93676383, 1.80453734]),
  row("codebook after group_2", tap("blocks.group_2"), [3, 16, 8, 8], 711.391924112, [-0.15663857, -0.08366071, -0.12684663, -0.06257373]),
  row("codebook after group_3", tap("blocks.group_3"), [3, 32, 4, 4], 160.1959337269, [-0.06691189, -0.21318262, -0.16230562, -0.17221302]),
  row("codebook after group_4", tap("blocks.group_4"), [3, 64, 4, 4], 242.7615814898, [0.23222181, 0.26273524, 0.16276543, 0.1685627]),
  row("codebook logits", tap("logits"), [3, 24, 4, 4], -118.6662828146, [-0.20823714, -0.27680846, -0.18003079, -0.25658416]),
];

/** Visual words of the three samples. */
// biome-ignore format: one row a row of the grid
export const wordExpectations: readonly number[] = [
  2, 2, 23, 2,
  2, 23, 23, 23,
  2, 23, 2, 23,
  2, 2, 23, 23,

  2, 2, 23, 2,
  2, 23, 23, 2,
  2, 2, 23, 23,
  23, 2, 2, 23,

  2, 2, 2, 23,
  2, 2, 23, 23,
  2, 23, 23, 23,
  23, 2, 2, 23,
];

export const contrastiveLogits: readonly number[] = [
  6.9011561, 6.67179396, 7.0277847, 7.23229969, 7.10654466, 6.15399267, 6.53971323, 6.35670478, 5.88579609,
];
export const itmLogits: readonly number[] = [-0.18213463, 0.15152109, 0.04842825, 0.14685232, -0.20795897, 0.38923352];

/** Gradient norms of the total in cases A ([1,0,1]), B ([1,1,1]) and C (no labels); null: no gradient. */
// biome-ignore format: one row a parameter
export const gradientExpectations: readonly (readonly [string, number, number, number | null])[] = [
  ["flava.logit_scale", 0.3053173378, 0.1386912743, 0.1386912743],
  ["flava.image_model.embeddings.mask_token", 1.018949657, 1.0386700024, 0.9246262024],
  ["flava.image_model.embeddings.cls_token", 1.6455245709, 0.9196742472, 0.7732766903],
  ["flava.image_model.embeddings.position_embeddings", 1.7262014752, 1.048622845, 0.90636143],
  ["flava.text_model.embeddings.word_embeddings.weight", 2.52920568, 1.9327370401, 1.938885987],
  ["flava.text_model.encoder.layer.0.attention.attention.query.weight", 1.0373113303, 0.5950440383, 0.5741304601],
  ["flava.image_model.encoder.layer.1.output.dense.weight", 2.2069710363, 1.6064107871, 1.5240840021],
  ["flava.multimodal_model.cls_token", 0.7853604562, 2.4848735743, 0.1146989117],
  ["flava.image_projection.weight", 3.654015619, 1.4827548864, 1.4827548864],
  ["flava.image_to_mm_projection.bias", 1.2936937662, 1.1900787586, 0.8607726235],
  ["flava.image_model.layernorm.weight", 0.4430582069, 0.210730346, 0.210730346],
  ["mmm_image_head.decoder.weight", 2.6149726269, 2.3294795132, 2.3294795132],
  ["mmm_text_head.bias", 0.5748022216, 0.4826353085, 0.4826353085],
  ["itm_head.seq_relationship.weight", 0.2700040363, 1.1716100534, null],
];
