import type { Activation } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";
import { fixedPointVariance, susceptibilities, varianceMap } from "./variance-map.js";

/** Range and ratio of the scan for sign changes of χ⊥ − 1 over the variance. */
const scan = { from: 1e-10, to: 1e8, ratio: 1.5 } as const;

/** σ_w² at which χ⊥ = 1 without biases and with vanishing (or, for φ of degree 1, any) variance: the end of the critical line. */
export function criticalWeightVariance(activation: Activation): number | undefined {
  const slope =
    activation.degree === 1 ? activation.moments.kernelSlope(1, 1, 1) : activation.value(0) === 0 ? activation.derivative(0) ** 2 : 0;
  return slope > 0 && Number.isFinite(slope) ? 1 / slope : undefined;
}

/**
 * σ_b² on the edge of chaos χ⊥(q*) = 1 for a given σ_w²; undefined where the line does not pass. in closed form, σ_b² = q − g E φ², where q
 * is known (q = ((4g/π)² − 1)/4 for erf); φ of degree 1 only at one σ_w², with σ_b² = 0; others by root finding over q, the smallest q that
 * is a fixed point with σ_b² ≥ 0. By scan about 100 susceptibilities and a root search. Source: docs/theories/criticality.md.
 */
export function criticalBiasVariance(activation: Activation, weightVariance: number): number | undefined {
  const end = criticalWeightVariance(activation);
  if (end !== undefined && Math.abs(weightVariance - end) <= 1e-12 * end)
    return fixedPointVariance(activation, { weightVariance: end, biasVariance: 0 }) < Infinity ? 0 : undefined;
  if (activation.degree === 1) return undefined;
  const biasAt = (q: number): number => q - varianceMap(activation, q, { weightVariance, biasVariance: 0 });
  if (activation.criticalVariance !== undefined) {
    const q = activation.criticalVariance(weightVariance);
    return q >= 0 ? Math.max(biasAt(q), 0) : undefined;
  }
  const excess = (q: number): number => susceptibilities(activation, q, weightVariance).perpendicular - 1;
  let near: number = scan.from;
  let before = excess(near);
  while (near < scan.to && Number.isFinite(before)) {
    const far = near * scan.ratio;
    const after = excess(far);
    if (Number.isFinite(after) && before * after <= 0 && before !== after) {
      const q = brentRoot(excess, near, far, { tolerance: 1e-15 }).root;
      const biasVariance = biasAt(q);
      const reached = biasVariance >= 0 ? fixedPointVariance(activation, { weightVariance, biasVariance }) : Number.NaN;
      if (Math.abs(reached - q) <= 1e-6 * q) return biasVariance;
    }
    near = far;
    before = after;
  }
  return undefined;
}

/**
 * Points [σ_w², σ_b²] of the critical line for σ_w² from `from` to `to`, its end included; a single point for φ of degree 1. One
 * `criticalBiasVariance` a point.
 */
export function criticalLine(
  activation: Activation,
  from: number,
  to: number,
  points = 121,
): [weightVariance: number, biasVariance: number][] {
  const end = criticalWeightVariance(activation);
  const grid = points > 1 ? Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1)) : [from];
  if (end !== undefined && end >= from && end <= to) grid.push(end);
  return [...new Set(grid)]
    .sort((a, b) => a - b)
    .flatMap((weightVariance): [number, number][] => {
      const biasVariance = criticalBiasVariance(activation, weightVariance);
      return biasVariance === undefined ? [] : [[weightVariance, biasVariance]];
    });
}
