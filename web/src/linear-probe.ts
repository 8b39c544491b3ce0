/** Logistic regression by gradient descent with momentum, on rows of length 1. */

/** An example. */
export interface Example {
  readonly x: Float32Array;
  readonly label: number;
}

/** Scores of classes: weight · x + bias. */
export interface Probe {
  readonly labels: readonly string[];
  /** (C, D). */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

const STEPS = 300;
const RATE = 4;
const MOMENTUM = 0.9;
const DECAY = 1e-4;
/** Parts that the examples are cut into, each guessed by a probe of the others. */
const PARTS = 5;
/** Milliseconds of work before the page has its turn. */
const PAUSE_EVERY = 30;

/** The probability of each class. */
export function predict({ weight, bias }: Pick<Probe, "weight" | "bias">, x: Float32Array): number[] {
  const logits = Array.from(bias, (b, c) => x.reduce((sum, value, d) => sum + value * weight[c * x.length + d]!, b));
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Who is told how far it is. */
interface Listener {
  /** Probe `k` of `all` has begun. */
  probe(k: number, all: number): void;
  /** The losses of the last probe so far. */
  losses(values: readonly number[]): void;
}

/** The probe of all examples, and what probes of four fifths guess of the rest: counts (true class, guess). */
export async function trainProbe(
  rows: readonly Example[],
  classes: number,
  tell: Listener,
): Promise<{ readonly probe: Omit<Probe, "labels">; readonly confusion: number[][] }> {
  const confusion = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (let part = 0; part < PARTS; part++) {
    const rest = rows.filter((_, i) => i % PARTS !== part);
    const held = rows.filter((_, i) => i % PARTS === part);
    if (held.length === 0) continue;
    tell.probe(part + 1, PARTS + 1);
    const probe = await fitted(rest, classes, () => undefined);
    for (const { x, label } of held) {
      const scores = predict(probe, x);
      confusion[label]![scores.indexOf(Math.max(...scores))]!++;
    }
  }
  tell.probe(PARTS + 1, PARTS + 1);
  return { probe: await fitted(rows, classes, tell.losses), confusion };
}

async function fitted(
  rows: readonly Example[],
  classes: number,
  tell: (losses: readonly number[]) => void,
): Promise<Omit<Probe, "labels">> {
  const D = rows[0]!.x.length;
  const probe = { weight: new Float32Array(classes * D), bias: new Float32Array(classes) };
  const speed = { weight: new Float32Array(classes * D), bias: new Float32Array(classes) };
  const losses: number[] = [];
  let paused = performance.now();
  for (let step = 0; step < STEPS; step++) {
    const slope = { weight: new Float32Array(classes * D), bias: new Float32Array(classes) };
    let loss = 0;
    for (const { x, label } of rows) {
      const scores = predict(probe, x);
      loss -= Math.log(Math.max(scores[label]!, 1e-12)) / rows.length;
      for (const [c, score] of scores.entries()) {
        const error = (score - (c === label ? 1 : 0)) / rows.length;
        slope.bias[c]! += error;
        for (let d = 0; d < D; d++) slope.weight[c * D + d]! += error * x[d]!;
      }
    }
    for (const key of ["weight", "bias"] as const)
      for (let i = 0; i < probe[key].length; i++) {
        speed[key][i] = MOMENTUM * speed[key][i]! - RATE * (slope[key][i]! + DECAY * probe[key][i]!);
        probe[key][i]! += speed[key][i]!;
      }
    losses.push(loss);
    if (performance.now() - paused < PAUSE_EVERY) continue;
    tell(losses);
    await new Promise((next) => setTimeout(next)); // the curve is drawn, and the page stays usable
    paused = performance.now();
  }
  tell(losses);
  return probe;
}
