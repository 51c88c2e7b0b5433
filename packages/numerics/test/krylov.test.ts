import { describe, expect, it } from "vitest";
import type { Matrix } from "@finitewidth/core";
import { gram, multiply, symmetricEigen, symmetricEigenvalues } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { conjugateGradients, gmres } from "../src/krylov/index.js";

/** Product with a diagonal matrix plus a cyclic shift. */
const shifted =
  (diagonal: readonly number[], off: number) =>
  (x: Float64Array): Float64Array =>
    x.map((value, i) => diagonal[i]! * value + off * x[(i + 1) % x.length]!);

describe("gmres", () => {
  it("solves a nonsymmetric system to the tolerance, with the residual it reports", () => {
    const diagonal = Array.from({ length: 40 }, (_, i) => 1 + i / 10);
    const apply = shifted(diagonal, 0.7);
    const b = Float64Array.from({ length: 40 }, (_, i) => Math.sin(i + 1));
    const { solution, residual, converged } = gmres(apply, b, { tolerance: 1e-10, maximumVectors: 40 });
    const rest = apply(solution).map((value, i) => b[i]! - value);
    expect(converged).toBe(true);
    expect(Math.hypot(...rest) / Math.hypot(...b)).toBeCloseTo(residual, 12);
  });

  it("needs as many vectors as there are distinct eigenvalues", () => {
    const result = gmres(
      (x) => x.map((value, i) => (i % 3 === 0 ? 1 : i % 3 === 1 ? 2 : 5) * value),
      Float64Array.from({ length: 30 }, (_, i) => i + 1),
      { tolerance: 1e-12, maximumVectors: 25 },
    );
    expect(result.iterations).toBe(3);
    expect(result.converged).toBe(true);
  });

  it("says when it did not get there, and takes a zero right-hand side", () => {
    const cut = gmres(
      shifted(
        Array.from({ length: 50 }, (_, i) => 1 + i),
        1,
      ),
      new Float64Array(50).fill(1),
      { tolerance: 1e-12, maximumVectors: 4 },
    );
    expect(cut.converged).toBe(false);
    expect(cut.residual).toBeGreaterThan(1e-12);
    expect(gmres((x) => x, new Float64Array(3), { tolerance: 1e-8, maximumVectors: 3 }).solution).toEqual(new Float64Array(3));
  });

  it("stops at a singular matrix without NaN", () => {
    const { solution, converged } = gmres((x) => x.map((value, i) => (i === 0 ? value : 0)), Float64Array.of(1, 1), {
      tolerance: 1e-8,
      maximumVectors: 5,
    });
    expect(converged).toBe(false);
    expect(solution.every(Number.isFinite)).toBe(true);
  });
});

describe("gmres of few vectors", () => {
  it("has the least residual of its Krylov space, and stops at the first within the tolerance", () => {
    const n = 7;
    const diagonal = Array.from({ length: n }, (_, i) => 1 + i);
    const apply = shifted(diagonal, -1.3);
    const b = Float64Array.from({ length: n }, (_, i) => Math.cos(2 * i) - 0.4);
    const norm = Math.hypot(...b);
    const residuals = [1, 2, 3, 4, 5, 6, 7].map((maximumVectors) => {
      const found = gmres(apply, b, { tolerance: 0, maximumVectors });
      expect(found.iterations).toBe(maximumVectors);
      const rest = apply(found.solution).map((value, i) => b[i]! - value);
      expect(Math.hypot(...rest) / norm).toBeCloseTo(found.residual, 12);
      // orthogonal to A times the Krylov space
      let v: Float64Array = b;
      for (let k = 0; k < maximumVectors; k++) {
        v = apply(v);
        const overlap = rest.reduce((sum, r, i) => sum + r * v[i]!, 0);
        expect(Math.abs(overlap) / (Math.hypot(...v) * norm)).toBeLessThan(1e-11);
      }
      return found.residual;
    });
    expect(residuals[6]).toBeLessThan(1e-12);
    const tolerance = 1.0001 * residuals[2]!;
    expect(gmres(apply, b, { tolerance, maximumVectors: 7 })).toMatchObject({ iterations: 3, converged: true, residual: residuals[2] });
    expect(gmres(apply, b, { tolerance, maximumVectors: 2 })).toMatchObject({ iterations: 2, converged: false });
  });
});

