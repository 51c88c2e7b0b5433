import { FinitewidthError, type Matrix } from "@finitewidth/core";
import type { Backend } from "../backend.js";
import type { SymmetricEigen } from "../eigen.js";
import type { ElementwiseMap, KernelMap } from "../maps.js";
import type { StreamKey } from "../normals.js";
import { referenceBackend } from "../reference/backend.js";
import { diagonalValue, factorsOf } from "../reference/maps.js";
import { safeScale } from "../reference/tridiagonalise.js";
import type { SymmetricTridiagonal, Tridiagonalisation } from "../tridiagonal.js";
import type { Arena } from "./arena.js";
import { choleskyKernels, copyLower } from "./cholesky.js";
import { elementwiseCodes, kernelCodes, parts, type KernelExports } from "./exports.js";

// Below this many multiply–adds, or with fewer than `narrow` columns, copying costs more than it saves.
const smallProduct = 2000;
const smallFactor = 16;
const narrow = 4;
// Reflectors from which on even a single vector is worth the copy.
const manyReflectors = 400;
// Numbers per block of the elementwise maps and of the kernel maps.
const mapBlock = 8192;
const kernelBlock = 65536;
const bandRows = 128;
const stripRows = 32;

/** The kernels as a backend: arguments copied into the arena, small problems left to `reference`. */
export function wasmBackend(name: string, kernels: KernelExports, arena: Arena): Backend {
  const put = (at: number, data: Float64Array) => arena.view(at, data.length).set(data);
  const take = (at: number, length: number) => arena.view(at, length).slice();
  const square = (at: number, n: number): Matrix => ({ data: take(at, n * n), shape: [n, n] });

  function multiply(a: Matrix, b: Matrix, transposed: "none" | "left" | "right"): Matrix {
    const [rowsA, columnsA] = a.shape;
    const [rowsB, columnsB] = b.shape;
    const [m, k] = transposed === "left" ? [columnsA, rowsA] : [rowsA, columnsA];
    const n = transposed === "right" ? rowsB : columnsB;
    if (m * k * n < smallProduct || Math.min(m, k, n) < narrow) return referenceBackend.multiply(a, b, transposed);
    const [pa, pb, pc] = arena.layout(`a product of ${m} × ${k} and ${k} × ${n}`, [m * k, k * n, m * n]);
    put(pa, a.data);
    put(pb, b.data);
    const stridesA = [columnsA * 8, 8] as const;
    const stridesB = [columnsB * 8, 8] as const;
    const [rsa, csa] = transposed === "left" ? [stridesA[1], stridesA[0]] : stridesA;
    const [rsb, csb] = transposed === "right" ? [stridesB[1], stridesB[0]] : stridesB;
    kernels.gemm(m, n, k, 1, pa, rsa, csa, pb, rsb, csb, 0, pc, n * 8, parts.whole);
    return { data: take(pc, m * n), shape: [m, n] };
  }

  function gram(x: Matrix): Matrix {
    const [m, k] = x.shape;
    if (m * m * k < smallProduct) return referenceBackend.gram(x);
    const [px, pc] = arena.layout(`a ${m} × ${m} Gram matrix`, [m * k, m * m]);
    put(px, x.data);
    kernels.gemm(m, m, k, 1, px, k * 8, 8, px, 8, k * 8, 0, pc, m * 8, parts.lower);
    kernels.mirrorLower(m, pc);
    return square(pc, m);
  }

  function solveTriangular(l: Matrix, b: Matrix, transposed: boolean): Matrix {
    const [n, m] = b.shape;
    if (n < smallFactor || m < narrow) return referenceBackend.solveTriangular(l, b, transposed);
    const [pl, pb] = arena.layout(`a triangular solve, ${n} × ${n} with ${m} right-hand sides`, [n * n, n * m]);
    copyLower(n, l.data, arena.view(pl, n * n));
    put(pb, b.data);
    if (transposed) kernels.solveLowerTransposed(n, m, pl, n * 8, pb, m * 8);
    else kernels.solveLower(n, m, pl, n * 8, pb, m * 8);
    return { data: take(pb, n * m), shape: [n, m] };
  }

  // Scaled on the way in, so that squares neither overflow nor vanish.
  function putScaled(at: number, data: Float64Array, scale: number): void {
    const view = arena.view(at, data.length);
    if (scale === 1) view.set(data);
    else for (let i = 0; i < data.length; i++) view[i] = data[i]! * scale;
  }

  function takeScaled(at: number, length: number, scale: number): Float64Array {
    const data = take(at, length);
    if (scale !== 1) for (let i = 0; i < length; i++) data[i]! /= scale;
    return data;
  }

  function tridiagonalise(a: Matrix): Tridiagonalisation {
    const n = a.shape[0];
    if (n < smallFactor) return referenceBackend.tridiagonalise(a);
    const scale = safeScale(a.data);
    const [pa, pd, pe, ptau, work] = arena.layout(`a ${n} × ${n} tridiagonalisation`, [n * n, n, n, n, kernels.tridiagonaliseWork(n)]);
    putScaled(pa, a.data, scale);
    kernels.tridiagonalise(n, pa, pd, pe, ptau, work);
    return {
      diagonal: takeScaled(pd, n, scale),
      offDiagonal: takeScaled(pe, n - 1, scale),
      reflectors: square(pa, n),
      scales: take(ptau, n),
    };
  }

  function applyReflectors(t: Tridiagonalisation, b: Matrix, transposed: boolean): Matrix {
    const [n, m] = b.shape;
    if (n < smallFactor || (m < narrow && n < manyReflectors)) return referenceBackend.applyReflectors(t, b, transposed);
    const [pu, ptau, pb, work] = arena.layout(`reflectors applied to ${n} × ${m}`, [n * n, n, n * m, kernels.applyReflectorsWork(m)]);
    put(pu, t.reflectors.data);
    put(ptau, t.scales);
    put(pb, b.data);
    kernels.applyReflectors(n, m, pu, ptau, pb, transposed ? 1 : 0, work);
    return { data: take(pb, n * m), shape: [n, m] };
  }

  function requireConverged(converged: number, n: number): void {
    if (converged === 0) throw new FinitewidthError(`an eigenvalue of a ${n} × ${n} matrix did not converge`, { code: "not-converged" });
  }

  function tridiagonalEigen(t: SymmetricTridiagonal): SymmetricEigen {
    const n = t.diagonal.length;
    if (n < smallFactor) return referenceBackend.tridiagonalEigen(t);
    const scale = Math.min(safeScale(t.diagonal), safeScale(t.offDiagonal));
    const [pd, pe, values, vectors, spare, work] = arena.layout(`eigenvectors of a ${n} × ${n} matrix`, [
      n,
      n,
      n,
      n * n,
      n * n,
      kernels.tridiagonalEigenWork(n),
    ]);
    putScaled(pd, t.diagonal, scale);
    putScaled(pe, t.offDiagonal, scale);
    requireConverged(kernels.tridiagonalEigen(n, pd, pe, values, vectors, spare, work), n);
    return { values: takeScaled(values, n, scale), vectors: square(vectors, n) };
  }

  function symmetricEigen(a: Matrix): SymmetricEigen {
    const n = a.shape[0];
    if (n < smallFactor) return referenceBackend.symmetricEigen(a);
    const scale = safeScale(a.data);
    const workLength = Math.max(kernels.tridiagonaliseWork(n), kernels.tridiagonalEigenWork(n), kernels.applyReflectorsWork(n));
    const [pa, pd, pe, ptau, values, vectors, spare, work] = arena.layout(`eigenvectors of a ${n} × ${n} matrix`, [
      n * n,
      n,
      n,
      n,
      n,
      n * n,
      n * n,
      workLength,
    ]);
    putScaled(pa, a.data, scale);
    kernels.tridiagonalise(n, pa, pd, pe, ptau, work);
    requireConverged(kernels.tridiagonalEigen(n, pd, pe, values, vectors, spare, work), n);
    kernels.applyReflectors(n, n, pa, ptau, vectors, 0, work);
    return { values: takeScaled(values, n, scale), vectors: square(vectors, n) };
  }

  function normalBlock(out: Float64Array, [a, b, c]: StreamKey, block: number): void {
    const [at] = arena.layout("a block of normals", [out.length]);
    kernels.normals(out.length, a, b, c, block, at);
    out.set(arena.view(at, out.length));
  }

  // Maps go through the memory in blocks that stay in the cache, so that every number travels once each way.
  function map(kind: ElementwiseMap, x: Float64Array, out: Float64Array): void {
    const n = x.length;
    if (n < smallFactor) return referenceBackend.map(kind, x, out);
    const [at] = arena.layout("function values", [mapBlock]);
    const block = arena.view(at, mapBlock);
    for (let from = 0; from < n; from += mapBlock) {
      const part = x.subarray(from, from + mapBlock);
      block.set(part);
      kernels.map(elementwiseCodes[kind], part.length, at);
      out.set(part.length === mapBlock ? block : block.subarray(0, part.length), from);
    }
  }

  function crossKernel(
    kind: KernelMap,
    covariance: Matrix,
    rowVariances: Float64Array,
    columnVariances: Float64Array,
    out: Float64Array,
  ): boolean {
    const [m, n] = covariance.shape;
    const step = Math.max(1, Math.floor(kernelBlock / Math.max(n, 1)));
    const [at, rowFactors, rowRoots, factors, roots] = arena.layout(`${step} rows of a kernel with ${n} columns`, [
      step * n,
      m,
      m,
      n + 1,
      n + 1,
    ]);
    putFactors(kind, rowVariances, rowFactors, rowRoots);
    putFactors(kind, columnVariances, factors, roots);
    for (let i = 0; i < m; i += step) {
      const part = covariance.data.subarray(i * n, (i + step) * n);
      put(at, part);
      if (
        kernels.kernelMap(kernelCodes[kind], Math.min(step, m - i), n, at, n * 8, rowFactors + i * 8, rowRoots + i * 8, factors, roots) ===
        0
      )
        return false;
      out.set(arena.view(at, part.length), i * n);
    }
    return true;
  }

  function putFactors(kind: KernelMap, variances: Float64Array, factors: number, roots: number): void {
    put(factors, factorsOf(kind, variances));
    put(roots, variances.map(Math.sqrt));
  }

  // Bands of the upper triangle: in and mapped by strips that stay in the second-level cache, then out, and out again transposed.
  function symmetricKernel(kind: KernelMap, covariance: Matrix, out: Float64Array): boolean {
    const n = covariance.shape[0];
    const variances = Float64Array.from({ length: n }, (_, i) => covariance.data[i * n + i]!);
    const [at, turnedAt, factors, roots] = arena.layout(`${bandRows} rows of a kernel with ${n} columns`, [
      bandRows * n,
      bandRows * n,
      n + 1,
      n + 1,
    ]);
    putFactors(kind, variances, factors, roots);
    const scales = arena.view(factors, n);
    const band = arena.view(at, bandRows * n);
    const turned = rowViews(turnedAt, n, Math.min(bandRows, n));
    for (let i0 = 0; i0 < n; i0 += bandRows) {
      // Rows i0 … i0 + count, columns i0 … n
      const count = Math.min(bandRows, n - i0);
      const width = n - i0;
      for (let s = 0; s < count; s += stripRows) {
        const rows = Math.min(stripRows, count - s);
        for (let i = s; i < s + rows; i++) band.set(covariance.data.subarray((i0 + i) * n + i0 + s, (i0 + i + 1) * n), i * width + s);
        const [line, offset] = [at + (s * width + s) * 8, (i0 + s) * 8];
        if (
          kernels.kernelMap(
            kernelCodes[kind],
            rows,
            width - s,
            line,
            width * 8,
            factors + offset,
            roots + offset,
            factors + offset,
            roots + offset,
          ) === 0
        )
          return false;
      }
      for (let i = 0; i < count; i++)
        band[i * width + i] = diagonalValue(kind, variances[i0 + i]!, variances[i0 + i]! * scales[i0 + i]! ** 2);
      kernels.transpose(count, width, at, turnedAt);
      const mirrored = count === bandRows ? turned : rowViews(turnedAt, width, count);
      for (let i = 0; i < count; i++) out.set(band.subarray(i * width + i, (i + 1) * width), (i0 + i) * n + i0 + i);
      for (let j = 1; j < width; j++) out.set(j < count ? mirrored[j]!.subarray(0, j) : mirrored[j]!, (i0 + j) * n + i0);
    }
    return true;
  }

  function rowViews(at: number, rows: number, columns: number): Float64Array[] {
    return Array.from({ length: rows }, (_, i) => arena.view(at + i * columns * 8, columns));
  }

  const { tridiagonalEigenvalues } = referenceBackend;
  const { cholesky, choleskyInverse, inverseDiagonal } = choleskyKernels(kernels, arena);
  return {
    name,
    multiply,
    gram,
    cholesky,
    choleskyInverse,
    inverseDiagonal,
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
