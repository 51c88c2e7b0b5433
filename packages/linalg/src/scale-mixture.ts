import { shapeError, zeros, type Matrix } from "@finitewidth/core";
import { condensedNodes, type WeightedNodes } from "./condensed-nodes.js";
import { multiply } from "./products.js";
import { factorShifted, solveShifted } from "./shifted-tridiagonal.js";
import { applyReflectors, type SymmetricTridiagonal, type Tridiagonalisation } from "./tridiagonal.js";

/** y ~ N(0, q A + b 11ᵀ + t) at n points, with q drawn from weighted nodes (posterior weights that sum to 1). */
export interface ScaleMixture {
  /** A = Q T Qᵀ. */
  readonly form: Tridiagonalisation;
  /** y: n numbers. */
  readonly targets: Float64Array;
  /** t > 0. */
  readonly noise: number;
  /** b ≥ 0. */
  readonly biasVariance: number;
  readonly nodes: WeightedNodes;
}

/** Nodes times points, as a fraction of n², above which eigenvectors are cheaper than a recurrence for every node and point. */
const fewSystems = 0.15;
/** Noise, relative to the norm of q T, below which rounding of a singular A could make a pivot negative. */
const warm = 1e-9;
/** Nodes of less weight do not change a double. */
const leastWeight = 1e-18;

/**
 * Means and variances of f at m further points with cross covariance A_x (n × m, times q) and prior variances (m, times q), averaged over
 * q: mean E[q ĉᵀα + β], variance E[q a − q² ĉᵀM⁻¹ĉ + S(1 − q ĉᵀM⁻¹o)²] + Var of the means, M = qT + t, ĉ = QᵀA_x, o = Qᵀ1, α = M⁻¹(Qᵀy −
 * βo), and β, S the mean and variance of the bias given y. No eigenvectors: a node costs O(n) for α, and the average of ĉᵀM⁻¹ĉ one
 * recurrence for each of the few nodes that `condensedNodes` leaves. Undefined where eigenvectors are faster (few points against many nodes
 * and test points) or safer (t below 1e-9 of q A). O(n² m + (nodes) n m). @throws FinitewidthError (code "shape").
 */
export function predictScaleMixture(
  { form, targets, noise: t, biasVariance: biasPrior, nodes }: ScaleMixture,
  cross: Matrix,
  prior: Float64Array,
): { readonly mean: Float64Array; readonly variance: Float64Array } | undefined {
  const [points, count] = cross.shape;
  if (points !== form.diagonal.length) throw shapeError("cross", `${form.diagonal.length} rows`, `${points}`);
  if (prior.length !== count) throw shapeError("prior", `${count} numbers`, `${prior.length}`);
  const used = [...nodes.weights.keys()].filter((k) => nodes.weights[k]! > leastWeight);
  const [q, weights] = [Float64Array.from(used, (k) => nodes.q[k]!), Float64Array.from(used, (k) => nodes.weights[k]!)];
  const n = q.length;
  const largest = norm(form);
  if (!(t > warm * largest * Math.max(...q))) return undefined;
  const condensed = condensedNodes({ q, weights: weights.map((weight, k) => weight * q[k]! ** 2) }, largest, t);
  if (condensed.q.length * count > fewSystems * points * points) return undefined;
  const biased = biasPrior > 0;
  const vectors = biased ? [targets, new Float64Array(points).fill(1)] : [targets];
  const [rotated, y, ones] = rotatedTogether(form, cross, vectors) as [Matrix, Float64Array, Float64Array];
  const alpha = zeros(n, points);
  const leverage = zeros(biased ? n : 0, points);
  const biasMean = new Float64Array(n);
  const biasVariance = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const factor = factorShifted(form, q[k]!, t);
    const solution = solveShifted(factor, y);
    if (biased) {
      const direction = solveShifted(factor, ones);
      let [w, u] = [0, 0];
      for (let i = 0; i < points; i++) {
        w += ones[i]! * direction[i]!;
        u += ones[i]! * solution[i]!;
      }
      biasVariance[k] = biasPrior / (1 + w * biasPrior);
      biasMean[k] = biasVariance[k]! * u;
      for (let i = 0; i < points; i++) solution[i]! -= biasMean[k]! * direction[i]!;
      leverage.data.set(direction, k * points);
    }
    alpha.data.set(solution, k * points);
  }
  const means = multiply(alpha, rotated);
  const seen = multiply(leverage, rotated);
  const variance = summedQuadratics(form, t, condensed, rotated);
  const meanQ = q.reduce((sum, value, k) => sum + weights[k]! * value, 0);
  const mean = new Float64Array(count);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < count; j++) {
      means.data[k * count + j] = q[k]! * means.data[k * count + j]! + biasMean[k]!;
      mean[j]! += weights[k]! * means.data[k * count + j]!;
    }
  }
  for (let j = 0; j < count; j++) variance[j] = meanQ * prior[j]! - variance[j]!;
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < count; j++) {
      variance[j]! += weights[k]! * (means.data[k * count + j]! - mean[j]!) ** 2;
      if (biased) variance[j]! += weights[k]! * biasVariance[k]! * (1 - q[k]! * seen.data[k * count + j]!) ** 2;
    }
  }
  return { mean, variance: variance.map((value) => Math.max(value, 0)) };
}

