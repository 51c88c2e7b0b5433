import { crossKernelMap, diagonalMap, kernelMap } from "@finitewidth/activations";
import { zeros, type Matrix } from "@finitewidth/core";
import { firstLayerDiagonal, firstLayerKernel, type DenseChain } from "@finitewidth/kernels";
import { diagonalOf, gram, inverseDiagonal, multiplyVector, solveLower, symmetrise, transpose } from "@finitewidth/linalg";
import { readoutKernel, solveDeep } from "./deep-action.js";
import type { Closure, DeepProblem } from "./deep-problem.js";
import { finiteSlopes } from "./finite-slopes.js";

/** What predictions need, as plain arrays. */
export interface DeepFit {
  readonly closure: Closure;
  readonly orderParameters: Float64Array;
  /** Cholesky factor of A: P × P. */
  readonly factor: Matrix;
  /** r = A⁻¹y. */
  readonly residual: Float64Array;
  /** Diagonals of R¹ … R^L and of K¹ … K^L: L × P. */
  readonly renormalisedVariances: Matrix;
  readonly infiniteVariances: Matrix;
}

const stack = (rows: readonly Float64Array[]): Matrix => {
  const out = zeros(rows.length, rows[0]!.length);
  rows.forEach((row, i) => out.data.set(row, i * row.length));
  return out;
};

/** Diagonals of K¹ … K^L. */
function infiniteVariances({ activation, firstKernel, weightVariance, biasVariance }: DeepProblem, depth: number): Float64Array[] {
  const out = [diagonalOf(firstKernel)];
  for (let l = 1; l < depth; l++)
    out.push(diagonalMap(activation, out[l - 1]!).map((value) => weightVariance[l]! * value + biasVariance[l]!));
  return out;
}

/** Factorises A at the given order parameters. O(P³). */
export function fitDeep(problem: DeepProblem, orderParameters: Float64Array): DeepFit {
  const depth = orderParameters.length;
  const { readout, variances } = readoutKernel(problem, orderParameters);
  const { factor, residual } = solveDeep(problem, readout);
  return {
    closure: problem.closure,
    orderParameters,
    factor: factor.factor,
    residual,
    renormalisedVariances: stack(variances),
    infiniteVariances: stack(infiniteVariances(problem, depth)),
  };
}

/** Cross kernel (rows × P) or own kernel (rows × rows) and variances (rows) at the readout. */
interface ReadoutKernels {
  readonly cross: Matrix;
  readonly variances: Float64Array;
  readonly own?: Matrix;
}

/**
 * Pushes the kernels of new inputs through the renormalised recursion; for "affine" and "product" the infinite-width one runs beside it.
 */
