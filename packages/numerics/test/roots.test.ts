import { describe, expect, it } from "vitest";
import { brentRoot, newtonRoot } from "../src/index.js";

describe("brentRoot", () => {
  it.each([
    ["cos x − x", (x: number) => Math.cos(x) - x, 0, 1, 0.7390851332151607],
    ["x³ − 2 with a wide bracket", (x: number) => x ** 3 - 2, -100, 1000, Math.cbrt(2)],
    ["a flat triple root", (x: number) => (x - 0.3) ** 3, -1, 2, 0.3],
    ["a step", (x: number) => (x < 0.25 ? -1 : 1), 0, 1, 0.25],
    ["a root at the end point", (x: number) => x, 0, 1, 0],
    ["decreasing, tiny values", (x: number) => 1e-200 * (1 - x), 0, 3, 1],
  ])("finds the root of %s", (_, f, lower, upper, root) => {
    const found = brentRoot(f, lower, upper);
    expect(found.converged).toBe(true);
    expect(Math.abs(found.root - root)).toBeLessThan(1e-5);
    expect(found.iterations).toBeLessThan(160);
  });
  it("is superlinear on smooth functions", () => {
    const found = brentRoot((x) => Math.exp(x) - 5, 0, 10);
    expect(Math.abs(found.root - Math.log(5))).toBeLessThan(1e-14);
    expect(found.iterations).toBeLessThan(20);
  });
  it("rejects a bracket without sign change and reports running out of steps", () => {
    expect(() => brentRoot((x) => x * x + 1, -1, 1)).toThrow(/sign change/);
    expect(() => brentRoot(() => Number.NaN, -1, 1)).toThrow(/sign change/);
    expect(brentRoot((x) => Math.cbrt(x - 0.123), -1, 1, { maxIterations: 2 }).converged).toBe(false);
  });
});

describe("newtonRoot", () => {
  it("converges quadratically and stays inside the bracket", () => {
    const found = newtonRoot((x) => ({ value: Math.atan(x - 0.7), slope: 1 / (1 + (x - 0.7) ** 2) }), -50, 1000);
    expect(found.converged).toBe(true);
    expect(Math.abs(found.root - 0.7)).toBeLessThan(1e-14);
    expect(found.iterations).toBeLessThan(30);
  });
  it("finds an upward crossing when a downward one is nearer", () => {
    // derivative of a double well: roots −1 and 1 are minima, 0 is a maximum
    const found = newtonRoot((x) => ({ value: x ** 3 - x, slope: 3 * x * x - 1 }), -1.5, 2, { start: 0.01 });
    expect(Math.abs(Math.abs(found.root) - 1)).toBeLessThan(1e-14);
  });
  it("reports failure honestly", () => {
    expect(newtonRoot((x) => ({ value: Math.cbrt(x - 0.1), slope: Number.NaN }), -1, 1, { maxIterations: 3 }).converged).toBe(false);
    expect(() => newtonRoot(() => ({ value: Number.NaN, slope: 1 }), 0, 1)).toThrow(/expected a number/);
    expect(() => newtonRoot((x) => ({ value: x, slope: 1 }), 1, 0)).toThrow(/lower ≤ upper/);
  });
});

describe("both", () => {
  /** Roots at 0.37 and at 370, found to relative digits. */
  const shifted = (at: number) => (x: number) => Math.expm1((x - at) / at);
  it.each([0.37, 370])("know the root to the tolerance that was asked for, of max(1, |x|), and its residual (%d)", (at) => {
    const f = shifted(at);
    for (const tolerance of [1e-3, 1e-8]) {
      const found = [
        brentRoot(f, 0.1 * at, 20 * at, { tolerance }),
        newtonRoot((x) => ({ value: f(x), slope: Math.exp((x - at) / at) / at }), 0.1 * at, 20 * at, { tolerance }),
      ];
      for (const { root, converged } of found) {
        expect(converged).toBe(true);
        expect(Math.abs(root - at)).toBeLessThanOrEqual(2 * tolerance * Math.max(1, at));
      }
      expect(found[0]!.residual).toBe(Math.abs(f(found[0]!.root)));
    }
    const [loose, tight] = [1e-2, 1e-14].map((tolerance) => brentRoot(f, 0.1 * at, 20 * at, { tolerance }).iterations);
    expect(loose).toBeLessThan(tight!);
  });
  it("count what they ask for", () => {
    let count = 0;
    const f = (x: number): number => (count++, x ** 3 - 2);
    expect(brentRoot(f, 0, 3).iterations).toBe(count - 2);
    count = 0;
    const { iterations, residual } = newtonRoot((x) => ({ value: f(x), slope: 3 * x * x }), 0, 3, { start: 2.9 });
    expect(iterations).toBe(count);
    expect(residual).toBeLessThan(1e-13);
    const cut = newtonRoot((x) => ({ value: f(x), slope: 3 * x * x }), 0, 3, { maxIterations: 2 });
    expect(cut).toMatchObject({ iterations: 2, converged: false });
    expect(brentRoot(f, 0, 3, { maxIterations: 4 })).toMatchObject({ iterations: 4, converged: false });
  });
});
