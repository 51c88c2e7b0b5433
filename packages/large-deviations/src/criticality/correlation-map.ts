import type { Activation } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";
import { susceptibilities, type PhasePoint } from "./variance-map.js";

/** Correlation of two inputs of variance q in the next layer, c ↦ (g E φ(h)φ(h′) + g_b)/q. */
export const correlationMap = (activation: Activation, c: number, q: number, { weightVariance, biasVariance }: PhasePoint): number =>
  (weightVariance * activation.moments.kernel(q, c * q, q) + biasVariance) / q;

/** Slope of the correlation map, g E φ′(h)φ′(h′). */
export const correlationSlope = (activation: Activation, c: number, q: number, weightVariance: number): number =>
  weightVariance * activation.moments.kernelSlope(q, c * q, q);

/**
 * Stable fixed point c* of the correlation map at the variance q*: 1 in the ordered phase (χ⊥ ≤ 1), the fixed point below 1 in the chaotic
 * one (0 for an odd φ without biases). Where q* = 0 or every c is a fixed point (linear φ at criticality) it is taken as 1. At most 15
 * two-point functions to bracket it and some ten by Brent's method.
 */
export function fixedPointCorrelation(activation: Activation, q: number, point: PhasePoint): number {
  if (q === 0) return 1;
  if (susceptibilities(activation, q, point.weightVariance).perpendicular <= 1) return 1;
  const excess = (c: number): number => correlationMap(activation, c, q, point) - c;
  if (excess(0) <= 4 * Number.EPSILON) return 0;
  // just below 1 the map lies below the diagonal, but rounding hides it very close to 1
  for (let gap = 1e-9; gap < 1; gap *= 4) if (excess(1 - gap) < 0) return brentRoot(excess, 0, 1 - gap, { tolerance: 1e-15 }).root;
  return 1;
}
