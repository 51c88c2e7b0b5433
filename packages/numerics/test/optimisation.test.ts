import { describe, expect, it } from "vitest";
import { differenceHessian, minimiseLbfgs, minimiseNewton, type Objective } from "../src/index.js";

const rosenbrock: Objective = (x) => {
  let value = 0;
  const gradient = new Float64Array(x.length);
  for (let i = 0; i + 1 < x.length; i++) {
    const a = x[i + 1]! - x[i]! ** 2;
    const b = 1 - x[i]!;
    value += 100 * a * a + b * b;
    gradient[i]! += -400 * x[i]! * a - 2 * b;
    gradient[i + 1]! += 200 * a;
  }
  return { value, gradient };
};
/** Σ (e^x − x − c log e^x) with a domain: +∞ beyond x = 3. */
const walled: Objective = (x) => ({
  value: x.some((v) => v > 3) ? Infinity : x.reduce((sum, v) => sum + Math.exp(v) - 2 * v, 0),
  gradient: x.map((v) => Math.exp(v) - 2),
});

describe.each([
  ["minimiseLbfgs", minimiseLbfgs],
  ["minimiseNewton", minimiseNewton],
] as const)("%s", (_, minimise) => {
  it("solves Rosenbrock's problem in 2 and 10 dimensions", () => {
    for (const n of [2, 10]) {
      const found = minimise(rosenbrock, new Float64Array(n).fill(-0.5));
      expect(found.converged).toBe(true);
      for (const value of found.point) expect(Math.abs(value - 1)).toBeLessThan(1e-8);
    }
  });
  it("respects a domain", () => {
    const found = minimise(walled, Float64Array.of(2.9, -8));
    expect(found.converged).toBe(true);
    for (const value of found.point) expect(Math.abs(value - Math.LN2)).toBeLessThan(1e-9);
  });
  it("leaves a maximum and reports what it could not do", () => {
    const well: Objective = (x) => ({ value: (x[0]! ** 2 - 1) ** 2, gradient: Float64Array.of(4 * x[0]! * (x[0]! ** 2 - 1)) });
    expect(Math.abs(Math.abs(minimise(well, Float64Array.of(0.05)).point[0]!) - 1)).toBeLessThan(1e-8);
    const unbounded: Objective = (x) => ({ value: -x[0]!, gradient: Float64Array.of(-1) });
    expect(minimise(unbounded, Float64Array.of(0), { maxIterations: 5 }).converged).toBe(false);
    expect(() => minimise(walled, Float64Array.of(4))).toThrow(/finite/);
  });
  it("does nothing at a minimum", () => {
    const found = minimise(rosenbrock, Float64Array.of(1, 1));
    expect(found.iterations).toBe(0);
    expect(found.converged).toBe(true);
  });
});

describe("differenceHessian", () => {
  it("matches the analytic one", () => {
    const h = differenceHessian(rosenbrock, Float64Array.of(0.3, -0.2));
    const exact = [1200 * 0.09 + 400 * 0.2 + 2, -400 * 0.3, -400 * 0.3, 200];
    for (let i = 0; i < 4; i++) expect(Math.abs(h.data[i]! - exact[i]!)).toBeLessThan(1e-5);
  });
});
