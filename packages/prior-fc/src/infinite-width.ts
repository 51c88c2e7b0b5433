import { matrix, zeros, type Activation, type FullyConnectedNetwork, type InfiniteWidthKernels, type Matrix } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";

/**
 * K¹ = σ_w²(1) X X′ᵀ/N0 + σ_b²(1) between the rows of `inputs` (P × N0) and of `others` (P′ × N0; default: `inputs`, exactly symmetric).
 * O(P P′ N0).
 */
export function firstLayerKernel(network: FullyConnectedNetwork, inputs: Matrix, others?: Matrix): Matrix {
  const scale = network.weightVariance[0]! / inputs.shape[1];
  const bias = network.biasVariance[0]!;
  const product = others === undefined ? gram(inputs) : multiplyTransposedRight(inputs, others);
  for (let i = 0; i < product.data.length; i++) product.data[i] = scale * product.data[i]! + bias;
  return product;
}

/** Diagonal of `firstLayerKernel(network, inputs)`, P numbers. */
export function firstLayerDiagonal(network: FullyConnectedNetwork, inputs: Matrix): Float64Array {
  const [rows, features] = inputs.shape;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let square = 0;
    for (let k = i * features; k < (i + 1) * features; k++) square += inputs.data[k]! * inputs.data[k]!;
    out[i] = (network.weightVariance[0]! * square) / features + network.biasVariance[0]!;
  }
  return out;
}

/** G = E φ(h)φ(h)ᵀ for h ~ N(0, K), symmetric K: entry (i, j) from the 2 × 2 block of the points i, j. */
function postactivation(activation: Activation, kernel: Matrix): Matrix {
  const n = kernel.shape[0];
  const out = zeros(n, n);
  const { moments } = activation;
  for (let i = 0; i < n; i++) {
    const a = kernel.data[i * n + i]!;
    out.data[i * n + i] = moments.diagonal(a);
    for (let j = 0; j < i; j++) {
      const value = moments.kernel(a, kernel.data[i * n + j]!, kernel.data[j * n + j]!);
      out.data[i * n + j] = value;
      out.data[j * n + i] = value;
    }
  }
  return out;
}

/** The same for a rectangular cross kernel with the variances of its rows and columns. */
function crossPostactivation(activation: Activation, kernel: Matrix, rows: Float64Array, columns: Float64Array): Matrix {
  const n = columns.length;
  const data = Float64Array.from(kernel.data, (value, k) => activation.moments.kernel(rows[Math.floor(k / n)]!, value, columns[k % n]!));
  return matrix(rows.length, n, data);
}

/**
 * Infinite-width recursion Gˡ = E φ(hˡ)φ(hˡ)ᵀ with hˡ ~ N(0, Kˡ), K^{l+1} = σ_w²(l+1) Gˡ + σ_b²(l+1): all K¹ … K^{L+1} and G¹ … G^L, between
 * `inputs` and themselves (P × P) or `others` (P × P′, with the diagonal of `others`). O(L P P′) Gaussian moments.
 * Source: docs/theories/nngp.md; J. Lee et al., Deep neural networks as Gaussian processes (2018), eq. 4–5.
 */
export function fullyConnectedKernels(network: FullyConnectedNetwork, activation: Activation, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const preactivation = [firstLayerKernel(network, inputs, others)];
  const hidden: Matrix[] = [];
  const { diagonal } = activation.moments;
  let rows = others === undefined ? new Float64Array(0) : firstLayerDiagonal(network, inputs);
  let columns = others === undefined ? new Float64Array(0) : firstLayerDiagonal(network, others);
  for (let l = 0; l < network.widths.length; l++) {
    const kernel = preactivation[l]!;
    const weight = network.weightVariance[l + 1]!;
    const bias = network.biasVariance[l + 1]!;
    const next = (value: number): number => weight * value + bias;
    const g = others === undefined ? postactivation(activation, kernel) : crossPostactivation(activation, kernel, rows, columns);
    hidden.push(g);
    preactivation.push({ data: g.data.map(next), shape: g.shape });
    rows = rows.map((value) => next(diagonal(value)));
    columns = columns.map((value) => next(diagonal(value)));
  }
  return { preactivation, hidden, ...(others === undefined ? {} : { othersDiagonal: columns }) };
}
