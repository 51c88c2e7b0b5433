import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  backend,
  transpose,
  type Backend,
  type CholeskyOutcome,
  type SymmetricEigen,
  type SymmetricTridiagonal,
  type Tridiagonalisation,
} from "@finitewidth/linalg";
import { loadOpenBlas, type OpenBlas } from "./library.js";

/** Where OpenBLAS is and how many threads it may use. */
export interface OpenBlasOptions {
  /** Path of the shared library; by default the usual names are tried. */
  readonly path?: string;
  /** Default 1: parallelism belongs to the caller's workers. */
  readonly threads?: number;
}

// CBLAS constants
const rowMajor = 101;
const noTranspose = 111;
const transposed = 112;
const lowerTriangle = 122;
const left = 141;
const nonUnit = 131;

const int = (value: number) => Int32Array.of(value);
const letter = (value: string) => Uint8Array.of(value.codePointAt(0)!);

/**
 * Backend on the OpenBLAS of the machine, for `setBackend` of @finitewidth/linalg; undefined when the library is not found. Kernel maps
 * and elementwise maps stay with the backend in use when this one is made.
 */
export function createOpenBlasBackend(options: OpenBlasOptions = {}): Backend | undefined {
  const blas = loadOpenBlas(options.path === undefined ? undefined : [options.path]);
  if (blas === undefined) return undefined;
  blas.setThreads(options.threads ?? 1);
  return openBlasBackend(blas, backend());
}

function requireSuccess(routine: string, status: Int32Array): void {
  if (status[0] !== 0) throw new FinitewidthError(`LAPACK ${routine} reports ${status[0]}`, { code: "not-converged" });
}

function mirrorLower(data: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) data[j * n + i] = data[i * n + j]!;
}