/** Qᵀ of a matrix and of some vectors, in one pass over the reflectors. */
function rotatedTogether(form: Tridiagonalisation, matrix: Matrix, vectors: readonly Float64Array[]): (Matrix | Float64Array)[] {
  const [rows, columns] = matrix.shape;
  // whole registers: rows of an odd length cost the products a tenth
  const width = 4 * Math.ceil((columns + vectors.length) / 4);
  const wide = zeros(rows, width);
  for (let i = 0; i < rows; i++) {
    wide.data.set(matrix.data.subarray(i * columns, (i + 1) * columns), i * width);
    for (let k = 0; k < vectors.length; k++) wide.data[i * width + columns + k] = vectors[k]![i]!;
  }
  const { data } = applyReflectors(form, wide, { transposed: true });
  const rotated = zeros(rows, columns);
  for (let i = 0; i < rows; i++) rotated.data.set(data.subarray(i * width, i * width + columns), i * columns);
  return [rotated, ...vectors.map((_, k) => Float64Array.from({ length: rows }, (_entry, i) => data[i * width + columns + k]!))];
}

/** Largest sum of absolute values in a row: above every eigenvalue. */
function norm({ diagonal, offDiagonal }: SymmetricTridiagonal): number {
  return diagonal.reduce(
    (most, value, i) => Math.max(most, Math.abs(value) + Math.abs(offDiagonal[i - 1] ?? 0) + Math.abs(offDiagonal[i] ?? 0)),
    0,
  );
}

/** Points that go through a recurrence together. */
const pointBlock = 64;

/**
 * Σ_k weight_k c_jᵀ(q_k T + t)⁻¹c_j for the columns c_j of `columns`: v = L⁻¹c and Σ v²/D along the rows, two nodes and a block of columns
 * at a time.
 */
function summedQuadratics(form: SymmetricTridiagonal, t: number, { q, weights }: WeightedNodes, columns: Matrix): Float64Array {
  const factors = Array.from(q, (value) => factorShifted(form, value, t));
  const [points, count] = columns.shape;
  const out = new Float64Array(count);
  const [first, second] = [new Float64Array(pointBlock), new Float64Array(pointBlock)];
  for (let from = 0; from < count; from += pointBlock) {
    const width = Math.min(pointBlock, count - from);
    const block = new Float64Array(points * width);
    for (let i = 0; i < points; i++) block.set(columns.data.subarray(i * count + from, i * count + from + width), i * width);
    const sums = new Float64Array(width);
    for (let k = 0; k < factors.length; k += 2) {
      const [a, b] = [factors[k]!, factors[k + 1] ?? factors[k]!];
      const [weightA, weightB] = [weights[k]!, k + 1 < factors.length ? weights[k + 1]! : 0];
      first.fill(0);
      second.fill(0);
      for (let i = 0; i < points; i++) {
        const la = i > 0 ? a.multipliers[i - 1]! : 0;
        const lb = i > 0 ? b.multipliers[i - 1]! : 0;
        const da = weightA / a.pivots[i]!;
        const db = weightB / b.pivots[i]!;
        const row = i * width;
        for (let j = 0; j < width; j++) {
          const value = block[row + j]!;
          const va = value - la * first[j]!;
          const vb = value - lb * second[j]!;
          first[j] = va;
          second[j] = vb;
          sums[j]! += da * va * va + db * vb * vb;
        }
      }
    }
    out.set(sums, from);
  }
  return out;
}
