import type { Activation, Matrix } from "@finitewidth/core";
import { erf } from "./erf.js";
import { coincident, rootOfProduct } from "./pair-geometry.js";
import { pairMoments } from "./quadrature/complete-moments.js";

/**
 * A := scale·Jᵀ(K)[A] on the lower triangle, in place, for a symmetric adjoint of which that is read: `applyAdjointJacobian` without
 * matrices of its own. What is above the diagonal stays as it was. O(P²) two-point functions, in closed form for erf.
 */
export function adjointStep(activation: Activation, kernel: Matrix, adjoint: Matrix, scale: number): void {
  const added =
    activation.moments.kernel === erf.moments.kernel ? erfAdjoint(kernel, adjoint, scale) : pairAdjoint(activation, kernel, adjoint, scale);
  const n = kernel.shape[0];
  for (let i = 0; i < n; i++) adjoint.data[i * n + i]! += added[i]!;
}

/** Multiplies the lower triangle by scale·Ġ; returns what the variances receive, scale·Σ_b A_ab X_ab. */
function pairAdjoint(activation: Activation, kernel: Matrix, adjoint: Matrix, scale: number): Float64Array {
  const n = kernel.shape[0];
  const added = new Float64Array(n);
  const { diagonalSlope } = activation.moments;
  const { kernelSlope, kernelCurvature } = pairMoments(activation.moments);
  const finite = (x: number): number => (Number.isFinite(x) ? x : 0);
  const [k, w] = [kernel.data, adjoint.data];
  for (let i = 0; i < n; i++) {
    const a = k[i * n + i]!;
    for (let j = 0; j <= i; j++) {
      const at = i * n + j;
      const [c, b] = [k[at]!, k[j * n + j]!];
      const weight = scale * w[at]!;
      // on the diagonal the slopes in c and in the variances would cancel at large ones
      if (i === j || (!activation.smooth && coincident(a, c, b))) {
        w[at] = weight * diagonalSlope(rootOfProduct(a, b));
        continue;
      }
      w[at] = weight * finite(kernelSlope(a, c, b));
      added[i]! += weight * finite(kernelCurvature(a, c, b));
      added[j]! += weight * finite(kernelCurvature(b, c, a));
    }
  }
  return added;
}

/** erf: Ġ = 4/(π√((1 + 2a)(1 + 2b) − 4c²)), X_ab = −2c Ġ/(1 + 2a). */
function erfAdjoint(kernel: Matrix, adjoint: Matrix, scale: number): Float64Array {
  const n = kernel.shape[0];
  const [k, w] = [kernel.data, adjoint.data];
  const added = new Float64Array(n);
  const variances = Float64Array.from({ length: n }, (_, i) => k[i * n + i]!);
  const roots = variances.map(Math.sqrt);
  const inverses = variances.map((value) => -2 / (1 + 2 * value));
  const factor = (4 / Math.PI) * scale;
  for (let i = 0; i < n; i++) {
    const row = i * n;
    const [a, root] = [1 + 2 * variances[i]!, roots[i]!];
    let own = 0;
    for (let j = 0; j < i; j++) {
      const c = k[row + j]!;
      const product = root * roots[j]!;
      // (1 + 2a)(1 + 2b) − 4c² with ab − c² as a product, so that coinciding inputs cost no digits
      const value = (factor * w[row + j]!) / Math.sqrt(a + 2 * variances[j]! + 4 * Math.max((product - c) * (product + c), 0));
      w[row + j] = value;
      own += value * c;
      added[j]! += value * c * inverses[j]!;
    }
    added[i]! += own * inverses[i]!;
    // Ġ and X would cancel at large variances
    w[row + i] = (factor * w[row + i]!) / (a * Math.sqrt(2 * a - 1));
  }
  return added;
}
