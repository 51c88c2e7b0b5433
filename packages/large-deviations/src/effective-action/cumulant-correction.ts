import { kernelMap } from "@finitewidth/activations";
import { columnVector, inputError, stackRows, zeros, type Matrix } from "@finitewidth/core";
import { firstLayerKernel, type DenseChain } from "@finitewidth/kernels";
import { block, innerProduct, multiply, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { conditionTargets } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { finiteSlopes } from "./finite-slopes.js";

/** One hidden layer, one output, at the saddle of its effective action. */
export interface CumulantInput {
  /** In standard scaling. */
  readonly chain: DenseChain;
  /** X: P × N0 and X*: P* × N0. */
  readonly inputs: Matrix;
  readonly testInputs: Matrix;
  readonly targets: Float64Array;
  readonly temperature: number;
  readonly orderParameter: number;
  /** ζ; Q for odd activations and in the plain theory. */
  readonly zeta: number;
}

/** Shifts beyond the Gaussian equivalence, with Monte Carlo standard errors. */
export interface CumulantCorrection {
  /** Of the predictive mean at the test inputs: P*. */
  readonly meanShift: Float64Array;
  readonly meanShiftError: Float64Array;
  readonly logEvidenceShift: number;
  readonly logEvidenceShiftError: number;
}

/** Fourth moments of a Gaussian g with covariance C in the contractions below. */
interface Contractions {
  readonly q4: number;
  readonly q2t: number;
  readonly t2: number;
  readonly pq3: Float64Array;
  readonly pqt: Float64Array;
}

/**
 * First correction beyond the Gaussian equivalence, dressed by the saddle: with g = σ_w φ − m and W the fourth cumulant of g plus, over the
 * four legs, m times the third cumulant,
 * δ log p(y) = (ζ²/8N)[W(r,r,r,r) − 6W(r,r,A⁻¹) + 3W(A⁻¹,A⁻¹)], δ mean = (ζ²/2N)[W(⊥,r,r,r) − 3W(⊥,r,A⁻¹)], ⊥ = φ* − K_R(x*,X)A⁻¹φ.
 * All contractions are moments of q = g·r, t = gᵀA⁻¹g, p = ⊥ over one unit: Monte Carlo in `batches` antithetic batches of `size` draws,
 * with the linear part c₁h of φ as control variate; exactly zero for φ = identity. O((P + P*)(P + N0)) a draw.
 * @throws FinitewidthError (code "input") for sizes that are not even or fewer than two batches.
 */
export function cumulantCorrection(
  input: CumulantInput,
  settings: { readonly seed: number; readonly batches?: number; readonly size?: number; readonly onBatch?: () => void },
): CumulantCorrection {
  const { chain, inputs, testInputs, targets, temperature, orderParameter: Q, zeta } = input;
  const { activation } = chain;
  const { seed, batches = 20, size = 2000, onBatch } = settings;
  if (size % 2 !== 0 || size < 2) throw inputError("size", "an even number ≥ 2", size);
  if (batches < 2) throw inputError("batches", "at least 2", batches);
  const points = targets.length;
  const tests = testInputs.shape[0];
  const all = points + tests;
  const width = chain.widths[0]!;
  const features = inputs.shape[1];
  const stacked = stackRows(inputs, testInputs);
  const first = firstLayerKernel(chain, stacked);
  const variances = Float64Array.from({ length: all }, (_, i) => first.data[i * (all + 1)]!);
  const root = Math.sqrt(chain.weightVariance[1]!);
  const m = variances.map((value) => root * activation.moments.mean(value));
  const c1 = finiteSlopes(activation, variances).map((value) => root * value);
  const full = kernelMap(activation, first);
  const centred = zeros(all, all);
  const linear = zeros(all, all);
  for (let i = 0; i < all; i++) {
    for (let j = 0; j < all; j++) {
      const at = i * all + j;
      centred.data[at] = root * root * full.data[at]! - m[i]! * m[j]!;
      linear.data[at] = c1[i]! * c1[j]! * first.data[at]!;
    }
  }
  const renormalised = zeros(all, all);
  for (let i = 0; i < all; i++)
    for (let j = 0; j < all; j++)
      renormalised.data[i * all + j] = Q * centred.data[i * all + j]! + zeta * m[i]! * m[j]! + chain.biasVariance[1]!;
  const conditioned = conditionTargets(block(renormalised, 0, points, 0, points), columnVector(targets), temperature, { regular: true });
  const inverse = conditioned.resolvent();
  const r = conditioned.weights.data;
  const propagated = multiply(block(renormalised, points, all, 0, points), inverse);
  const trainMean = m.slice(0, points);
  const shiftedMean = multiply(propagated, columnVector(trainMean)).data.map((value, t) => m[points + t]! - value);
  const meanResidual = inner(trainMean, r);
  const meanSolved = multiply(inverse, columnVector(trainMean)).data;
  const exactLinear = gaussianContractions(linear, points, propagated, inverse, r);
  const exactCentred = gaussianContractions(centred, points, propagated, inverse, r);
  const weightScale = Math.sqrt(chain.weightVariance[0]! / features);
  const biasScale = Math.sqrt(chain.biasVariance[0]!);
  const half = size / 2;
  const evidence: number[] = [];
  const shifts: Float64Array[] = [];
  const transposed = transpose(stacked);
  for (let index = 0; index < batches; index++) {
    onBatch?.();
    const random = stream(seed, index);
    const weights = random.normals(new Float64Array(half * features));
    const h = multiply({ data: weights, shape: [half, features] }, transposed).data;
    const biases = random.normals(new Float64Array(half));
    for (let s = 0; s < half; s++) for (let i = 0; i < all; i++) h[s * all + i] = weightScale * h[s * all + i]! + biasScale * biases[s]!;
    const preactivation = (s: number, i: number): number => (s < half ? h[s * all + i]! : -h[(s - half) * all + i]!);
    const nonlinear = contractionMoments((s, i) => root * activation.value(preactivation(s, i)) - m[i]!);
    const control = contractionMoments((s, i) => c1[i]! * preactivation(s, i));
    const q4 = nonlinear.q4 - control.q4 + exactLinear.q4 - exactCentred.q4;
    const q2t = nonlinear.q2t - control.q2t + exactLinear.q2t - exactCentred.q2t;
    const t2 = nonlinear.t2 - control.t2 + exactLinear.t2 - exactCentred.t2;
    const w4 = q4 + 4 * meanResidual * nonlinear.q3;
    const w2 = q2t + 2 * meanResidual * nonlinear.qt + 2 * nonlinear.q2a;
    const w0 = t2 + 4 * nonlinear.ta;
    evidence.push(((zeta * zeta) / (8 * width)) * (w4 - 6 * w2 + 3 * w0));
    shifts.push(
      Float64Array.from({ length: tests }, (_, t) => {
        const pq3 = nonlinear.pq3[t]! - control.pq3[t]! + exactLinear.pq3[t]! - exactCentred.pq3[t]!;
        const pqt = nonlinear.pqt[t]! - control.pqt[t]! + exactLinear.pqt[t]! - exactCentred.pqt[t]!;
        const v3 = pq3 + shiftedMean[t]! * nonlinear.q3 + 3 * meanResidual * nonlinear.pq2[t]!;
        const v1 = pqt + shiftedMean[t]! * nonlinear.qt + meanResidual * nonlinear.pt[t]! + 2 * nonlinear.pqa[t]!;
        return ((zeta * zeta) / (2 * width)) * (v3 - 3 * v1);
      }),
    );
  }
  const [logEvidenceShift, logEvidenceShiftError] = meanAndError(evidence);
  const perTest = Array.from({ length: tests }, (_, t) => meanAndError(shifts.map((shift) => shift[t]!)));
  return {
    meanShift: Float64Array.from(perTest, ([value]) => value),
    meanShiftError: Float64Array.from(perTest, ([, error]) => error),
    logEvidenceShift,
    logEvidenceShiftError,
  };

  /** Batch means of all products of q, t, p, a that enter. */
  function contractionMoments(feature: (draw: number, point: number) => number) {
    const g = zeros(size, points);
    const test = zeros(size, tests);
    for (let s = 0; s < size; s++) {
      for (let i = 0; i < points; i++) g.data[s * points + i] = feature(s, i);
      for (let t = 0; t < tests; t++) test.data[s * tests + t] = feature(s, points + t);
    }
    const solved = multiply(g, inverse);
    const projected = multiplyTransposedRight(g, propagated);
    const sums = {
      q4: 0,
      q3: 0,
      q2t: 0,
      qt: 0,
      t2: 0,
      q2a: 0,
      ta: 0,
      pq3: new Float64Array(tests),
      pq2: new Float64Array(tests),
      pqt: new Float64Array(tests),
      pt: new Float64Array(tests),
      pqa: new Float64Array(tests),
    };
    for (let s = 0; s < size; s++) {
      let [q, t, alpha] = [0, 0, 0];
      for (let i = s * points, k = 0; k < points; i++, k++) {
        q += g.data[i]! * r[k]!;
        t += g.data[i]! * solved.data[i]!;
        alpha += g.data[i]! * meanSolved[k]!;
      }
      sums.q4 += q ** 4 / size;
      sums.q3 += q ** 3 / size;
      sums.q2t += (q * q * t) / size;
      sums.qt += (q * t) / size;
      sums.t2 += (t * t) / size;
      sums.q2a += (q * q * alpha) / size;
      sums.ta += (t * alpha) / size;
      for (let x = 0; x < tests; x++) {
        const p = (test.data[s * tests + x]! - projected.data[s * tests + x]!) / size;
        sums.pq3[x]! += p * q ** 3;
        sums.pq2[x]! += p * q * q;
        sums.pqt[x]! += p * q * t;
        sums.pt[x]! += p * t;
        sums.pqa[x]! += p * q * alpha;
      }
    }
    return sums;
  }
}

const inner = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

function meanAndError(values: readonly number[]): readonly [mean: number, standardError: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return [mean, Math.sqrt(variance / values.length)];
}

/** E q⁴ = 3v², E q²t = v tr + 2wᵀA⁻¹w, E t² = tr² + 2 tr(A⁻¹CA⁻¹C), E p q³ = 3 pq v, E p q t = pq tr + 2 c*A⁻¹w, with w = C r, v = r·w. */
function gaussianContractions(covariance: Matrix, points: number, propagated: Matrix, inverse: Matrix, r: Float64Array): Contractions {
  const all = covariance.shape[0];
  const c = block(covariance, 0, points, 0, points);
  const explained = multiply(propagated, c);
  const cross = block(covariance, points, all, 0, points);
  const rest: Matrix = { data: cross.data.map((value, i) => value - explained.data[i]!), shape: cross.shape };
  const column: Matrix = { data: r, shape: [points, 1] };
  const w = multiply(c, column);
  const v = inner(r, w.data);
  const solved = multiply(inverse, w);
  const ac = multiply(inverse, c);
  const tr = innerProduct(inverse, c);
  const pq = multiply(rest, column).data;
  const pw = multiply(rest, solved).data;
  return {
    q4: 3 * v * v,
    q2t: v * tr + 2 * inner(w.data, solved.data),
    t2: tr * tr + 2 * innerProduct(ac, transpose(ac)),
    pq3: pq.map((value) => 3 * value * v),
    pqt: pq.map((value, t) => value * tr + 2 * pw[t]!),
  };
}
