import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, zeros, type Activation, type Matrix } from "@finitewidth/core";

const registry = createRegistry([activations]);

/** Activation by the name of the fixtures. */
export const activation = (name: string): Activation => registry.activation(name === "linear" ? "identity" : name);

/** σ_w² X Xᵀ/N0 + σ_b² of stacked rows. */
export function firstKernel(rows: readonly (readonly number[])[], weightVariance: number, biasVariance: number): Matrix {
  const x = matrixFromRows(rows);
  const n = x.shape[0];
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out.data[i * n + j] = (weightVariance * rows[i]!.reduce((sum, value, k) => sum + value * rows[j]![k]!, 0)) / x.shape[1] + biasVariance;
  return out;
}
