import { FinitewidthError, inputError, zeros, type Matrix, type Scaling } from "@finitewidth/core";
import { multiplyTransposedLeft, symmetricEigen } from "@finitewidth/linalg";

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
  const { values, vectors } = symmetricEigen(kernel);
  const points = values.length;
  const largest = values.at(-1) ?? 0;
  if (values[0]! < -1e-8 * Math.max(largest, 0))
    throw inputError("kernel", "a positive semidefinite kernel", `smallest eigenvalue ${values[0]}`);
  const threshold = points * Number.EPSILON * largest;
  const rotated = multiplyTransposedLeft(vectors, targets);
  const all = { eigenvalues: values.map((value) => (value > threshold ? value : 0)), vectors, targets: rotated, temperature };
  return temperature > 0 ? all : onRange(all, targets);
}

function onRange(all: SpectralData, targets: Matrix): SpectralData {
  const { eigenvalues, vectors, temperature } = all;
  const outputs = targets.shape[1];
  const points = eigenvalues.length;
  const first = eigenvalues.findIndex((value) => value > 0);
  const from = first < 0 ? points : first;
  const size = Math.max(...targets.data.map(Math.abs));
  for (let k = 0; k < from * outputs; k++) {
    if (Math.abs(all.targets.data[k]!) > 1e-10 * size) {
      throw new FinitewidthError(
        "likelihood.temperature: expected T > 0, got 0, and the targets have a part that the network cannot produce (rank-deficient kernel)",
        { code: "input", path: "likelihood.temperature" },
      );
    }
  }
  const kept = zeros(points, points - from);
  for (let i = 0; i < points; i++) kept.data.set(vectors.data.subarray(i * points + from, (i + 1) * points), i * (points - from));
  return {
    eigenvalues: eigenvalues.slice(from),
    vectors: kept,
    targets: { data: all.targets.data.slice(from * outputs), shape: [points - from, outputs] },
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
