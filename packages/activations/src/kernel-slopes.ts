import { shapeError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { squareSize } from "./kernel-map.js";
import { coincident, rootOfProduct } from "./pair-geometry.js";
import { pairMoments } from "./quadrature/complete-moments.js";

/** Linear response of the kernel map at one kernel: Ġ_ab = E φ′_aφ′_b (symmetric) and X_ab = E φ″_aφ_b (not symmetric), P × P. */
export interface KernelSlopes {
  readonly slope: Matrix;
  readonly curvature: Matrix;
}

/**
 * Ġ and X of a symmetric kernel (lower triangle read). Kinked φ: on the diagonal and for coincident inputs Ġ = g′(k), X = 0, so that
 * the Jacobian acts as g′(k) dk there; derivatives that diverge (sign at antipodal or zero inputs) act as 0. O(P²) two-point functions.
 * Source: docs/theories/forward-backward.md, "Linear response of the kernel map"; docs/theories/perturbative.md, "Flow".
 */
export function kernelSlopes(activation: Activation, kernel: Matrix): KernelSlopes {
  const n = squareSize(kernel, "kernel");
  const slope = zeros(n, n);
  const curvature = zeros(n, n);
  const { diagonalSlope } = activation.moments;
  const { kernelSlope, kernelCurvature } = pairMoments(activation.moments);
  const finite = (x: number): number => (Number.isFinite(x) ? x : 0);
  const k = kernel.data;
  for (let i = 0; i < n; i++) {
    const a = k[i * n + i]!;
    for (let j = 0; j <= i; j++) {
      const b = k[j * n + j]!;
      const c = k[i * n + j]!;
      if (!activation.smooth && (i === j || coincident(a, c, b))) {
        slope.data[i * n + j] = slope.data[j * n + i] = diagonalSlope(rootOfProduct(a, b));
        continue;
      }
      const value = finite(kernelSlope(a, c, b));
      slope.data[i * n + j] = value;
      slope.data[j * n + i] = value;
      const first = finite(kernelCurvature(a, c, b));
      curvature.data[i * n + j] = first;
      if (i !== j) curvature.data[j * n + i] = finite(kernelCurvature(b, c, a));
    }
  }
  return { slope, curvature };
}

/** J[dK]_ab = Ġ_ab dK_ab + ½X_ab dK_aa + ½X_ba dK_bb. O(P²). @throws FinitewidthError (code "shape"). */
export function applySlopes({ slope, curvature }: KernelSlopes, change: Matrix): Matrix {
  const n = squareSize(slope, "slope");
  if (change.shape[0] !== n || change.shape[1] !== n) throw shapeError("change", `${n} × ${n}`, `${change.shape[0]} × ${change.shape[1]}`);
  const out = zeros(n, n);
  const d = change.data;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const ij = i * n + j;
      out.data[ij] = slope.data[ij]! * d[ij]! + 0.5 * (curvature.data[ij]! * d[i * n + i]! + curvature.data[j * n + i]! * d[j * n + j]!);
    }
  }
  return out;
}

/**
 * Jᵀ[A] = A∘Ġ + diag_a(Σ_b A_ab X_ab) for symmetric A (its symmetric part in the second term otherwise): Σ A∘J[dK] = Σ Jᵀ[A]∘dK over all
 * ordered pairs. O(P²). @throws FinitewidthError (code "shape").
 */
export function applyAdjointSlopes({ slope, curvature }: KernelSlopes, adjoint: Matrix): Matrix {
  const n = squareSize(slope, "slope");
  if (adjoint.shape[0] !== n || adjoint.shape[1] !== n)
    throw shapeError("adjoint", `${n} × ${n}`, `${adjoint.shape[0]} × ${adjoint.shape[1]}`);
  const out = zeros(n, n);
  const w = adjoint.data;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) {
      const ij = i * n + j;
      out.data[ij] = w[ij]! * slope.data[ij]!;
      sum += 0.5 * (w[ij]! + w[j * n + i]!) * curvature.data[ij]!;
    }
    out.data[i * n + i]! += sum;
  }
  return out;
}

/**
 * J(K)[dK], the derivative of `kernelMap` in the direction dK. Keep `kernelSlopes(activation, kernel)` when there are several. P²/2
 * two-point functions and as many slopes.
 */
export function applyJacobian(activation: Activation, kernel: Matrix, change: Matrix): Matrix {
  return applySlopes(kernelSlopes(activation, kernel), change);
}

/** Jᵀ(K)[A]: the gradient with respect to K of Σ A∘G(K), full double sums. P²/2 two-point functions and as many slopes. */
export function applyAdjointJacobian(activation: Activation, kernel: Matrix, adjoint: Matrix): Matrix {
  return applyAdjointSlopes(kernelSlopes(activation, kernel), adjoint);
}
