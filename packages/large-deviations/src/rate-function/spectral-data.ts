import type { Matrix, Scaling } from "@finitewidth/core";
import { multiplyTransposedLeft, symmetricEigen } from "@finitewidth/linalg";
import { firstPositive, positiveSpectrum, projectTargets, requireInRange } from "@finitewidth/numerics";

/** Data in the eigenbasis of the input kernel, κ_i with V diag(κ) Vᵀ = K and Ŷ = VᵀY. */
export interface SpectralData {
  /** κ_i; for T = 0 the positive ones only. */
  readonly eigenvalues: Float64Array;
  /** V: P × r. */
  readonly vectors: Matrix;
  /** Ŷ: r × D. */
  readonly targets: Matrix;
  readonly temperature: number;
}

/**
 * Eigendecomposition of the kernel, once for all. Eigenvalues below P ε κ_max count as 0; at T = 0 they are left out.
 * @throws FinitewidthError (code "input") at T = 0 when the targets have a part that the kernel cannot produce. O(P³).
 */
export function spectralData(kernel: Matrix, targets: Matrix, temperature: number): SpectralData {
  const eigen = symmetricEigen(kernel);
  if (temperature === 0) {
    const spectrum = positiveSpectrum(eigen);
    const projection = projectTargets(spectrum, targets);
    requireInRange(projection, targets);
    return { eigenvalues: spectrum.values, vectors: spectrum.vectors, targets: projection.projected, temperature };
  }
  const { values, vectors } = eigen;
  const first = firstPositive(values);
  return {
    eigenvalues: values.map((value, i) => (i < first ? 0 : value)),
    vectors,
    targets: multiplyTransposedLeft(vectors, targets),
    temperature,
  };
}

/** How the data enter the action: weight c of ½ yᵀ(·)⁻¹y, and whether ½ log det comes with it. */
export interface DataWeight {
  readonly weight: number;
  /** Weight of log det beside yᵀ(·)⁻¹y: 1 in standard scaling, 0 in mean-field scaling (1/N where finite widths are accounted for). */
  readonly logDeterminant: number;
}

/** (a) standard scaling: (1/2N)[log det + yᵀ(·)⁻¹y]; (b) mean-field scaling: ½ yᵀ(·)⁻¹y. */
export const dataWeight = (scaling: Scaling, referenceWidth: number): DataWeight =>
  scaling === "standard" ? { weight: 1 / referenceWidth, logDeterminant: 1 } : { weight: 1, logDeterminant: 0 };
