import type { Matrix } from "@finitewidth/core";
import { referenceBackend as reference, transpose, type Backend, type KernelMap } from "@finitewidth/linalg";
import { expect } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { eigenResidual, orthogonalityError, randomMatrix, randomPositive, randomSymmetric } from "../../linalg/test/matrices.js";
import type { Addon } from "../src/addon.js";

// What is passed to compiled code, on machines without it: stand-ins in plain loops that take the same arguments.
export const exact = { relative: 1e-12, absolute: 1e-12 };
export const at = (x: Float64Array, rows: number, columns: number): Matrix => ({ data: x, shape: [rows, columns] });

/** c := β c + α op(a) op(b), m × n with inner size k, row-major. */
export function product(
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: Float64Array,
  b: Float64Array,
  beta: number,
  c: Float64Array,
  left: boolean,
  right: boolean,
): void {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let e = 0; e < k; e++) sum += a[left ? e * m + i : i * k + e]! * b[right ? j * k + e : e * n + j]!;
      c[i * n + j] = (beta === 0 ? 0 : beta * c[i * n + j]!) + alpha * sum;
    }
}

/** L⁻¹ B or L⁻ᵀ B in place. */
export function solve(n: number, m: number, l: Float64Array, b: Float64Array, transposed: boolean): void {
  b.set(reference.solveTriangular(at(l, n, n), at(b.slice(), n, m), transposed).data);
}

export const addon: Addon = {
  interface: () => 2,
  instructions: () => "loops",
  multiply: (m, n, k, alpha, a, b, beta, c, transposed) => product(m, n, k, alpha, a, b, beta, c, transposed === 1, transposed === 2),
  gram: (m, k, x, c, transposed, whole) => {
    const full = new Float64Array(m * m);
    product(m, m, k, 1, x, x, 0, full, transposed, !transposed);
    full.forEach((value, e) => (c[e] = whole || e % m <= Math.floor(e / m) ? value : Number.NaN));
  },
  cholesky: (n, a, out) => {
    const found = reference.cholesky(at(a.slice(), n, n));
    if ("factor" in found) out.set(found.factor.data);
    else out[found.pivot * (n + 1)] = found.value;
    return "factor" in found ? -1 : found.pivot;
  },
  choleskyInverse: (n, l, out) => {
    const inverse = new Float64Array(n * n);
    for (let i = 0; i < n; i++) inverse[i * (n + 1)] = 1;
    solve(n, n, l, inverse, false);
    solve(n, n, l, inverse, true);
    out.set(inverse);
  },
  solveTriangular: solve,
  tridiagonalise: (n, a, reflectors, d, e, tau) => {
    const form = reference.tridiagonalise(at(a, n, n));
    reflectors.set(form.reflectors.data);
    d.set(form.diagonal);
    e.set(form.offDiagonal);
    tau.set(form.scales);
  },
  applyReflectors: (n, m, reflectors, tau, b, transposed) => {
    const form = { reflectors: at(reflectors, n, n), scales: tau, diagonal: new Float64Array(n), offDiagonal: new Float64Array(n - 1) };
    b.set(reference.applyReflectors(form, at(b.slice(), n, m), transposed).data);
  },
  map: (kind, x) => reference.map((["exp", "erf", "arcsin"] as const)[kind]!, x, x),
  symmetricKernel: (kind, n, covariance, out) => reference.symmetricKernel(kernelKinds[kind]!, at(covariance, n, n), out),
  crossKernel: (kind, covariance, out, rows, columns) =>
    reference.crossKernel(kernelKinds[kind]!, at(covariance, rows.length, columns.length), rows, columns, out),
};
export const kernelKinds: readonly KernelMap[] = ["erf", "relu", "step", "sign"];

export const [tall, wide, symmetric, positive] = [
  randomMatrix(5, 3, 1),
  randomMatrix(3, 7, 2),
  randomSymmetric(6, 3),
  randomPositive(6, 9, 0.5, 4),
];

/** Every kernel of a backend against the reference, on sides of different length. */
export function agrees(kernels: Backend): void {
  expectClose(kernels.multiply(tall, wide, "none"), reference.multiply(tall, wide, "none"), exact);
  expectClose(kernels.multiply(transpose(tall), wide, "left"), reference.multiply(tall, wide, "none"), exact);
  expectClose(kernels.multiply(tall, transpose(wide), "right"), reference.multiply(tall, wide, "none"), exact);
  for (const x of [tall, wide]) expectClose(kernels.gram(x), reference.multiply(x, transpose(x), "none"), exact);
  const lowerOnly = (a: Matrix): Matrix => ({
    ...a,
    data: a.data.map((value, e) => (e % a.shape[0] > Math.floor(e / a.shape[0]) ? 99 : value)),
  });
  const factored = kernels.cholesky(lowerOnly(positive));
  const known = reference.cholesky(positive);
  if (!("factor" in factored && "factor" in known)) throw new Error("not positive definite");
  expectClose(factored.factor, known.factor, exact);
  expect(kernels.cholesky(at(Float64Array.of(4, 0, 2, 1 - 1e-9), 2, 2))).toMatchObject({ pivot: 1, value: expect.closeTo(-1e-9, 12) });
  const b = randomMatrix(6, 4, 5);
  for (const transposed of [false, true])
    expectClose(kernels.solveTriangular(known.factor, b, transposed), reference.solveTriangular(known.factor, b, transposed), exact);
  const [form, wanted] = [kernels.tridiagonalise(lowerOnly(symmetric)), reference.tridiagonalise(symmetric)];
  for (const part of ["diagonal", "offDiagonal", "scales"] as const) expectClose(form[part], wanted[part], exact);
  expectClose(form.reflectors, wanted.reflectors, exact);
  for (const transposed of [false, true])
    expectClose(kernels.applyReflectors(form, b, transposed), reference.applyReflectors(wanted, b, transposed), exact);
  expectClose(kernels.tridiagonalEigenvalues(form), reference.tridiagonalEigenvalues(wanted), exact);
  for (const { values, vectors } of [kernels.symmetricEigen(lowerOnly(symmetric))]) {
    expectClose(values, reference.symmetricEigen(symmetric).values, exact);
    expect(eigenResidual(symmetric, values, vectors)).toBeLessThan(1e-13);
    expect(orthogonalityError(vectors)).toBeLessThan(1e-13);
  }
  const inner = kernels.tridiagonalEigen(form);
  const t: Matrix = at(new Float64Array(36), 6, 6);
  form.diagonal.forEach((value, i) => (t.data[7 * i] = value));
  form.offDiagonal.forEach((value, i) => (t.data[7 * i + 1] = t.data[7 * i + 6] = value));
  expect(eigenResidual(t, inner.values, inner.vectors)).toBeLessThan(1e-13);
}
