import type { Matrix } from "@finitewidth/core";
import type { SymmetricEigen } from "./eigen.js";
import type { ElementwiseMap, KernelMap } from "./maps.js";
import type { StreamKey } from "./normals.js";
import { referenceBackend } from "./reference/backend.js";
import { createWasmBackend } from "./wasm/create.js";
import type { SymmetricTridiagonal, Tridiagonalisation } from "./tridiagonal.js";
import type { Shapes, Workspace } from "./workspace.js";

/** Lower triangular Cholesky factor, or the index and value of the first pivot that is not positive. */
export type CholeskyOutcome = { readonly factor: Matrix } | { readonly pivot: number; readonly value: number };

/**
 * The heavy kernels. Arguments have been validated (shapes agree, entries finite where that matters); inputs are never changed and
 * every output is fresh. Backends agree to rounding; eigenvectors up to sign and rotation within equal eigenvalues.
 */
export interface Backend {
  readonly name: string;
  /** A B, Aᵀ B ("left") or A Bᵀ ("right"). */
  multiply(a: Matrix, b: Matrix, transposed: "none" | "left" | "right"): Matrix;
  /** X Xᵀ, exactly symmetric. */
  gram(x: Matrix): Matrix;
  /** A = L Lᵀ, lower triangle read; the factor in `out` where it is given, A's own array allowed (undefined after a failure). */
  cholesky(a: Matrix, out?: Float64Array): CholeskyOutcome;
  /** (L Lᵀ)⁻¹, exactly symmetric, in `out` where it is given; found by `solveTriangular` and `gram` where a backend has none. */
  choleskyInverse?(l: Matrix, out?: Float64Array): Matrix;
  /** Diagonal of (L Lᵀ)⁻¹; found by `solveTriangular` where a backend has none. */
  inverseDiagonal?(l: Matrix): Float64Array;
  /** L⁻¹ B, or L⁻ᵀ B. */
  solveTriangular(l: Matrix, b: Matrix, transposed: boolean): Matrix;
  tridiagonalise(a: Matrix): Tridiagonalisation;
  /** Q B, or Qᵀ B. */
  applyReflectors(t: Tridiagonalisation, b: Matrix, transposed: boolean): Matrix;
  /** Eigenvalues of T, ascending. */
  tridiagonalEigenvalues(t: SymmetricTridiagonal): Float64Array;
  /** Eigenvalues, ascending, and eigenvectors (columns) of T. */
  tridiagonalEigen(t: SymmetricTridiagonal): SymmetricEigen;
  /** Eigenvalues, ascending, and eigenvectors (columns) of A, lower triangle read. */
  symmetricEigen(a: Matrix): SymmetricEigen;
  /** Fills `out`, at most 4096 numbers, with the start of one block of a stream of normals; the same bits from every backend. */
  normalBlock(out: Float64Array, key: StreamKey, block: number): void;
  /** out := f(x); `out` may be x. */
  map(kind: ElementwiseMap, x: Float64Array, out: Float64Array): void;
  /** out := E φ(h_i)φ(h_j), upper triangle of the covariance read; `out` may be its data. False when an entry is not finite. */
  symmetricKernel(kind: KernelMap, covariance: Matrix, out: Float64Array): boolean;
  crossKernel(kind: KernelMap, covariance: Matrix, rowVariances: Float64Array, columnVariances: Float64Array, out: Float64Array): boolean;
  /** A workspace of this backend's own; `createWorkspace` has checked the shapes and checks the operands. */
  workspace?(shapes: Shapes, constants: readonly Matrix[]): Workspace;
}

let current: Backend | undefined;

/** The backend in use: until `setBackend`, WebAssembly where the engine has SIMD, the reference elsewhere. */
export function backend(): Backend {
  current ??= createWasmBackend() ?? referenceBackend;
  return current;
}

/** Makes `next` the backend of every later call in this realm (a worker has its own) and returns the one used before. */
export function setBackend(next: Backend): Backend {
  const previous = backend();
  current = next;
  return previous;
}
