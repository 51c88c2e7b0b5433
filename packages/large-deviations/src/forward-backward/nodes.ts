import type { Matrix } from "@finitewidth/core";
import { normalPoints } from "@finitewidth/numerics";

/** Nodes of a P-dimensional standard normal integral: n × P points and n weights that sum to 1. */
export interface GaussianNodes {
  readonly points: Matrix;
  readonly weights: Float64Array;
  /** Of lattices: weights of the same integral on every second node along each axis, 0 on the others. */
  readonly coarse?: Float64Array;
  /**
   * Of lattices: error that they are refined to; infinite with kinks, where halving the spacing divides the error by four only. Left out:
   * the lattice is used as it is.
   */
  readonly goal?: number;
  /** Of lattices: indices of the nodes in the outermost shell, half a standard deviation thick. */
  readonly edge?: readonly number[];
  /** Of lattices: half the spacing; absent where that would be too many nodes. */
  readonly refined?: () => GaussianNodes;
  /** Of random nodes: puts another scramble in place of the points. */
  readonly rescramble?: (seed: number) => void;
}

/** Target error, largest spacing and reach of the lattice rules, P = 1, 2, 3. */
const lattices = [
  { error: 1e-14, spacing: 0.2, reach: 8 },
  { error: 1e-12, spacing: 0.25, reach: 7.5 },
  { error: 1e-7, spacing: 0.6, reach: 6.2 },
] as const;
/** The three-dimensional lattice of pictures: kernel shifts to about 1e-4 of themselves. */
const coarseLattice = { error: 1e-4, spacing: 0.6, reach: 5.4 } as const;
/** No lattice starts finer than this. */
const finestSpacing = 0.05;
/** No lattice is refined beyond this many nodes, P = 1, 2, 3. */
const mostNodes = [2 ** 14, 2 ** 17, 2 ** 15] as const;

/**
 * Trapezoidal rule of the standard normal weight on the lattice `spacing`·ℤ^P inside a ball. Products of two factors erf at variance v are
 * integrated to about exp(−2π²/((1 + 4v)·spacing²)); Gauss–Hermite rules need several times as many nodes. `half`: one of every pair ±z,
 * with both weights, for even integrands. `goal`: see `GaussianNodes`. O((reach/spacing)^P) nodes.
 */
export function latticeNodes(dimensions: number, spacing: number, reach: number, half = false, goal?: number): GaussianNodes {
  const side = Math.floor(reach / spacing);
  const points: number[] = [];
  const weights: number[] = [];
  const even: number[] = [];
  const edge: number[] = [];
  const index = new Int32Array(dimensions).fill(-side);
  for (;;) {
    let radius = 0;
    for (let k = 0; k < dimensions; k++) radius += (index[k]! * spacing) ** 2;
    const sign = half ? Math.sign(index.find((value) => value !== 0) ?? 0) : 1;
    if (radius <= reach * reach && sign >= 0) {
      for (let k = 0; k < dimensions; k++) points.push(index[k]! * spacing);
      weights.push((half && sign > 0 ? 2 : 1) * Math.exp(-0.5 * radius));
      if (radius > (reach - 0.5) ** 2) edge.push(weights.length - 1);
      even.push(index.every((value) => value % 2 === 0) ? 1 : 0);
    }
    let axis = dimensions - 1;
    while (axis >= 0 && ++index[axis]! > side) index[axis--] = -side;
    if (axis < 0) break;
  }
  const shares = (of: readonly number[]): Float64Array => {
    const total = of.reduce((sum, weight) => sum + weight, 0);
    return Float64Array.from(of, (weight) => weight / total);
  };
  return {
    points: { data: Float64Array.from(points), shape: [weights.length, dimensions] },
    weights: shares(weights),
    ...(goal === undefined ? {} : { goal }),
    edge,
    coarse: shares(weights.map((weight, i) => weight * even[i]!)),
    ...(weights.length * 2 ** dimensions <= mostNodes[dimensions - 1]!
      ? { refined: () => latticeNodes(dimensions, 0.5 * spacing, reach, half, goal) }
      : {}),
  };
}

/** 2^log2Count whitened scrambled Sobol nodes of equal weight. */
export function quasiRandomNodes(dimensions: number, log2Count: number, seed: number): GaussianNodes {
  const points = normalPoints({ dimensions, log2Count, seed });
  return {
    points,
    weights: new Float64Array(points.shape[0]).fill(1 / points.shape[0]),
    rescramble: (other) => void normalPoints({ dimensions, log2Count, seed: other, into: points.data }),
  };
}

/** Whether `gaussianNodes` gives a lattice, which has no scrambles. */
export const usesLattice = (dimensions: number, smooth: boolean): boolean => dimensions <= (smooth ? 3 : 2);

/** What nodes to make. */
export interface NodeOptions {
  /** P. */
  readonly dimensions: number;
  /** Of the activation: kinks spoil the lattice's convergence in three dimensions. */
  readonly smooth: boolean;
  /** Of the activation: odd ones make every integrand even, so that half of a lattice will do. */
  readonly odd: boolean;
  /** Largest variance of a preactivation; sets the spacing of the lattice. */
  readonly largestVariance: number;
  /** 2^log2Count Sobol nodes. */
  readonly log2Count: number;
  readonly seed: number;
  /** Fewer nodes in three dimensions, never refined, where many solutions are wanted for a picture. @defaultValue false */
  readonly coarse?: boolean;
}

/**
 * Nodes for P points: a lattice up to P = 3 (2 for activations with kinks), scrambled Sobol nodes above. Costs of `latticeNodes` or
 * `quasiRandomNodes`.
 */
export function gaussianNodes({ dimensions, smooth, odd, largestVariance, log2Count, seed, coarse = false }: NodeOptions): GaussianNodes {
  if (!usesLattice(dimensions, smooth)) return quasiRandomNodes(dimensions, log2Count, seed);
  const { error, spacing, reach } = coarse && dimensions === 3 ? coarseLattice : lattices[dimensions - 1]!;
  const wanted = Math.sqrt((2 * Math.PI ** 2) / ((1 + 4 * largestVariance) * Math.log(1 / error)));
  return latticeNodes(
    dimensions,
    Math.min(spacing, Math.max(wanted, dimensions === 3 ? 4 * finestSpacing : finestSpacing)),
    reach,
    odd,
    coarse && dimensions === 3 ? undefined : smooth ? error : Number.POSITIVE_INFINITY,
  );
}
