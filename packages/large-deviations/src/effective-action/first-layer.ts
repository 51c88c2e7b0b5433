import type { Activation, FullyConnectedNetwork, Matrix } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";

/** K¹ = σ_w²(1) XXᵀ/N0 + σ_b²(1) between the rows of `inputs`, or of `inputs` and `others`. */
export function firstLayerKernel(network: FullyConnectedNetwork, inputs: Matrix, others?: Matrix): Matrix {
  const out = others ? multiplyTransposedRight(inputs, others) : gram(inputs);
  const [scale, bias] = [network.weightVariance[0]! / inputs.shape[1], network.biasVariance[0]!];
  for (let i = 0; i < out.data.length; i++) out.data[i] = scale * out.data[i]! + bias;
  return out;
}

/** E φ′ at some variances; 0 where it diverges (discontinuous activations at zero variance, where the unit is silent). */
export function finiteSlopes(activation: Activation, variances: Float64Array): Float64Array {
  return variances.map((value) => {
    const slope = activation.moments.slope(value);
    return Number.isFinite(slope) ? slope : 0;
  });
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
