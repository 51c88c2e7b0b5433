import { zeros, type Activation, type FullyConnectedNetwork, type Matrix } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";

/** K¹ = σ_w²(1) XXᵀ/N0 + σ_b²(1) between the rows of `inputs`, or of `inputs` and `others`. */
export function firstLayerKernel(network: FullyConnectedNetwork, inputs: Matrix, others?: Matrix): Matrix {
  const out = others ? multiplyTransposedRight(inputs, others) : gram(inputs);
  const [scale, bias] = [network.weightVariance[0]! / inputs.shape[1], network.biasVariance[0]!];
  for (let i = 0; i < out.data.length; i++) out.data[i] = scale * out.data[i]! + bias;
  return out;
}

/** Diagonal of `firstLayerKernel(network, inputs)`. */
export function firstLayerVariances(network: FullyConnectedNetwork, inputs: Matrix): Float64Array {
  const [rows, columns] = inputs.shape;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = i * columns; j < (i + 1) * columns; j++) sum += inputs.data[j]! * inputs.data[j]!;
    out[i] = (network.weightVariance[0]! * sum) / columns + network.biasVariance[0]!;
  }
  return out;
}

/** G(K) = E φ(h)φ(h)ᵀ, h ~ N(0, K), exactly symmetric; the diagonal by the one-variable formula. O(P²) kernel evaluations. */
export function mapGram({ moments }: Activation, kernel: Matrix): Matrix {
  const size = kernel.shape[0];
  const out = zeros(size, size);
  for (let i = 0; i < size; i++) {
    const a = kernel.data[i * size + i]!;
    out.data[i * size + i] = moments.diagonal(a);
    for (let j = 0; j < i; j++) out.data[i * size + j] = out.data[j * size + i] = moments.kernel(a, kernel.data[i * size + j]!, kernel.data[j * size + j]!);
  }
  return out;
}

/** E φ(h)φ(h′) for a rectangular cross kernel with the variances of its rows and of its columns. */
export function mapCross({ moments }: Activation, rowVariances: Float64Array, cross: Matrix, columnVariances: Float64Array): Matrix {
  const [rows, columns] = cross.shape;
  const out = zeros(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[i * columns + j] = moments.kernel(rowVariances[i]!, cross.data[i * columns + j]!, columnVariances[j]!);
  return out;
}

/**
 * Adjoint of `mapGram`: with W = ∂F/∂G (symmetric), ∂F/∂K has off-diagonal W∘Ġ and diagonal W_μμ g′(K_μμ) + 2 Σ_{ν≠μ} W_μν ∂G_μν/∂K_μμ.
 * O(P²) kernel evaluations.
 */
export function pullbackGram({ moments }: Activation, kernel: Matrix, adjoint: Matrix): Matrix {
  const size = kernel.shape[0];
  const out = zeros(size, size);
  const diagonal = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const a = kernel.data[i * size + i]!;
    diagonal[i]! += adjoint.data[i * size + i]! * moments.diagonalSlope(a);
    for (let j = 0; j < i; j++) {
      const b = kernel.data[j * size + j]!;
      const c = kernel.data[i * size + j]!;
      const w = adjoint.data[i * size + j]!;
      out.data[i * size + j] = out.data[j * size + i] = w * moments.kernelSlope(a, c, b);
      // kernelCurvature = 2 ∂G/∂a; the pair (i, j) occurs twice in W∘G
      diagonal[i]! += w * moments.kernelCurvature(a, c, b);
      diagonal[j]! += w * moments.kernelCurvature(b, c, a);
    }
  }
  for (let i = 0; i < size; i++) out.data[i * size + i] = diagonal[i]!;
  return out;
}
