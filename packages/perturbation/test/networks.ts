import { defineActivation, plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import { plugin as convolutional } from "@finitewidth/prior-conv";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { plugin as sequential } from "@finitewidth/prior-sequential";
import { plugin as perturbation } from "../src/index.js";

/** A kink, and no formulas. */
const hinge = defineActivation({
  name: "hinge",
  summary: "max(h, h/10)",
  odd: false,
  smooth: false,
  bounded: false,
  value: (h) => Math.max(h, 0.1 * h),
  derivative: (h) => (h > 0 ? 1 : 0.1),
  secondDerivative: () => 0,
});
export const registry = createRegistry([
  activations,
  fullyConnected,
  convolutional,
  sequential,
  perturbation,
  { name: "test", activations: [hinge] },
]);

/** Name of an activation as the fixtures write it. */
export const activationName = (name: string): string => (name === "linear" ? "identity" : name);
export const activation = (name: string): Activation => registry.activation(activationName(name));

/** σ_w² X Xᵀ/N0 + σ_b² of stacked rows. */
export function firstKernel(rows: readonly (readonly number[])[], weightVariance: number, biasVariance: number): Matrix {
  const x = matrixFromRows(rows);
  const g = multiplyTransposedRight(x, x);
  return { data: g.data.map((value) => (weightVariance * value) / x.shape[1] + biasVariance), shape: g.shape };
}
