/** Schedules: pure functions of the step. Steps count from 1; step t is the t-th update. */

export type Schedule = (step: number) => number;

export const constant =
  (value: number): Schedule =>
  () =>
    value;

/** Linear from 0 to `peak` over `warmup` steps; then `after` of the progress in 0..1 over the rest. */
function warmed(peak: number, warmup: number, steps: number, after: (progress: number) => number): Schedule {
  return (step) => {
    if (step < warmup) return (peak * step) / warmup;
    return after(Math.min(1, (step - warmup) / Math.max(1, steps - warmup)));
  };
}

/** Warm-up, then half a cosine to `final` (FLAVA's joint stage; Loshchilov & Hutter, arXiv:1608.03983). */
export const warmupCosine = (peak: number, warmup: number, steps: number, final = 0): Schedule =>
  warmed(peak, warmup, steps, (x) => final + 0.5 * (peak - final) * (1 + Math.cos(Math.PI * x)));

/** Warm-up, then linear to `final` (RoBERTa, fine-tuning on GLUE). */
export const warmupLinear = (peak: number, warmup: number, steps: number, final = 0): Schedule =>
  warmed(peak, warmup, steps, (x) => peak + (final - peak) * x);

/** Half a cosine from `start` to `end` over `steps`, then `end`: temperatures, KL weights (DALL-E). */
export const cosineRamp =
  (start: number, end: number, steps: number): Schedule =>
  (step) =>
    end + 0.5 * (start - end) * (1 + Math.cos(Math.PI * Math.min(1, step / Math.max(1, steps))));

/** Linear from `start` to `end` over `steps`, then `end` (DINO's teacher temperature). */
export const linearRamp =
  (start: number, end: number, steps: number): Schedule =>
  (step) =>
    start + (end - start) * Math.min(1, step / Math.max(1, steps));

/** Geometric from `start` to `end` (both positive) over `steps`, then `end`: temperatures (Jang et al., arXiv:1611.01144). */
export const exponentialRamp =
  (start: number, end: number, steps: number): Schedule =>
  (step) =>
    start * (end / start) ** Math.min(1, step / Math.max(1, steps));

/**
 * DINO's helper, by iteration 0, 1, …: `warmup` values from `start` to `base` (both included), then a cosine to `final`
 * over the rest. Also its momentum schedule, with no warm-up.
 */
export function dinoSchedule(base: number, final: number, iterations: number, warmup = 0, start = 0): Schedule {
  const rest = iterations - warmup;
  return (iteration) => {
    if (iteration < warmup) return warmup === 1 ? start : start + ((base - start) * iteration) / (warmup - 1);
    const i = Math.min(iteration - warmup, rest);
    return final + 0.5 * (base - final) * (1 + Math.cos((Math.PI * i) / rest));
  };
}
