import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, multiply, solveLower, solveLowerTransposed, symmetricEigen, trace, transpose } from "@finitewidth/linalg";

/** A square root F of a kernel, C = F Fᵀ, with what needs its inverse (pseudo-inverse where C is singular). */
export interface KernelRoot {
  /** F: P × P. */
  readonly root: Matrix;
  /** F⁻¹ B for B with P rows. */
  whiten(b: Matrix): Matrix;
  /** F⁻ᵀ E F⁻¹ for a symmetric E: a gradient in whitened coordinates turned into one in C. */
  unwhitenGradient(e: Matrix): Matrix;
}

/** Jitter tried in turn, relative to the mean of the diagonal. */
const jitters = [0, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9];

/** Root of a kernel of zeros: nothing is in its range. */
function zeroRoot({ shape }: Matrix): KernelRoot {
  const root = zeros(shape[0], shape[1]);
  return { root, whiten: (b) => zeros(b.shape[0], b.shape[1]), unwhitenGradient: () => root };
}

/**
 * Lower triangular root. Singular kernels get the smallest relative jitter that factorises, at most 1e-9. @throws FinitewidthError (code
 * "not-positive-definite"). P³/3.
 */
export function choleskyRoot(kernel: Matrix): KernelRoot {
  const scale = trace(kernel) / kernel.shape[0];
  if (scale === 0) return zeroRoot(kernel);
  for (const jitter of jitters) {
    try {
      const { factor } = cholesky(jitter === 0 ? kernel : addDiagonal(kernel, jitter * scale));
      return {
        root: factor,
        whiten: (b) => solveLower(factor, b),
        unwhitenGradient: (e) => solveLowerTransposed(factor, transpose(solveLowerTransposed(factor, e))),
      };
    } catch (error) {
      if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
    }
  }
  throw new FinitewidthError("kernel is not positive semi-definite", { code: "not-positive-definite" });
}

/**
 * Symmetric root F = C^½, a continuous function of C up to the edge of the cone, eigenvalues below 8Pε of the largest counting as 0;
 * directions with eigenvalues below 1e-12 of the largest are left out of the inverse. @throws FinitewidthError (code
 * "not-positive-definite") for an eigenvalue below −1e-9 of the largest. O(P³).
 */
export function symmetricRoot(kernel: Matrix): KernelRoot {
  const n = kernel.shape[0];
  const { values, vectors } = symmetricEigen(kernel);
  const largest = Math.max(values[n - 1]!, 0);
  if (values[0]! < -1e-9 * largest || (largest === 0 && values[0]! < 0)) {
    throw new FinitewidthError(`kernel is not positive semi-definite: its smallest eigenvalue is ${values[0]}`, {
      code: "not-positive-definite",
    });
  }
  const assemble = (of: (value: number) => number): Matrix => {
    const scaled = zeros(n, n);
    for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) scaled.data[i * n + k] = vectors.data[i * n + k]! * of(values[k]!);
    return multiply(scaled, transpose(vectors));
  };
  // √λ/(1 + (δ/λ)²): eigenvalues that are rounding errors of 0 (equal inputs) go to 0 smoothly, where √λ would make 1e-8 of them
  const noise = 8 * n * Number.EPSILON * largest;
  const root = assemble((value) => (value > 0 ? Math.sqrt(value) / (1 + (noise / value) ** 2) : 0));
  let inverse: Matrix | undefined;
  const pseudoInverse = (): Matrix => (inverse ??= assemble((value) => (value > 1e-12 * largest ? 1 / Math.sqrt(value) : 0)));
  return {
    root,
    whiten: (b) => multiply(pseudoInverse(), b),
    unwhitenGradient: (e) => multiply(pseudoInverse(), multiply(e, pseudoInverse())),
  };
}
