import type { Activation } from "@finitewidth/core";
import { gaussHermite, gaussLegendre } from "@finitewidth/numerics";

/** E φ(m + s z) and E φ(m + s z)², z ~ N(0, 1), for many m. */
export interface ConditionalMoments {
  readonly mean: Float64Array;
  readonly square: Float64Array;
}

/** Hermite nodes for smooth φ; Legendre nodes on each side of a kink at 0, out to `reach` standard deviations. */
const rules = { hermite: 24, legendre: 16, reach: 8.5 } as const;

/**
 * Moments of φ(h*) when h* ~ N(m, s²), for each m. Smooth φ: 24 Gauss–Hermite nodes. Others (relu, sign): 16 Gauss–Legendre nodes on either
 * side of the kink at m + s z = 0. s = 0: φ(m) itself. O(n) times the number of nodes.
 */
export function conditionalMoments(activation: Activation, means: Float64Array, deviation: number): ConditionalMoments {
  const mean = new Float64Array(means.length);
  const square = new Float64Array(means.length);
  const add = (i: number, weight: number, h: number): void => {
    const value = activation.value(h);
    mean[i]! += weight * value;
    square[i]! += weight * value * value;
  };
  if (deviation === 0) {
    for (let i = 0; i < means.length; i++) add(i, 1, means[i]!);
  } else if (activation.smooth) {
    const { nodes, weights } = gaussHermite(rules.hermite);
    for (let i = 0; i < means.length; i++) for (let k = 0; k < nodes.length; k++) add(i, weights[k]!, means[i]! + deviation * nodes[k]!);
  } else {
    const { nodes, weights } = gaussLegendre(rules.legendre, 0, 1);
    const density = 1 / Math.sqrt(2 * Math.PI);
    for (let i = 0; i < means.length; i++) {
      const kink = Math.min(Math.max(-means[i]! / deviation, -rules.reach), rules.reach);
      for (const [from, length] of [
        [-rules.reach, kink + rules.reach],
        [kink, rules.reach - kink],
      ] as const) {
        for (let k = 0; k < nodes.length; k++) {
          const z = from + length * nodes[k]!;
          add(i, length * weights[k]! * density * Math.exp(-0.5 * z * z), means[i]! + deviation * z);
        }
      }
    }
  }
  return { mean, square };
}