it("gmres of a matrix of zeros has nothing to add", () => {
  const none = gmres((x) => x.map(() => 0), Float64Array.of(1, 2), { tolerance: 1e-8, maximumVectors: 5 });
  expect(none).toEqual({ solution: new Float64Array(2), residual: 1, iterations: 0, converged: false });
});

describe("conjugate gradients", () => {
  const n = 9;
  const draw = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(61, index), rows, columns);
  const a = gram(draw(n, n + 3, 1));
  const apply = (v: Matrix): Matrix => multiply(a, v);
  const same = (v: Matrix): Matrix => ({ data: v.data.slice(), shape: v.shape });
  const settings = { tolerance: 1e-11, maximumIterations: 60 };

  it("solve for columns of different sizes side by side, each until it is done", () => {
    const { vectors } = symmetricEigen(a);
    const b = draw(n, 3, 2);
    // the second column is an eigenvector: one step; the third is tiny
    for (let i = 0; i < n; i++) {
      b.data[3 * i + 1] = 4 * vectors.data[i * n + 2]!;
      b.data[3 * i + 2]! *= 1e-9;
    }
    const found = conjugateGradients(apply, same, b, settings);
    expect(found.converged).toBe(true);
    expectClose(multiply(a, found.solution), b, { absolute: 1e-18, relative: 1e-7 });
    expect(found.tridiagonals[1]!.diagonal).toHaveLength(1);
    expect(found.tridiagonals[1]!.diagonal[0]).toBeCloseTo(symmetricEigenvalues(a)[2]!, 10);
    expect(found.residual).toBeLessThanOrEqual(1e-11);
    expect(found.iterations).toBe(Math.max(found.tridiagonals[0]!.diagonal.length, found.tridiagonals[2]!.diagonal.length));
    // after as many steps as there are eigenvalues Lanczos' matrix has them all
    const { diagonal, offDiagonal } = found.tridiagonals[0]!;
    const dense = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      dense[i * n + i] = diagonal[i]!;
      if (i + 1 < n) dense[i * n + i + 1] = dense[(i + 1) * n + i] = offDiagonal[i]!;
    }
    expectClose(symmetricEigenvalues({ data: dense, shape: [n, n] }), symmetricEigenvalues(a), { relative: 1e-6 });
  });

  it("need one step with the inverse as preconditioner, and tell where they were cut off", () => {
    const { values, vectors } = symmetricEigen(a);
    const scaled: Matrix = { data: vectors.data.map((v, e) => v / Math.sqrt(values[e % n]!)), shape: [n, n] };
    const inverse = gram(scaled);
    const b = draw(n, 2, 3);
    const exact = conjugateGradients(apply, (v) => multiply(inverse, v), b, settings);
    expect([exact.iterations, exact.converged]).toEqual([1, true]);
    expect(exact.tridiagonals[1]!.diagonal[0]).toBeCloseTo(1, 10);
    const cut = conjugateGradients(apply, same, b, { ...settings, maximumIterations: 2 });
    const rest = multiply(a, cut.solution).data.map((value, e) => b.data[e]! - value);
    const share = (j: number): number => {
      const column = (m: Float64Array): number => Math.hypot(...m.filter((_, e) => e % 2 === j));
      return column(rest) / column(b.data);
    };
    expect([cut.iterations, cut.converged]).toEqual([2, false]);
    expect(cut.residual).toBeCloseTo(Math.max(share(0), share(1)), 12);
  });
});
