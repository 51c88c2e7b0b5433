import type { Activation, Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  cholesky,
  combine,
  gram,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveLower,
  symmetrise,
  transpose,
  type Cholesky,
} from "@finitewidth/linalg";
import type { TiltClosure, TestKernels } from "./closure.js";
import { choleskyRoot, type KernelRoot } from "./kernel-root.js";

/** φ(h) = αh: odd, smooth and homogeneous of degree 1. */
export const isLinear = (activation: Activation): boolean => activation.degree === 1 && activation.odd && activation.smooth;

/** Gaussian S = (C⁻¹ − 2B)⁻¹ = F (1 − E)⁻¹ Fᵀ with C = FFᵀ and E = 2FᵀBF. */
export interface TiltedGaussian {
  /** Cholesky factors of 1 − E. */
  readonly factor: Cholesky;
  /** S. */
  readonly covariance: Matrix;
}

/** E = 2 Fᵀ B F. */
export function whitenedTilt(root: KernelRoot, tilt: Matrix): Matrix {
  return symmetrise(combine(2, multiplyTransposedLeft(root.root, multiply(tilt, root.root)), 0, tilt));
}

/**
 * The Gaussian N(0, C) tilted by exp(hᵀBh). @throws FinitewidthError (code "not-positive-definite") unless C⁻¹ − 2B is positive definite.
 * O(P³).
 */
export function tiltGaussian(root: KernelRoot, tilt: Matrix): TiltedGaussian {
  const e = whitenedTilt(root, tilt);
  const factor = cholesky(addDiagonal(combine(-1, e, 0, e), 1));
  // S = (L⁻¹Fᵀ)ᵀ(L⁻¹Fᵀ)
  return { factor, covariance: gram(transpose(solveLower(factor.factor, transpose(root.root)))) };
}

/** B (1 − 2CB)⁻¹ = B + 2 B S B: ∂W/∂C of a Gaussian tilt. */
export function gaussianGradient(tilt: Matrix, covariance: Matrix): Matrix {
  return symmetrise(combine(1, tilt, 2, multiply(tilt, multiply(covariance, tilt))));
}

/**
 * Kernels Sb between test and training points and variances s² + bᵀSb under a Gaussian tilt hᵀBh, h* = bᵀh + noise with b = C⁻¹c, s² = c**
 * − cᵀC⁻¹c: Sb = c + 2SBc and c** + 2cᵀB·Sb, which need no inverse and so hold for singular C.
 */
export function extendGaussian(covariance: Matrix, tilt: Matrix, test: TestKernels): TestKernels {
  const [points, size] = test.cross.shape;
  const pulled = multiply(test.cross, tilt);
  const cross = combine(1, test.cross, 2, multiply(pulled, covariance));
  const variances = test.variances.slice();
  for (let t = 0; t < points; t++) {
    for (let k = t * size; k < (t + 1) * size; k++) variances[t]! += 2 * pulled.data[k]! * cross.data[k]!;
    variances[t] = Math.max(variances[t]!, 0);
  }
  const joint = test.joint && symmetrise(combine(1, test.joint, 2, multiplyTransposedRight(pulled, cross)));
  return { cross, variances, ...(joint ? { joint } : {}) };
}

/** Closed form for φ(h) = αh: ⟨hhᵀ⟩ = S, W = −½ ln det(1 − 2gα²CA), ∂W/∂C = gα²A(1 − 2gα²CA)⁻¹. O(P³). */
export function linearClosure(activation: Activation): TiltClosure {
  const square = activation.value(1) ** 2;
  const tiltOf = (conjugate: Matrix, weightVariance: number): Matrix => combine(square * weightVariance, conjugate, 0, conjugate);
  return {
    averages({ kernel, conjugate, weightVariance }, want) {
      const tilt = tiltOf(conjugate, weightVariance);
      const { factor, covariance } = tiltGaussian(choleskyRoot(kernel), tilt);
      return {
        secondMoment: combine(square, covariance, 0, covariance),
        ...(want.gradient ? { gradient: gaussianGradient(tilt, covariance) } : {}),
        cumulant: -0.5 * factor.logDeterminant,
        effectiveFraction: 1,
      };
    },
    extend({ kernel, conjugate, weightVariance }, test) {
      const tilt = tiltOf(conjugate, weightVariance);
      const { cross, variances, joint } = extendGaussian(tiltGaussian(choleskyRoot(kernel), tilt).covariance, tilt, test);
      return {
        cross: combine(square, cross, 0, cross),
        variances: variances.map((value) => square * value),
        ...(joint ? { joint: affine(square, joint) } : {}),
      };
    },
  };
}
