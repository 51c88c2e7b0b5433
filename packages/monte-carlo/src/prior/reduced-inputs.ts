import { zeros, type Architecture, type Matrix } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { gram, symmetricEigen } from "@finitewidth/linalg";

/**
 * Fewer input features with the same law of the network: a fully connected net sees its inputs through X Xᵀ/N0 only, so with N0 > P
 * features X may be replaced by the P × P matrix √(P/N0) (X Xᵀ)^{1/2}. Other networks, and N0 ≤ P: X as it is. O(P² N0 + P³).
 */
export function reducedInputs(architecture: Architecture, inputs: Matrix): Matrix {
  const [points, features] = inputs.shape;
  if (denseChain(architecture) === undefined || features <= points) return inputs;
  const { values, vectors } = symmetricEigen(gram(inputs));
  const out = zeros(points, points);
  for (let i = 0; i < points; i++) {
    for (let j = 0; j < points; j++)
      out.data[i * points + j] = vectors.data[i * points + j]! * Math.sqrt((points / features) * Math.max(0, values[j]!));
  }
  return out;
}
