/** DINO's self-distillation loss and the centre of its teacher (Caron et al., arXiv:2104.14294 §3.1; facebookresearch/dino). */
import { ShapeError } from "../errors.ts";
import {
  add,
  allReduce,
  div,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  slice,
  softmax,
  stopGradient,
  sub,
  sum,
  type Value,
} from "../graph/index.ts";

export interface DinoValues {
  /** (V·B, K): scores of V crops of B images, crop by crop, the global crops first. */
  readonly student: Value;
  /** (G·B, K): scores of the G global crops. No gradient flows into them. */
  readonly teacher: Value;
  /** (1, K): running mean of teacher scores. */
  readonly center: Value;
  /** V. */
  readonly crops: number;
  /** G; 2 unless said. */
  readonly globalCrops?: number;
  readonly teacherTemperature: Value | number;
  /** 0.1 unless said. */
  readonly studentTemperature?: number;
}

export interface DinoObjective {
  /** (). */
  readonly loss: Value;
  /** (): mean entropy of the teacher's distributions; ln K or 0 means collapse. */
  readonly teacherEntropy: Value;
  /** ln K. */
  readonly chance: number;
}

/**
 * L = mean over pairs (teacher crop i, student crop v ≠ i) of mean over images of −Σ p_i·log q_v
 *   p = softmax((t − center)/τ_t),  q = softmax(s/τ_s)
 * Every batch has targets: with one crop there would be no pair, which is a ShapeError.
 */
export function dinoLoss(values: DinoValues): DinoObjective {
  const { crops: V, globalCrops: G = 2, studentTemperature = 0.1, teacherTemperature } = values;
  const { R, K } = values.student.dims("R K");
  const B = R / V;
  const pairs = G * (V - 1);
  if (!Number.isInteger(B) || values.teacher.shape[0] !== G * B || V < 2)
    throw new ShapeError(`dino: ${R} student and ${values.teacher.shape[0]} teacher rows are not ${V} and ${G} crops`);
  const teacher = stopGradient(softmax(div(sub(values.teacher, values.center), teacherTemperature)));
  const student = logSoftmax(mul(values.student, 1 / studentTemperature));

  const byCrop = reshape(student, [V, B, K]);
  const globals = slice(byCrop, 0, 0, G);
  const others = sub(sum(byCrop, [0], { keep: true }), globals); // (G, B, K): sum over the crops v ≠ i
  const loss = mul(neg(sum(mul(reshape(teacher, [G, B, K]), others))), 1 / (pairs * B));
  return { loss, teacherEntropy: entropy(values, teacherTemperature, teacher), chance: Math.log(K) };
}

/** −Σ p·log p, mean over rows. */
function entropy({ teacher, center }: DinoValues, temperature: Value | number, p: Value): Value {
  return neg(mean(sum(mul(p, logSoftmax(div(sub(teacher, center), temperature))), [1])));
}

/** The next centre: momentum·center + (1 − momentum)·(mean of raw teacher scores over crops, images and parts of the batch). */
export function dinoCenter(center: Value, teacher: Value, momentum = 0.9, parts = 1): Value {
  const local = mean(teacher, [0], { keep: true });
  const all = parts === 1 ? local : mul(allReduce(local, parts), 1 / parts);
  return add(mul(center, momentum), mul(all, 1 - momentum));
}