function recursion(chain: DenseChain, fit: DeepFit, inputs: Matrix, train: Matrix, wantOwn: boolean): ReadoutKernels {
  const { activation } = chain;
  const { moments } = activation;
  const { closure, orderParameters } = fit;
  const size = train.shape[0];
  const row = (m: Matrix, l: number): Float64Array => m.data.subarray(l * size, (l + 1) * size);
  let cross = firstLayerKernel(chain, inputs, train);
  let variances = firstLayerDiagonal(chain, inputs);
  let own = wantOwn ? firstLayerKernel(chain, inputs) : undefined;
  let [infiniteCross, infiniteVariances, infiniteOwn] = [cross, variances, own];
  let product = 1;
  for (const [l, q] of orderParameters.entries()) {
    const [weight, bias] = [chain.weightVariance[l + 1]!, chain.biasVariance[l + 1]!];
    const shift = (x: Float64Array, scale: number): Float64Array => x.map((value) => scale * value + bias);
    const shiftMatrix = (m: Matrix, scale: number): Matrix => ({ data: shift(m.data, scale), shape: m.shape });
    if (closure === "nested") {
      cross = shiftMatrix(crossKernelMap(activation, variances, cross, row(fit.renormalisedVariances, l)), weight * q);
      own = own && shiftMatrix(kernelMap(activation, own), weight * q);
      variances = shift(
        variances.map((value) => moments.diagonal(value)),
        weight * q,
      );
      continue;
    }
    const g = crossKernelMap(activation, infiniteVariances, infiniteCross, row(fit.infiniteVariances, l));
    const gOwn = infiniteOwn && kernelMap(activation, infiniteOwn);
    const gVariances = infiniteVariances.map((value) => moments.diagonal(value));
    if (closure === "product") {
      const scale = weight * q * product;
      cross = shiftMatrix(g, scale);
      own = gOwn && shiftMatrix(gOwn, scale);
      variances = shift(gVariances, scale);
    } else {
      const slopes = finiteSlopes(activation, infiniteVariances);
      const trainSlopes = finiteSlopes(activation, row(fit.infiniteVariances, l));
      cross = shiftMatrix(corrected(g, slopes, trainSlopes, cross, infiniteCross), weight * q);
      own = gOwn && own && infiniteOwn && shiftMatrix(corrected(gOwn, slopes, slopes, own, infiniteOwn), weight * q);
      const [old, infinite] = [variances, infiniteVariances];
      variances = shift(
        gVariances.map((value, i) => value + slopes[i]! ** 2 * (old[i]! - infinite[i]!)),
        weight * q,
      );
    }
    infiniteCross = shiftMatrix(g, weight);
    infiniteOwn = gOwn && shiftMatrix(gOwn, weight);
    infiniteVariances = shift(gVariances, weight);
    product *= q;
  }
  return { cross, variances, ...(own ? { own } : {}) };
}

/** G + c c′ᵀ∘(R − K). */
function corrected(g: Matrix, rows: Float64Array, columns: Float64Array, renormalised: Matrix, infinite: Matrix): Matrix {
  const n = columns.length;
  return {
    data: g.data.map((value, at) => value + rows[Math.floor(at / n)]! * columns[at % n]! * (renormalised.data[at]! - infinite.data[at]!)),
    shape: g.shape,
  };
}

/** Latent outputs at test inputs: the Gaussian-process formulas with the renormalised kernels. O(P* P²). */
export function predictDeep(
  chain: DenseChain,
  fit: DeepFit,
  train: Matrix,
  inputs: Matrix,
  wantCovariance = false,
): { readonly mean: Float64Array; readonly variance: Float64Array; readonly covariance?: Matrix } {
  const { cross, variances, own } = recursion(chain, fit, inputs, train, wantCovariance);
  const mean = multiplyVector(cross, fit.residual);
  // L⁻¹ Kᵀ: its column norms are what the data explain
  const white = transpose(solveLower(fit.factor, transpose(cross)));
  const [rows, size] = white.shape;
  const variance = variances.map((value, i) => {
    let explained = 0;
    for (let j = i * size; j < (i + 1) * size; j++) explained += white.data[j]! * white.data[j]!;
    return Math.max(value - explained, 0);
  });
  if (!own) return { mean, variance };
  const explained = gram(white);
  const covariance = symmetrise({ data: own.data.map((value, at) => value - explained.data[at]!), shape: [rows, rows] });
  return { mean, variance, covariance };
}

/** Latent outputs at the training inputs, y − Tr and T(1 − T A⁻¹), and the training error [T²|r|² + T(P − T tr A⁻¹)]/P. */
export function predictDeepTrain(
  problem: DeepProblem,
  fit: Pick<DeepFit, "residual" | "factor">,
): { readonly mean: Float64Array; readonly variance: Float64Array; readonly trainError: number } {
  const { temperature: T, targets } = problem;
  const mean = targets.map((y, i) => y - T * fit.residual[i]!);
  const variance = inverseDiagonal(fit.factor).map((value) => Math.max(T * (1 - T * value), 0));
  let trainError = 0;
  mean.forEach((m, i) => (trainError += ((m - targets[i]!) ** 2 + variance[i]!) / mean.length));
  return { mean, variance, trainError };
}
