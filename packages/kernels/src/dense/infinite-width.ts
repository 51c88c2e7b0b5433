import {
  crossInfiniteWidthRecursion,
  crossKernelStep,
  diagonalMap,
  infiniteWidthRecursion,
  inputGaps,
  kernelStep,
  needsGaps,
  type CorrelationGaps,
} from "@finitewidth/activations";
import { allFinite, inputError, zeros, type InfiniteWidthKernels, type Matrix } from "@finitewidth/core";
import type { DenseChain } from "../chain.js";
import { diagonalOf, gram, multiplyTransposedRight } from "@finitewidth/linalg";

/**
 * K¹ = σ_w²(1) X X′ᵀ/N0 + σ_b²(1) between the rows of `inputs` (P × N0) and of `others` (P′ × N0; default: `inputs`, exactly symmetric).
 * O(P P′ N0).
 */
export function firstLayerKernel(chain: DenseChain, inputs: Matrix, others?: Matrix): Matrix {
  const scale = chain.weightVariance[0]! / inputs.shape[1];
  const bias = chain.biasVariance[0]!;
  const [rows, columns] = withoutZeroFeatures(inputs, others);
  const product = columns === undefined ? gram(rows) : multiplyTransposedRight(rows, columns);
  const { data } = product;
  for (let i = 0; i < data.length; i++) data[i] = scale * data[i]! + bias;
  return product;
}

/** Share of the features from which leaving them out pays for the copies. */
const worthwhileShare = 0.1;

/**
 * X and X′ without the features that are 0 in all rows of X (margins of images, categories that do not occur): they add nothing to a
 * product of rows. Themselves where few are.
 */
function withoutZeroFeatures(inputs: Matrix, others?: Matrix): [Matrix, Matrix | undefined] {
  const [points, features] = inputs.shape;
  const { data } = inputs;
  // the features that were 0 in all rows so far come first
  const order = Int32Array.from({ length: features }, (_, k) => k);
  const least = worthwhileShare * features;
  let zero = features;
  for (let i = 0; i < points && zero >= least; i++) {
    let count = 0;
    for (let c = 0; c < zero; c++) {
      const k = order[c]!;
      if (data[i * features + k] !== 0) continue;
      order[c] = order[count]!;
      order[count++] = k;
    }
    zero = count;
  }
  // rows without any feature are left to the kernels, which know their size
  if (zero < least || zero === features) return [inputs, others];
  const used = order.subarray(zero).sort();
  return [withColumns(inputs, used), others && withColumns(others, used)];
}

/** Some columns of a matrix. */
function withColumns({ data, shape: [rows, columns] }: Matrix, used: Int32Array): Matrix {
  const out = zeros(rows, used.length);
  const { data: own } = out;
  let to = 0;
  for (let from = 0; from < rows * columns; from += columns) for (let k = 0; k < used.length; k++) own[to++] = data[from + used[k]!]!;
  return out;
}

/** Diagonal of `firstLayerKernel(chain, inputs)`, P numbers. */
export function firstLayerDiagonal(chain: DenseChain, inputs: Matrix): Float64Array {
  const [rows, features] = inputs.shape;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let square = 0;
    for (let k = i * features; k < (i + 1) * features; k++) square += inputs.data[k]! * inputs.data[k]!;
    out[i] = (chain.weightVariance[0]! * square) / features + chain.biasVariance[0]!;
  }
  return out;
}

/**
 * Infinite-width recursion Gˡ = E φ(hˡ)φ(hˡ)ᵀ with hˡ ~ N(0, Kˡ), K^{l+1} = σ_w²(l+1) Gˡ + σ_b²(l+1): all K¹ … K^{L+1} and G¹ … G^L,
 * between
 * `inputs` and themselves (P × P) or `others` (P × P′, with the diagonal of `others`). O(L P P′) Gaussian moments.
 * Source: docs/theories/nngp.md; J. Lee et al., Deep neural networks as Gaussian processes (2018), eq. 4–5. @throws FinitewidthError (code
 * "input") for kernels that are not finite.
 */
