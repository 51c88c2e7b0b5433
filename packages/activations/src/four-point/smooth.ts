import { FinitewidthError } from "@finitewidth/core";
import type { ActivationFunction } from "../quadrature/function.js";

/** Value and an estimate of its error: the change from a rule with half the digits. */
export interface FourPointEstimate {
  readonly value: number;
  readonly error: number;
  /** Rank of the covariance: the dimension of the integral. */
  readonly rank: number;
  readonly evaluations: number;
}

/** Working precision of the rule by rank: merged poles of coincident indices ask for more digits where digits are cheap. */
const precisions = [1e-18, 1e-18, 1e-16, 1e-12, 1e-9] as const;
const maximumEvaluations = 4e7;

/**
 * E φ(h1)φ(h2)φ(h3)φ(h4), h ~ N(0, C), for analytic φ: trapezoid rule in r = rank(C) whitened coordinates (pivoted Cholesky), on the ball
 * that carries the weight. About 10³, 3·10⁴, 3·10⁵ evaluations of φ for r = 2, 3, 4 at unit variances; relative error about 1e-12 for r ≤ 3, 1e-8 for r = 4.
 * @throws FinitewidthError (code "refused") when the variances are so large that 4·10⁷ evaluations do not suffice.
 * Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function smoothFourPoint(f: ActivationFunction, covariance: Float64Array): FourPointEstimate {
  const { factor, rank, permutation } = pivotedCholesky(covariance);
  if (rank === 0) return { value: f.value(0) ** 4, error: 0, rank, evaluations: 1 };
  const largest = Math.max(...permutation.map((i) => covariance[5 * i]!));
  const precision = precisions[rank]!;
  const fine = ballSum(f, factor, rank, largest, precision);
  const coarse = ballSum(f, factor, rank, largest, Math.sqrt(precision));
  return { value: fine.value, error: Math.abs(fine.value - coarse.value), rank, evaluations: fine.evaluations + coarse.evaluations };
}

/** Rows of the factor in pivot order: h = factor u, row m of it with zeros beyond column m. */
function pivotedCholesky(covariance: Float64Array): { factor: Float64Array; rank: number; permutation: number[] } {
  const permutation = [0, 1, 2, 3];
  const rest = Float64Array.of(covariance[0]!, covariance[5]!, covariance[10]!, covariance[15]!);
  const rows = [new Float64Array(4), new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const largest = Math.max(...rest);
  let rank = 0;
  for (; rank < 4; rank++) {
    let pivot = rank;
    for (let m = rank + 1; m < 4; m++) if (rest[permutation[m]!]! > rest[permutation[pivot]!]!) pivot = m;
    [permutation[rank], permutation[pivot]] = [permutation[pivot]!, permutation[rank]!];
    const p = permutation[rank]!;
    if (!(rest[p]! > 1e-14 * largest)) break;
    const diagonal = Math.sqrt(rest[p]!);
    rows[p]![rank] = diagonal;
    for (let m = rank + 1; m < 4; m++) {
      const i = permutation[m]!;
      let value = covariance[4 * i + p]!;
      for (let r = 0; r < rank; r++) value -= rows[i]![r]! * rows[p]![r]!;
      rows[i]![rank] = value / diagonal;
      rest[i]! -= rows[i]![rank]! ** 2;
    }
  }
  const factor = new Float64Array(16);
  permutation.forEach((i, m) => factor.set(rows[i]!, 4 * m));
  return { factor, rank, permutation };
}

function ballSum(f: ActivationFunction, factor: Float64Array, rank: number, variance: number, precision: number): { value: number; evaluations: number } {
  const logarithm = -Math.log(precision);
  const reach = Math.sqrt(2 * logarithm);
  const y = Math.min(f.analyticRadius / Math.sqrt(variance), reach);
  const spacing = (2 * Math.PI * y) / (logarithm + 0.5 * y * y);
  const half = Math.ceil(Math.sqrt(reach * reach + 12) / spacing);
  if ((2 * half + 1) ** rank > maximumEvaluations) {
    throw new FinitewidthError(`the four-point function of this activation at variance ${variance} needs ${(2 * half + 1) ** rank} evaluations; use the sampled contraction, or closed forms`, { code: "refused" });
  }
  const weights = Float64Array.from({ length: 2 * half + 1 }, (_, i) => (spacing / Math.sqrt(2 * Math.PI)) * Math.exp(-0.5 * ((i - half) * spacing) ** 2));
  // the weight outside the ball grows with the dimension and with |φ|⁴: twelve more in |u|² than on a line
  const limit = (reach * reach + 12) / (spacing * spacing);
  const { value } = f;
  let evaluations = 0;
  // depth-first over the coordinates; h_m is final once its own coordinate is chosen, those beyond the rank with the last one
  const descend = (depth: number, radius: number, h0: number, h1: number, h2: number, h3: number): number => {
    const room = Math.floor(Math.sqrt(Math.max(0, limit - radius)));
    const own = factor[5 * depth]! * spacing;
    const [f1, f2, f3] = [factor[4 + depth]! * spacing, factor[8 + depth]! * spacing, factor[12 + depth]! * spacing];
    const last = depth === rank - 1;
    // an odd φ makes the product even under u → −u
    const from = depth === 0 && f.odd ? 0 : -room;
    let sum = 0;
    for (let j = from; j <= room; j++) {
      let term = weights[j + half]! * (depth === 0 && f.odd && j > 0 ? 2 : 1);
      const next = radius + j * j;
      if (depth === 0) {
        term *= value(h0 + own * j);
        if (last) term *= value(h1 + f1 * j) * value(h2 + f2 * j) * value(h3 + f3 * j);
        else term *= descend(1, next, 0, h1 + f1 * j, h2 + f2 * j, h3 + f3 * j);
      } else if (depth === 1) {
        term *= value(h1 + own * j);
        if (last) term *= value(h2 + f2 * j) * value(h3 + f3 * j);
        else term *= descend(2, next, 0, 0, h2 + f2 * j, h3 + f3 * j);
      } else if (depth === 2) {
        term *= value(h2 + own * j);
        if (last) term *= value(h3 + f3 * j);
        else term *= descend(3, next, 0, 0, 0, h3 + f3 * j);
      } else term *= value(h3 + own * j);
      sum += term;
    }
    evaluations += room - from + 1;
    return sum;
  };
  return { value: descend(0, 0, 0, 0, 0, 0), evaluations };
}
