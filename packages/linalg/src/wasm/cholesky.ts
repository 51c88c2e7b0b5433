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
export function choleskyKernels(
  kernels: KernelExports,
  arena: Arena,
): Required<Pick<Backend, "cholesky" | "choleskyInverse" | "inverseDiagonal">> {
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

  /** Columns c … c + count of L⁻¹ from row c on, in a panel of as many columns. */
  function inverseColumns(n: number, pl: number, panel: number, c: number, count: number): Float64Array {
    const block = arena.view(panel, (n - c) * count).fill(0);
    for (let i = 0; i < count; i++) block[i * count + i] = 1;
    kernels.solveLower(n - c, count, pl + c * (n + 1) * 8, n * 8, panel, count * 8);
    return block;
  }

  function inverseDiagonal(l: Matrix): Float64Array {
    const n = l.shape[0];
    const [pl, panel] = arena.layout(`the diagonal of the inverse of a ${n} × ${n} matrix`, [n * n, n * inverseBlock]);
    copyLower(n, l.data, arena.view(pl, n * n));
    const out = new Float64Array(n);
    for (let c = 0; c < n; c += inverseBlock) {
      const count = Math.min(inverseBlock, n - c);
      const block = inverseColumns(n, pl, panel, c, count);
      for (let at = 0; at < block.length; at += count) for (let j = 0; j < count; j++) out[c + j]! += block[at + j]! ** 2;
    }
    return out;
  }

  // L⁻¹ over L by blocks of columns, each of which reads columns that are still L's; over that its Gram matrix by blocks of rows from the
  // top, each of which reads rows that are still L⁻¹'s
  function choleskyInverse(l: Matrix, out?: Float64Array): Matrix {
    const n = l.shape[0];
    const [pa, panel] = arena.layout(`the inverse of a ${n} × ${n} matrix`, [n * n, n * inverseBlock]);
    const memory = arena.view(pa, n * n);
    const block = arena.view(panel, n * inverseBlock);
    memory.set(l.data);
    const row = n * 8;
    for (let c = 0; c < n; c += inverseBlock) {
      const count = Math.min(inverseBlock, n - c);
      inverseColumns(n, pa, panel, c, count);
      for (let i = c; i < n; i++) memory.set(block.subarray((i - c) * count, (i - c + 1) * count), i * n + c);
    }
    for (let k = 0; k < n; k += inverseBlock) {
      const count = Math.min(inverseBlock, n - k);
      const width = k + count;
      const at = pa + k * row;
      kernels.gemm(count, width, n - k, 1, at + k * 8, 8, row, at, row, 8, 0, panel, width * 8, parts.whole);
      for (let i = 0; i < count; i++) memory.set(block.subarray(i * width, (i + 1) * width), (k + i) * n);
    }
    kernels.mirrorLower(n, pa);
    if (out === undefined) return { data: memory.slice(), shape: [n, n] };
    out.set(memory);
    return { data: out, shape: [n, n] };
  }

  return { cholesky, choleskyInverse, inverseDiagonal };
}
