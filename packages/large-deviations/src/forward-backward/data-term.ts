import type { Matrix } from "@finitewidth/core";
import { innerProduct, multiply, multiplyTransposedRight, trace } from "@finitewidth/linalg";
import type { TargetResponse } from "@finitewidth/numerics";

/** d ln N(Y|0, C + T)/dC = ½[VVᵀ − D R]: the force of the data on the readout kernel. O(P²D). */
export function dataForce({ weights, resolvent }: Pick<TargetResponse, "weights" | "resolvent">): Matrix {
  const outputs = weights.shape[1];
  const square = multiplyTransposedRight(weights, weights);
  return { data: square.data.map((value, i) => 0.5 * (value - outputs * resolvent.data[i]!)), shape: square.shape };
}

/** ⟨|y − f|²⟩ = |y − ⟨f⟩|² + DT(r − T tr R), summed over points and outputs, r the directions that R holds. */
export function trainingDiscrepancy({ missed, resolvent, directions }: TargetResponse, temperature: number): number {
  const outputs = missed.shape[1];
  return innerProduct(missed, missed) + outputs * temperature * (directions - temperature * trace(resolvent));
}

/**
 * Mean C*V (P* × D) and variance c** − c*ᵀRc* per output (P*), clipped at 0, from cross kernels (P* × P) and variances (P*). O(P* P (P +
 * D)).
 */
export function predictFromKernels(
  { weights, resolvent }: Pick<TargetResponse, "weights" | "resolvent">,
  cross: Matrix,
  variances: Float64Array,
): { readonly mean: Matrix; readonly variance: Float64Array } {
  const [points, size] = cross.shape;
  const product = multiply(cross, resolvent);
  const variance = variances.slice();
  for (let t = 0; t < points; t++) {
    for (let a = 0; a < size; a++) variance[t]! -= product.data[t * size + a]! * cross.data[t * size + a]!;
    variance[t] = Math.max(variance[t]!, 0);
  }
  return { mean: multiply(cross, weights), variance };
}
