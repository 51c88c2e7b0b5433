import { FinitewidthError } from "@finitewidth/core";
import type { ActivationFunction } from "../quadrature/function.js";

/** Value and an estimate of its error. */
export interface FourPointEstimate {
  readonly value: number;
  /** Ten times the error that a rule with half the digits suggests for the one used. */
  readonly error: number;
  /** Rank of the covariance: the dimension of the integral. */
  readonly rank: number;
  readonly evaluations: number;
}

/** Working precision of the rule by rank: merged poles of coincident indices ask for more digits where digits are cheap. */
const precisions = [1e-18, 1e-18, 1e-16, 1e-12, 1e-9] as const;
const maximumEvaluations = 4e8;

/**
 * E φ(h1)φ(h2)φ(h3)φ(h4), h ~ N(0, C), for analytic φ: trapezoid rule in r = rank(C) whitened coordinates (pivoted Cholesky), on the ball
 * that carries the weight, each coordinate with the spacing its poles demand. About 10³, 3·10⁴, 2·10⁵ evaluations of φ for r = 2, 3, 4 at
 * unit variances; relative error about 1e-12 for r ≤ 3, 1e-8 for r = 4.
 * @throws FinitewidthError (code "refused") when the variances are so large that the enclosing grid has more than 4·10⁸ points.
 * Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function smoothFourPoint(f: ActivationFunction, covariance: Float64Array): number {
  const root = pivotedCholesky(covariance);
  return ballSum(f, root, precisions[root.rank]!).value;
}

/**
 * `smoothFourPoint` with an error estimate, from a second rule with half the digits. The evaluations of `smoothFourPoint` and about
 * 2⁻ʳ times as many for r distinct inputs.
 */
export function smoothFourPointEstimate(f: ActivationFunction, covariance: Float64Array): FourPointEstimate {
  const root = pivotedCholesky(covariance);
  const precision = precisions[root.rank]!;
  const fine = ballSum(f, root, precision);
  const coarse = ballSum(f, root, Math.sqrt(precision));
  // the error of a rule for precision ε is proportional to ε
  const error = 10 * Math.sqrt(precision) * Math.abs(fine.value - coarse.value) + 1e-15 * Math.abs(fine.value);
  return { value: fine.value, error, rank: root.rank, evaluations: fine.evaluations + coarse.evaluations };
}

/** h = factor u with the rows in pivot order, row m zero beyond column min(m, rank − 1). */
interface Root {
  readonly factor: Float64Array;
  readonly rank: number;
}

function pivotedCholesky(covariance: Float64Array): Root {
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
  return { factor, rank };
}

function ballSum(f: ActivationFunction, { factor, rank }: Root, precision: number): { value: number; evaluations: number } {
  const { value, conditionalMean } = f;
  if (rank === 0) return { value: value(0) ** 4, evaluations: 1 };
  const logarithm = -Math.log(precision);
  // the weight outside the ball grows with the dimension and with |φ|⁴: twelve more in |u|² than on a line
  const square = 2 * logarithm + 12;
  const spacings = new Float64Array(rank);
  const weights: Float64Array[] = [];
  const halves = new Int32Array(rank);
  let evaluationsBound = 1;
  for (let d = 0; d < rank; d++) {
    let largest = 0;
    for (let m = d; m < 4; m++) largest = Math.max(largest, Math.abs(factor[4 * m + d]!));
    const y = Math.min(f.analyticRadius / largest, Math.sqrt(2 * logarithm));
    const spacing = (2 * Math.PI * y) / (logarithm + 0.5 * y * y);
    const half = Math.ceil(Math.sqrt(square) / spacing);
    spacings[d] = spacing;
    halves[d] = half;
    weights.push(
      Float64Array.from(
        { length: 2 * half + 1 },
        (_, i) => (spacing / Math.sqrt(2 * Math.PI)) * Math.exp(-0.5 * ((i - half) * spacing) ** 2),
      ),
    );
    if (d < 3 || conditionalMean === undefined) evaluationsBound *= 2 * half + 1;
  }
  if (evaluationsBound > maximumEvaluations) {
    throw new FinitewidthError(
      `the four-point function of this activation needs ${evaluationsBound.toExponential(1)} evaluations at variance ${(factor[0]! ** 2).toPrecision(3)}; use the sampled contraction, or closed forms`,
      { code: "refused" },
    );
  }
  let evaluations = 0;
  // depth-first over the coordinates; h_m is final once its own coordinate is chosen, those beyond the rank with the last one
  const descend = (depth: number, radius: number, h0: number, h1: number, h2: number, h3: number): number => {
    if (depth === 3 && conditionalMean !== undefined) {
      evaluations++;
      return conditionalMean(h3, factor[15]! ** 2);
    }
    const spacing = spacings[depth]!;
    const half = halves[depth]!;
    const weight = weights[depth]!;
    const room = Math.min(half, Math.floor(Math.sqrt(Math.max(0, square - radius)) / spacing));
    const own = factor[5 * depth]! * spacing;
    const [f1, f2, f3] = [factor[4 + depth]! * spacing, factor[8 + depth]! * spacing, factor[12 + depth]! * spacing];
    const last = depth === rank - 1;
    // an odd φ makes the product even under u → −u
    const halved = depth === 0 && f.odd;
    let sum = 0;
    for (let j = halved ? 0 : -room; j <= room; j++) {
      let term = weight[j + half]! * (halved && j > 0 ? 2 : 1);
      const next = radius + (j * spacing) ** 2;
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
    evaluations += halved ? room + 1 : 2 * room + 1;
    return sum;
  };
  return { value: descend(0, 0, 0, 0, 0, 0), evaluations };
}
