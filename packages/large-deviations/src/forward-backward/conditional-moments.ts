import type { Activation } from "@finitewidth/core";
import { gaussLegendre, normalDensity, normalDistribution } from "@finitewidth/numerics";

/** E φ(m + s z) and E φ(m + s z)², z ~ N(0, 1), for many m. */
export interface ConditionalMoments {
  readonly mean: Float64Array;
  readonly square: Float64Array;
  /** Their derivatives by m and by s², where asked for. */
  readonly derivatives?: Readonly<Record<"mean" | "square", { readonly byMean: Float64Array; readonly byVariance: Float64Array }>>;
}

/** Trapezoidal rule of smooth φ: its error, its reach in standard deviations, and the largest s that it is taken for. */
const smooth = { error: 1e-8, reach: 6, widest: 16 } as const;
/** Gauss–Legendre nodes between the places where φ changes, at a kink and in a wide Gaussian, where smooth φ changes within ±8 of 0. */
const panels = { reach: 6.5, kink: 20, wide: 32, change: 8 } as const;

/** Nodes of a standard normal z and their weights for φ(m + s z)², φ smooth on the scale of one: the spacing falls like 1/s. */
function trapezoid(deviation: number): { readonly nodes: Float64Array; readonly weights: Float64Array } {
  const spacing = Math.min(1, Math.sqrt((2 * Math.PI ** 2) / ((1 + 4 * deviation ** 2) * -Math.log(smooth.error))));
  const side = Math.ceil(smooth.reach / spacing);
  const nodes = Float64Array.from({ length: 2 * side + 1 }, (_, k) => (k - side) * spacing);
  const densities = nodes.map((z) => Math.exp(-0.5 * z * z));
  const total = densities.reduce((sum, density) => sum + density, 0);
  return { nodes, weights: densities.map((density) => density / total) };
}

/** φ of degree 1 with a kink: φ(1) max(h, 0) + φ(−1) max(−h, 0). */
const bends = ({ degree, smooth }: Activation): boolean => degree === 1 && !smooth;

/** In closed form, from E max(h*, 0) = mΦ(m/s) + s n(m/s) and E max(h*, 0)² = (m² + s²)Φ(m/s) + m s n(m/s) on both sides of the kink. */
function bentMoments(
  activation: Activation,
  means: Float64Array,
  deviationOf: (i: number) => number,
  [mean, square, meanSlope, meanSpread, squareSlope, squareSpread]: readonly Float64Array[],
): void {
  for (const side of [1, -1]) {
    const value = activation.value(side);
    if (value === 0) continue;
    for (let i = 0; i < means.length; i++) {
      const [m, s] = [side * means[i]!, deviationOf(i)];
      const [share, density] = [normalDistribution(m / s), normalDensity(m / s)];
      const first = m * share + s * density;
      mean![i]! += value * first;
      square![i]! += value * value * (m * first + s * s * share);
      if (!meanSlope) continue;
      meanSlope[i]! += side * value * share;
      meanSpread![i]! += (value * density) / (2 * s);
      squareSlope![i]! += side * value * value * 2 * first;
      squareSpread![i]! += value * value * share;
    }
  }
}

/**
 * Moments of φ(h*) when h* ~ N(m, s²), for each m, to about 1e-7 of 1 + m² + s² (1e-5 of smooth φ beyond s = 16). Smooth φ: a trapezoidal
 * rule of 13 nodes at small s, 25 at s = 1, 23 s above. Kinks (relu, sign) and s > 16: Gauss–Legendre nodes between the kink, or the ends
 * of the change of φ, and 6.5 standard deviations. Kinks of degree 1 (relu): closed form, and for them s may be a
 * number for each m. s = 0: φ(m) itself. Derivatives are E z φ/s and E (z² − 1)φ/2s², which kinks and jumps
 * have too; at s = 0 φ′(m) and 0. O(n) times the number of nodes.
 */
export function conditionalMoments(
  activation: Activation,
  means: Float64Array,
  deviation: number | Float64Array,
  want: { readonly derivatives: boolean } = { derivatives: false },
): ConditionalMoments {
  const [mean, square, ...rest] = Array.from({ length: want.derivatives ? 6 : 2 }, () => new Float64Array(means.length)) as [
    Float64Array,
    Float64Array,
    ...Float64Array[],
  ];
  const [meanSlope, meanSpread, squareSlope, squareSpread] = rest;
  // where it is one for all m
  const width = Number(deviation);
  const add = (i: number, weight: number, h: number, z: number): void => {
    const value = activation.value(h);
    mean[i]! += weight * value;
    square[i]! += weight * value * value;
    if (!meanSlope) return;
    const slope = (weight * value * z) / width;
    const spread = (weight * value * (z * z - 1)) / (2 * width * width);
    meanSlope[i]! += slope;
    meanSpread![i]! += spread;
    squareSlope![i]! += slope * value;
    squareSpread![i]! += spread * value;
  };
  if (typeof deviation !== "number") bentMoments(activation, means, (i) => deviation[i]!, [mean, square, ...rest]);
  else if (bends(activation) && deviation > 0) bentMoments(activation, means, () => deviation, [mean, square, ...rest]);
  else if (deviation === 0) {
    for (let i = 0; i < means.length; i++) {
      mean[i] = activation.value(means[i]!);
      square[i] = mean[i]! ** 2;
      if (!meanSlope) continue;
      meanSlope[i] = activation.derivative(means[i]!);
      squareSlope![i] = 2 * mean[i]! * meanSlope[i]!;
    }
  } else if (activation.smooth && deviation <= smooth.widest) {
    const { nodes, weights } = trapezoid(deviation);
    for (let i = 0; i < means.length; i++)
      for (let k = 0; k < nodes.length; k++) add(i, weights[k]!, means[i]! + deviation * nodes[k]!, nodes[k]!);
  } else {
    const { nodes, weights } = gaussLegendre(activation.smooth ? panels.wide : panels.kink, 0, 1);
    const ends = activation.smooth ? [-panels.change, panels.change] : [0];
    const density = 1 / Math.sqrt(2 * Math.PI);
    const { reach } = panels;
    for (let i = 0; i < means.length; i++) {
      let from = -reach;
      for (const end of [...ends.map((h) => (h - means[i]!) / deviation), reach]) {
        const to = Math.min(Math.max(end, -reach), reach);
        for (let k = 0; k < nodes.length; k++) {
          const z = from + (to - from) * nodes[k]!;
          add(i, (to - from) * weights[k]! * density * Math.exp(-0.5 * z * z), means[i]! + deviation * z, z);
        }
        from = to;
      }
    }
  }
  return {
    mean,
    square,
    ...(meanSlope
      ? {
          derivatives: {
            mean: { byMean: meanSlope, byVariance: meanSpread! },
            square: { byMean: squareSlope!, byVariance: squareSpread! },
          },
        }
      : {}),
  };
}
