/** Kernels exported by the compiled modules. Pointers and strides are bytes, sizes are counts of numbers; see packages/linalg/assembly. */
export interface KernelExports {
  workspaceBytes(): number;
  setWorkspace(at: number): void;
  gemm(
    m: number, n: number, k: number, alpha: number,
    a: number, rowStrideA: number, columnStrideA: number,
    b: number, rowStrideB: number, columnStrideB: number,
    beta: number, c: number, rowStrideC: number, part: number,
  ): void;
  mirrorLower(n: number, c: number): void;
  cholesky(n: number, a: number, rowStride: number): number;
  pivotValue(): number;
  clearUpper(n: number, a: number): void;
  solveLower(n: number, m: number, l: number, rowStrideL: number, b: number, rowStrideB: number): void;
  solveLowerTransposed(n: number, m: number, l: number, rowStrideL: number, b: number, rowStrideB: number): void;
  tridiagonalise(n: number, a: number, d: number, e: number, tau: number, work: number): void;
  tridiagonaliseWork(n: number): number;
  applyReflectors(n: number, m: number, reflectors: number, tau: number, b: number, transposed: number, work: number): void;
  applyReflectorsWork(m: number): number;
  tridiagonalEigen(n: number, d: number, e: number, values: number, vectors: number, spare: number, work: number): number;
  tridiagonalEigenWork(n: number): number;
}

/** Which tiles of C `gemm` computes. */
export const parts = { whole: 0, lower: 1, upper: 2 } as const;