function openBlasBackend(blas: OpenBlas, maps: Backend): Backend {
  function multiply(a: Matrix, b: Matrix, transpose: "none" | "left" | "right"): Matrix {
    const [m, k] = transpose === "left" ? [a.shape[1], a.shape[0]] : a.shape;
    const n = transpose === "right" ? b.shape[0] : b.shape[1];
    const out = zeros(m, n);
    if (m * n * k === 0) return out;
    const [opA, opB] = [transpose === "left" ? transposed : noTranspose, transpose === "right" ? transposed : noTranspose];
    blas.dgemm(rowMajor, opA, opB, m, n, k, 1, a.data, a.shape[1], b.data, b.shape[1], 0, out.data, n);
    return out;
  }

  function gram(x: Matrix): Matrix {
    const [m, k] = x.shape;
    const out = zeros(m, m);
    if (m * k === 0) return out;
    blas.dsyrk(rowMajor, lowerTriangle, noTranspose, m, k, 1, x.data, k, 0, out.data, m);
    mirrorLower(out.data, m);
    return out;
  }

  function cholesky(a: Matrix): CholeskyOutcome {
    const n = a.shape[0];
    // LAPACK reports where it failed but not the pivot itself, so failures go to the other backend, which names it.
    const data = a.data.slice();
    const status = int(0);
    if (n > 0) blas.dpotrf(letter("U"), int(n), data, int(n), status);
    let finite = status[0] === 0;
    for (let i = 0; i < n; i++) {
      finite &&= Number.isFinite(data[i * n + i]!);
      data.fill(0, i * n + i + 1, (i + 1) * n);
    }
    return finite ? { factor: { data, shape: [n, n] } } : maps.cholesky(a);
  }

  function solveTriangular(l: Matrix, b: Matrix, transpose: boolean): Matrix {
    const [n, m] = b.shape;
    const data = b.data.slice();
    if (n * m > 0) blas.dtrsm(rowMajor, left, lowerTriangle, transpose ? transposed : noTranspose, nonUnit, n, m, 1, l.data, n, data, m);
    return { data, shape: b.shape };
  }

  // Row-major lower is column-major upper: "U" reads the same triangle. dsytrd of the lower column-major triangle numbers its reflectors
  // as `Tridiagonalisation` does, so the mirrored matrix is reduced with "L".
  function tridiagonalise(a: Matrix): Tridiagonalisation {
    const n = a.shape[0];
    const reflectors = { data: a.data.slice(), shape: [n, n] as const };
    mirrorLower(reflectors.data, n);
    const diagonal = new Float64Array(n);
    const offDiagonal = new Float64Array(Math.max(n - 1, 0));
    const scales = new Float64Array(n);
    if (n > 0) {
      const work = new Float64Array(64 * n);
      const status = int(0);
      blas.dsytrd(letter("L"), int(n), reflectors.data, int(n), diagonal, offDiagonal, scales, work, int(work.length), status);
      requireSuccess("dsytrd", status);
    }
    scales.fill(0, Math.max(n - 2, 0));
    for (let k = 0; k < n; k++) {
      const row = reflectors.data.subarray(k * n, (k + 1) * n);
      const zero = k + 2 >= n || scales[k] === 0;
      row.fill(0, 0, zero ? n : k + 1);
      if (!zero) row[k + 1] = 1;
    }
    return { diagonal, offDiagonal, reflectors, scales };
  }

  function applyReflectors(t: Tridiagonalisation, b: Matrix, back: boolean): Matrix {
    const [n, m] = b.shape;
    if (n < 3 || m === 0) return { data: b.data.slice(), shape: b.shape };
    // B is row-major, that is Bᵀ for LAPACK: Q B = (Bᵀ Qᵀ)ᵀ is an application from the right.
    const data = b.data.slice();
    const work = new Float64Array(64 * m);
    const status = int(0);
    blas.dormtr(
      letter("R"),
      letter("L"),
      letter(back ? "N" : "T"),
      int(m),
      int(n),
      t.reflectors.data,
      int(n),
      t.scales,
      data,
      int(m),
      work,
      int(work.length),
      status,
    );
    requireSuccess("dormtr", status);
    return { data, shape: b.shape };
  }

  function tridiagonalEigenvalues(t: SymmetricTridiagonal): Float64Array {
    const values = t.diagonal.slice();
    const status = int(0);
    if (values.length > 0) blas.dsterf(int(values.length), values, t.offDiagonal.slice(), status);
    requireSuccess("dsterf", status);
    return values;
  }

  function tridiagonalEigen(t: SymmetricTridiagonal): SymmetricEigen {
    const n = t.diagonal.length;
    const values = t.diagonal.slice();
    const vectors = zeros(n, n);
    if (n > 0) {
      const work = new Float64Array(1 + 4 * n + n * n);
      const integers = new Int32Array(3 + 5 * n);
      const status = int(0);
      blas.dstedc(
        letter("I"),
        int(n),
        values,
        t.offDiagonal.slice(),
        vectors.data,
        int(n),
        work,
        int(work.length),
        integers,
        int(integers.length),
        status,
      );
      requireSuccess("dstedc", status);
    }
    return { values, vectors: transpose(vectors) };
  }

  function symmetricEigen(a: Matrix): SymmetricEigen {
    const n = a.shape[0];
    const vectors: Matrix = { data: a.data.slice(), shape: [n, n] };
    const values = new Float64Array(n);
    if (n > 0) {
      const work = new Float64Array(1 + 6 * n + 2 * n * n);
      const integers = new Int32Array(3 + 5 * n);
      const status = int(0);
      blas.dsyevd(
        letter("V"),
        letter("U"),
        int(n),
        vectors.data,
        int(n),
        values,
        work,
        int(work.length),
        integers,
        int(integers.length),
        status,
      );
      requireSuccess("dsyevd", status);
    }
    return { values, vectors: transpose(vectors) };
  }

  const { normalBlock, map, symmetricKernel, crossKernel } = maps;
  return {
    name: "openblas",
    multiply,
    gram,
    cholesky,
    solveTriangular,
    tridiagonalise,
    applyReflectors,
    tridiagonalEigenvalues,
    tridiagonalEigen,
    symmetricEigen,
    normalBlock,
    map,
    symmetricKernel,
    crossKernel,
  };
}
