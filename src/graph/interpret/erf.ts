/**
 * The error function to full double precision: W. J. Cody, "Rational Chebyshev approximations for the error function",
 * Mathematics of Computation 23 (1969), 631–637; coefficients as in his CALERF (netlib SPECFUN).
 */

const SQRT_PI_INVERSE = 0.5641895835477563;

// |x| ≤ 0.46875
const A = [3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const A_LEAD = 0.18577770618460315;
const B = [23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
// 0.46875 < |x| ≤ 4
const C = [
  0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769, 1712.0476126340707,
  2051.0783778260716, 1230.3393547979972,
];
const C_LEAD = 2.1531153547440383e-8;
const D = [
  15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597, 4362.619090143247,
  3439.3676741437216, 1230.3393548037495,
];
// |x| > 4
const P = [0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275, 0.0006587491615298378];
const P_LEAD = 0.016315387137302097;
const Q = [2.568520192289822, 1.8729528499234604, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918];

/** (lead·xⁿ + p₀·xⁿ⁻¹ + … ) / (xⁿ + q₀·xⁿ⁻¹ + …), by Horner's rule. */
function ratio(x: number, lead: number, p: readonly number[], q: readonly number[]): number {
  let top = lead;
  let bottom = 1;
  for (let i = 0; i < p.length; i++) {
    top = top * x + p[i]!;
    bottom = bottom * x + q[i]!;
  }
  return top / bottom;
}

/** erfc of y > 0.46875. e^(−y²) is computed in two parts, because the rounding of y² would be magnified. */
function tail(y: number): number {
  if (y > 27) return 0;
  const rational = y <= 4 ? ratio(y, C_LEAD, C, D) : (SQRT_PI_INVERSE - ratio(1 / (y * y), P_LEAD, P, Q) / (y * y)) / y;
  const rounded = Math.trunc(y * 16) / 16;
  return Math.exp(-rounded * rounded) * Math.exp(-(y - rounded) * (y + rounded)) * rational;
}

/** 2/√π ∫₀ˣ e^(−t²) dt. */
export function erf(x: number): number {
  const y = Math.abs(x);
  if (y <= 0.46875) return x * ratio(x * x, A_LEAD, A, B);
  const value = 1 - tail(y);
  return x < 0 ? -value : value;
}

/** 1 − erf(x), without the cancellation for large x. */
export function erfc(x: number): number {
  if (Math.abs(x) <= 0.46875) return 1 - erf(x);
  return x < 0 ? 2 - tail(-x) : tail(x);
}
