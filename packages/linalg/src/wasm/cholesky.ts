import type { Matrix } from "@finitewidth/core";
import type { Backend, CholeskyOutcome } from "../backend.js";
import { referenceBackend } from "../reference/backend.js";
import type { Arena } from "./arena.js";
import { parts, type KernelExports } from "./exports.js";

// Below this size copying costs more than it saves.
const smallCholesky = 24;
// Columns, then rows, of a triangular inverse that go together.
const inverseBlock = 128;

/** The lower triangle of n × n numbers, the rest left alone. */
export function copyLower(n: number, from: Float64Array, to: Float64Array): void {
  for (let i = 0; i < n; i++) to.set(from.subarray(i * n, i * n + i + 1), i * n);
}

/** Cholesky factors and what follows from them. */
export function choleskyKernels(kernels: KernelExports, arena: Arena): Required<Pick<Backend, "cholesky" | "choleskyInverse">> {
  function cholesky(a: Matrix, out?: Float64Array): CholeskyOutcome {
    const n = a.shape[0];
    if (n < smallCholesky) return referenceBackend.cholesky(a, out);
    const [pa] = arena.layout(`a ${n} × ${n} Cholesky factor`, [n * n]);
    const memory = arena.view(pa, n * n);
    copyLower(n, a.data, memory);
    const pivot = kernels.cholesky(n, pa, n * 8);
    if (pivot >= 0) return { pivot, value: kernels.pivotValue() };
    const factor = out ?? new Float64Array(n * n);
    copyLower(n, memory, factor);
    if (out) for (let i = 0; i < n; i++) out.fill(0, i * n + i + 1, (i + 1) * n);
    return { factor: { data: factor, shape: [n, n] } };
  }

  // L⁻¹ by blocks of columns from where they begin, then its Gram matrix by blocks of rows up to where they end, over L
  function choleskyInverse(l: Matrix, out?: Float64Array): Matrix {
    const n = l.shape[0];
    const [pl, px] = arena.layout(`the inverse of a ${n} × ${n} matrix`, [n * n, n * n]);
    arena.view(pl, n * n).set(l.data);
    const inverse = arena.view(px, n * n).fill(0);
    const row = n * 8;
    for (let c = 0; c < n; c += inverseBlock) {
      const count = Math.min(inverseBlock, n - c);
      for (let i = c; i < c + count; i++) inverse[i * n + i] = 1;
      kernels.solveLower(n - c, count, pl + c * (row + 8), row, px + c * (row + 8), row);
    }
    arena.view(pl, n * n).fill(0);
    for (let k = 0; k < n; k += inverseBlock) {
      const count = Math.min(inverseBlock, n - k);
      const at = px + k * row;
      kernels.gemm(k + count, k + count, count, 1, at, 8, row, at, row, 8, 1, pl, row, parts.lower);
    }
    kernels.mirrorLower(n, pl);
    if (out === undefined) return { data: arena.view(pl, n * n).slice(), shape: [n, n] };
    out.set(arena.view(pl, n * n));
    return { data: out, shape: [n, n] };
  }

  return { cholesky, choleskyInverse };
}
