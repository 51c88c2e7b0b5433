import { refusal, type Matrix } from "@finitewidth/core";
import { identity, multiplyTransposedLeft, multiplyTransposedRight, solveLower } from "@finitewidth/linalg";
import type { GaussianProcess } from "./gaussian-process.js";

/**
 * B = 2 ∂ log N(Y | 0, K + T)/∂K = aaᵀ − D(K + T)⁻¹, a = (K + T)⁻¹Y: P × P, on the range of K at T = 0. O(P³). Source:
 * docs/theories/evidence.md, "Gradients of theories". @throws FinitewidthError (code "refused") where T is lost beside a singular kernel.
 */
export function gaussianProcessAdjoint({ root, form, weights }: GaussianProcess): Matrix {
  if (form === "range")
    throw refusal("nngp", "no gradients of the evidence where the temperature is lost in the rounding of a singular kernel; raise it");
  const outputs = weights.shape[1];
  const inverseRoot = form === "cholesky" ? solveLower(root, identity(root.shape[0])) : root;
  const inverse = multiplyTransposedLeft(inverseRoot, inverseRoot);
  const fitted = multiplyTransposedRight(weights, weights);
  return { data: fitted.data.map((value, i) => value - outputs * inverse.data[i]!), shape: inverse.shape };
}
