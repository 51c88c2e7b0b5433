import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { gaussHermite, gaussLegendre, hermitePolynomials, tanhSinh, trapezoid, type QuadratureRule } from "../src/index.js";

function integrate(rule: QuadratureRule, f: (x: number) => number): number {
  return rule.nodes.reduce((sum, x, i) => sum + rule.weights[i]! * f(x), 0);
}

describe("Gauss rules", () => {
  it("integrate every polynomial of degree 2n − 1 exactly, and not of degree 2n", () => {
    for (const n of [1, 2, 3, 7, 12]) {
      const legendre = gaussLegendre(n, -0.5, 2);
      const hermite = gaussHermite(n);
      let moment = 1;
      for (let d = 0; d <= 2 * n; d++) {
        const exact = (2 ** (d + 1) - (-0.5) ** (d + 1)) / (d + 1);
        if (d % 2 === 0 && d > 0) moment *= d - 1;
        const gaussian = d % 2 === 0 ? moment : 0;
        const [l, h] = [integrate(legendre, (x) => x ** d), integrate(hermite, (x) => x ** d)];
        if (d < 2 * n) {
          expectClose(l, exact, { relative: 1e-12, absolute: 1e-12 }, `Legendre ${n}, degree ${d}`);
          expectClose(h, gaussian, { relative: 1e-11, absolute: 1e-11 * moment }, `Hermite ${n}, degree ${d}`);
        } else {
          // the error at degree 2n is n!, the square norm of He_n
          expect(gaussian - h).toBeGreaterThan(0.5);
          expect(exact - l).toBeGreaterThan(0);
        }
      }
    }
  });
  it("stay accurate at large n, nodes ascending and symmetric", () => {
    for (const rule of [gaussHermite(200), gaussLegendre(200)]) {
      const n = rule.nodes.length;
      for (let i = 1; i < n; i++) expect(rule.nodes[i]).toBeGreaterThan(rule.nodes[i - 1]!);
      for (let i = 0; i < n; i++) expect(rule.nodes[i]).toBe(-rule.nodes[n - 1 - i]!);
    }
    expectClose(integrate(gaussHermite(200), Math.cos), Math.exp(-0.5), { absolute: 3e-15 });
    expectClose(integrate(gaussLegendre(200, 0, 1), Math.exp), Math.E - 1, { absolute: 2e-14 });
  });
  it("name bad numbers of nodes", () => {
    for (const n of [0, 1.5, -1, 201]) expect(() => gaussHermite(n)).toThrow(/n: expected a whole number/);
    expect(() => gaussLegendre(0)).toThrow(/n: expected a whole number/);
  });
  it("Hermite polynomials are orthonormal", () => {
    const rule = gaussHermite(40);
    const rows = Array.from(rule.nodes, (x) => hermitePolynomials(20, x, new Float64Array(21)));
    for (const [m, n] of [
      [0, 0],
      [3, 5],
      [7, 7],
      [20, 20],
      [12, 20],
    ] as const) {
      expectClose(
        rows.reduce((sum, row, i) => sum + rule.weights[i]! * row[m]! * row[n]!, 0),
        m === n ? 1 : 0,
        { absolute: 1e-12 },
      );
    }
  });
});

describe("tanhSinh", () => {
  it("integrates endpoint singularities with the separate complement", () => {
    const { nodes, complements, weights } = tanhSinh(81, 4);
    const total = (f: (t: number, tau: number) => number): number =>
      nodes.reduce((sum, t, i) => sum + weights[i]! * f(t, complements[i]!), 0);
    expectClose(
      total((_, tau) => 1 / Math.sqrt(tau)),
      2,
      { absolute: 1e-13 },
    );
    expectClose(
      total((t) => Math.log(t)),
      -1,
      { absolute: 1e-13 },
    );
    expectClose(
      total((t, tau) => t + tau),
      1,
      { absolute: 1e-14 },
    );
  });
});

describe("trapezoid", () => {
  it("converges on bells and periodic functions, with an honest error", () => {
    const bell = trapezoid((x) => Math.exp(-0.5 * x * x), -9, 9);
    expectClose(bell.value, Math.sqrt(2 * Math.PI), { relative: 1e-14 });
    expect(bell.converged).toBe(true);
    const periodic = trapezoid((x) => Math.exp(Math.cos(x)), 0, 2 * Math.PI, { intervals: 8 });
    expectClose(periodic.value, 7.954926521012845, { relative: 1e-14 });
    expect(Math.abs(periodic.value - 7.954926521012845)).toBeLessThanOrEqual(periodic.error + 1e-14);
  });
  it("does the same whatever the scale of the function and of its argument, of either direction and sign", () => {
    const f = (x: number): number => Math.exp(-0.5 * x * x) * (1 + 0.3 * x);
    const one = trapezoid(f, -9, 9, { tolerance: 1e-9 });
    for (const [scale, unit] of [
      [2 ** -60, 1],
      [-1, 1],
      [1, 2 ** 20],
      [2 ** 40, 2 ** -30],
    ] as const) {
      const other = trapezoid((x) => scale * f(x / unit), -9 * unit, 9 * unit, { tolerance: 1e-9 });
      expect([other.value, other.error]).toEqual([scale * unit * one.value, Math.abs(scale) * unit * one.error]);
      expect([other.evaluations, other.converged]).toEqual([one.evaluations, true]);
    }
    expect(trapezoid(f, 9, -9, { tolerance: 1e-9 }).value).toBeCloseTo(-one.value, 12);
    // a looser tolerance and more intervals to begin with end earlier
    expect(trapezoid(f, -9, 9, { tolerance: 1e-2 }).evaluations).toBeLessThanOrEqual(one.evaluations);
    expect(trapezoid(f, -9, 9, { intervals: 300 }).evaluations).toBe(601);
  });
  it("says when it did not converge, and never evaluates twice", () => {
    const seen = new Set<number>();
    const result = trapezoid(
      (x) => {
        expect(seen.has(x)).toBe(false);
        seen.add(x);
        return Math.sqrt(x);
      },
      0,
      1,
      { maximumHalvings: 4 },
    );
    expect(result.converged).toBe(false);
    expect(result.evaluations).toBe(seen.size);
    expect(Math.abs(result.value - 2 / 3)).toBeLessThan(result.error);
  });
});
