import { crossKernelMap, diagonalMap, kernelMap } from "@finitewidth/activations";
import { zeros, type Matrix } from "@finitewidth/core";
import { firstLayerDiagonal, firstLayerKernel, type DenseChain } from "@finitewidth/kernels";
import { diagonalOf, transpose } from "@finitewidth/linalg";
import { predictGaussianProcess, trainGaussianProcess, type GaussianProcess } from "@finitewidth/numerics";
import { readoutKernel, solveDeep } from "./deep-action.js";
import type { Closure, DeepProblem } from "./deep-problem.js";
import { finiteSlopes } from "./finite-slopes.js";

/** What predictions need, as plain arrays. */
export interface DeepFit extends Pick<GaussianProcess, "root" | "form" | "weights"> {
  readonly closure: Closure;
  readonly orderParameters: Float64Array;
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

/** Factorises A at the given order parameters, in `room` (P × P numbers) where it is given and the closure is "nested". O(P³). */
export function fitDeep(problem: DeepProblem, orderParameters: Float64Array, room?: Float64Array): DeepFit {
  const depth = orderParameters.length;
  let variances: Float64Array[] = [];
  const { root, form, weights } = solveDeep(problem, () => {
    const made = readoutKernel(problem, orderParameters, room);
    variances = made.variances;
    return made.readout;
  });
  return {
    closure: problem.closure,
    orderParameters,
    root,
    form,
    weights,
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
  const { mean, variance, covariance } = predictGaussianProcess(fit, transpose(cross), own ?? variances);
  return { mean: mean.data, variance, ...(covariance ? { covariance } : {}) };
}

/**
 * Latent outputs at the training inputs and the training error, the mean of (m − y)² + variance. O(P³), and O(L P²) where the kernel is
 * needed again.
 */
export function predictDeepTrain(
  problem: DeepProblem,
  fit: Pick<DeepFit, "root" | "form" | "weights" | "orderParameters">,
): { readonly mean: Float64Array; readonly variance: Float64Array; readonly trainError: number } {
  const { temperature, targets } = problem;
  const points = targets.length;
  const kernel = (): Matrix => readoutKernel(problem, fit.orderParameters).readout;
  // a mean variance below T: the form without cancellation at small T, which needs no kernel, is taken at every T
  const train = trainGaussianProcess(fit, kernel, { data: targets, shape: [points, 1] }, temperature, temperature);
  let trainError = 0;
  train.mean.data.forEach((m, i) => (trainError += ((m - targets[i]!) ** 2 + train.variance[i]!) / points));
  return { mean: train.mean.data, variance: train.variance, trainError };
}