export function fullyConnectedKernels(chain: DenseChain, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const { activation } = chain;
  const first = firstLayerKernel(chain, inputs, others);
  const rows = firstLayerDiagonal(chain, inputs);
  const columns = others === undefined ? rows : firstLayerDiagonal(chain, others);
  const [weights, biases] = [chain.weightVariance.slice(1), chain.biasVariance.slice(1)];
  const gaps: CorrelationGaps | undefined = needsGaps(activation)
    ? inputGaps(
        inputs,
        others ?? inputs,
        first,
        { rows, columns },
        { scale: chain.weightVariance[0]! / inputs.shape[1], bias: chain.biasVariance[0]! },
      )
    : undefined;
  if (others === undefined) {
    const found = infiniteWidthRecursion(activation, first, weights, biases, gaps);
    requireFinite(found.preactivation.at(-1)!, inputs);
    return found;
  }
  const found = crossInfiniteWidthRecursion(activation, rows, first, columns, weights, biases, gaps);
  requireFinite(found.preactivation.at(-1)!, inputs);
  return { preactivation: found.preactivation, hidden: found.hidden, othersDiagonal: found.columnVariances.at(-1)! };
}

/**
 * What is not finite in a layer is not finite in the last. @throws FinitewidthError (code "input") where inputs or variances are so large
 * that kernels leave the range of double precision. O(P P′).
 */
export function requireFinite({ data }: Matrix, inputs: Matrix): void {
  if (allFinite(data)) return;
  const largest = inputs.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  throw inputError(
    "inputs",
    "numbers, and variances of the layers, of a scale at which the kernels of all layers are finite in double precision (rescale them)",
    `numbers up to ${largest.toPrecision(3)}, whose kernels are not`,
  );
}

/** K^{L+1} alone, and the variances of the others. */
export interface OutputKernel {
  readonly kernel: Matrix;
  readonly othersDiagonal?: Float64Array;
}

/**
 * K^{L+1} between `inputs` and themselves or `others`, like the last of `fullyConnectedKernels`, in one P × P (P × P′) array that all
 * layers share. O(L P P′) Gaussian moments. @throws like it.
 */
export function fullyConnectedOutputKernel(chain: DenseChain, inputs: Matrix, others?: Matrix): OutputKernel {
  const { activation, weightVariance, biasVariance } = chain;
  if (needsGaps(activation)) {
    const { preactivation, othersDiagonal } = fullyConnectedKernels(chain, inputs, others);
    return { kernel: preactivation.at(-1)!, ...(othersDiagonal ? { othersDiagonal } : {}) };
  }
  let kernel = firstLayerKernel(chain, inputs, others);
  const depth = weightVariance.length - 1;
  // no covariance is larger than the variances
  const variances = (l: number, ...first: Float64Array[]) => ({
    weight: weightVariance[l]!,
    bias: biasVariance[l]!,
    finite: l > 1 || first.every(allFinite),
  });
  if (others === undefined) {
    const own = diagonalOf(kernel);
    for (let l = 1; l <= depth; l++) kernel = kernelStep(activation, kernel, variances(l, own));
    requireFinite(kernel, inputs);
    return { kernel };
  }
  const next = (diagonal: Float64Array, l: number): Float64Array =>
    diagonalMap(activation, diagonal).map((value) => weightVariance[l]! * value + biasVariance[l]!);
  let [rows, columns] = [firstLayerDiagonal(chain, inputs), firstLayerDiagonal(chain, others)];
  for (let l = 1; l <= depth; l++) {
    kernel = crossKernelStep(activation, rows, kernel, columns, variances(l, rows, columns));
    [rows, columns] = [next(rows, l), next(columns, l)];
  }
  requireFinite(kernel, inputs);
  return { kernel, othersDiagonal: columns };
}
