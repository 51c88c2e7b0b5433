import { zeros, type Matrix } from "@finitewidth/core";
import { applyReflectors, factorShifted, multiply, solveShifted, type SymmetricTridiagonal, type Tridiagonalisation } from "@finitewidth/linalg";
import { projectOn } from "../spectrum/problem.js";
import { completeSpectrum, type ReducedKernel } from "../spectrum/reduced-kernel.js";
import { condensedNodes, type WeightedNodes } from "./condensed-nodes.js";
import { scalarData } from "./likelihood.js";
import type { ScalarPosterior } from "./posterior.js";
import { nodeTables, predictScalar, projectCross } from "./predict.js";

/** Data of one output with a reduced kernel. */
export interface ReducedData {
  readonly kernel: ReducedKernel;
  /** y: P numbers. */
  readonly targets: Float64Array;
  readonly temperature: number;
  readonly readoutBias: number;
}

/** Nodes times points, as a fraction of P², above which eigenvectors are cheaper than a recurrence for every node and point. */
const fewSystems = 0.15;
/** Temperature, relative to the norm of q T, below which a shifted system is left to the eigenvectors, which know the rank. */
const warm = 1e-9;
/** Nodes of less weight do not change a double. */
const leastWeight = 1e-18;

/**
 * Predictive means and variances of f at points with cross kernel K_x (P × P*) and prior variances (P*), like `predictScalar`, without eigenvectors:
 * on the tridiagonal form q K + T is a tridiagonal system, so that with ĉ = QᵀK_x a node costs O(P) for its mean weights α = (qT + t)⁻¹Qᵀy, and
 * E q² ĉᵀ(qT + t)⁻¹ĉ one recurrence for each of the few nodes that `condensedNodes` leaves. Small problems, many points, T → 0 and kernels of low
 * rank take the eigenvectors. O(P² P* + n P P*) besides the reduction. @throws FinitewidthError like `spectralProblem`.
 */
export function predictReduced(given: ReducedData, posterior: ScalarPosterior, cross: Matrix, prior: Float64Array): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const { kernel, targets, temperature, readoutBias } = given;
  const [points, count] = cross.shape;
  if ("form" in kernel) {
    const nodes = significantNodes(posterior);
    const largest = norm(kernel.form);
    if (temperature > warm * largest * nodes.q.at(-1)!) {
      const condensed = condensedNodes({ q: nodes.q, weights: nodes.weights.map((weight, k) => weight * nodes.q[k]! ** 2) }, largest, temperature);
      if (condensed.q.length * count <= fewSystems * points * points) return recurrences(kernel.form, given, nodes, condensed, cross, prior);
    }
  }
  const problem = projectOn(completeSpectrum(kernel), { data: targets, shape: [points, 1] }, temperature, { readout: readoutBias, hidden: false });
  const data = scalarData(problem);
  const { mean, variance } = predictScalar(posterior, data, nodeTables(posterior, data), projectCross(problem.spectrum.vectors, cross), prior);
  const offset = problem.pinned?.bias[0] ?? 0;
  return { mean: mean.map((value) => value + offset), variance };
}

function significantNodes({ logQ, weights }: ScalarPosterior): WeightedNodes {
  const used = [...weights.keys()].filter((k) => weights[k]! > leastWeight);
  return { q: Float64Array.from(used, (k) => Math.exp(logQ[k]!)), weights: Float64Array.from(used, (k) => weights[k]!) };
}

/** Largest sum of absolute values in a row: above every eigenvalue. */
function norm({ diagonal, offDiagonal }: SymmetricTridiagonal): number {
  return diagonal.reduce((most, value, i) => Math.max(most, Math.abs(value) + Math.abs(offDiagonal[i - 1] ?? 0) + Math.abs(offDiagonal[i] ?? 0)), 0);
}

function recurrences(form: Tridiagonalisation, { targets, temperature, readoutBias }: ReducedData, { q, weights }: WeightedNodes, condensed: WeightedNodes, cross: Matrix, prior: Float64Array): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const [points, count] = cross.shape;
  const n = q.length;
  const rotated = applyReflectors(form, cross, { transposed: true });
  const rotate = (vector: Float64Array): Float64Array => applyReflectors(form, { data: vector, shape: [points, 1] }, { transposed: true }).data;
  const y = rotate(targets);
  const biased = readoutBias > 0;
  const ones = biased ? rotate(new Float64Array(points).fill(1)) : new Float64Array(0);
  const alpha = zeros(n, points);
  const leverage = zeros(biased ? n : 0, points);
  const biasMean = new Float64Array(n);
  const biasVariance = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const factor = factorShifted(form, q[k]!, temperature);
    const solution = solveShifted(factor, y);
    if (biased) {
      const direction = solveShifted(factor, ones);
      let [w, u] = [0, 0];
      for (let i = 0; i < points; i++) {
        w += ones[i]! * direction[i]!;
        u += ones[i]! * solution[i]!;
      }
      biasVariance[k] = readoutBias / (1 + w * readoutBias);
      biasMean[k] = biasVariance[k]! * u;
      for (let i = 0; i < points; i++) solution[i]! -= biasMean[k]! * direction[i]!;
      leverage.data.set(direction, k * points);
    }
    alpha.data.set(solution, k * points);
  }
  const means = multiply(alpha, rotated);
  const seen = multiply(leverage, rotated);
  const variance = summedQuadratics(form, temperature, condensed, rotated);
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

/** Points that go through a recurrence together. */
const pointBlock = 64;

/** Σ_k weight_k c_jᵀ(q_k T + t)⁻¹c_j for the columns c_j of `columns`: v = L⁻¹c and Σ v²/D along the rows, two nodes and a block of columns at a time. */
function summedQuadratics(form: SymmetricTridiagonal, temperature: number, { q, weights }: WeightedNodes, columns: Matrix): Float64Array {
  const factors = Array.from(q, (value) => factorShifted(form, value, temperature));
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
