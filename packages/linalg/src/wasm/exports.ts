/** Kernels exported by the compiled modules. Pointers and strides are bytes, sizes are counts of numbers; see packages/linalg/assembly. */
export interface KernelExports {
  workspaceBytes(): number;
  setWorkspace(at: number): void;
  /** C := β C + α A B: sizes, α, A with its strides, B with its strides, β, C with its row stride, and which tiles are wanted. */
  gemm(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    rowStrideA: number,
    columnStrideA: number,
    b: number,
    rowStrideB: number,
    columnStrideB: number,
    beta: number,
    c: number,
    rowStrideC: number,
    part: number,
  ): void;
  /** C := A B: sizes, A in lists of its nonzero entries (starts, entries), B with its strides, C with its strides. */
  sparseProduct(
    m: number,
    n: number,
    k: number,
    starts: number,
    entries: number,
    b: number,
    rowStrideB: number,
    columnStrideB: number,
    c: number,
    rowStrideC: number,
    columnStrideC: number,
  ): void;
  jobBytes(): number;
  setJob(at: number): void;
  setThreaded(value: number): void;
  runChunk(chunk: number): void;
  mirrorLower(n: number, c: number): void;
  cholesky(n: number, a: number, rowStride: number): number;
  pivotValue(): number;
  solveLower(n: number, m: number, l: number, rowStrideL: number, b: number, rowStrideB: number): void;
  solveLowerTransposed(n: number, m: number, l: number, rowStrideL: number, b: number, rowStrideB: number): void;
  tridiagonalise(n: number, a: number, d: number, e: number, tau: number, work: number): void;
  tridiagonaliseWork(n: number): number;
  applyReflectors(n: number, m: number, reflectors: number, tau: number, b: number, transposed: number, work: number): void;
  applyReflectorsWork(m: number): number;
  tridiagonalEigen(n: number, d: number, e: number, values: number, vectors: number, spare: number, work: number): number;
  tridiagonalEigenWork(n: number): number;
  normals(count: number, a: number, b: number, c: number, block: number, at: number): void;
  philoxWords(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, at: number): void;
  zigguratLength(): number;
  setZiggurat(at: number): void;
  erfTableLength(): number;
  setErfTable(at: number): void;
  map(kind: number, n: number, x: number): void;
  transpose(m: number, n: number, from: number, to: number): void;
  kernelMap(
    kind: number,
    m: number,
    n: number,
    c: number,
    stride: number,
    rowFactors: number,
    rowRoots: number,
    factors: number,
    roots: number,
  ): number;
}

/** Which tiles of C `gemm` computes. */
export const parts = { whole: 0, lower: 1, upper: 2 } as const;

/** Numbers of the elementwise maps and of the kernel maps. */
export const elementwiseCodes = { exp: 0, erf: 1, arcsin: 2 } as const;
export const kernelCodes = { erf: 0, relu: 1, step: 2, sign: 3 } as const;
