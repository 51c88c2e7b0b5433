import { describe, expect, it } from "vitest";
import { gmres } from "../src/krylov/index.js";

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
