import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
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
  it("ends honestly where gradients and values do not belong together, and where there is no gradient at the minimum", () => {
    const wrong: Objective = (x) => ({ value: x[0]! ** 2, gradient: Float64Array.of(-2 * x[0]!) });
    const stuck = minimise(wrong, Float64Array.of(1));
    expect([stuck.converged, stuck.point[0]]).toEqual([false, 1]);
    expect(stuck.residual).toBe(2);
    const sharp: Objective = (x) => ({
      value: Math.abs(x[0]! - 0.3) + 2 * Math.abs(x[1]! + 0.1),
      gradient: Float64Array.of(x[0]! < 0.3 ? -1 : 1, x[1]! < -0.1 ? -2 : 2),
    });
    const found = minimise(sharp, Float64Array.of(1.1, 0.7), { maxIterations: 60 });
    expect(found.converged).toBe(false);
    expect(found.value).toBeLessThan(sharp(Float64Array.of(1.1, 0.7)).value);
    expect(found.value).toBe(sharp(found.point).value);
    // steps out of the domain are shortened
    const barrier: Objective = (x) => ({ value: x[0]! > 0 ? x[0]! - Math.log(x[0]!) : Infinity, gradient: Float64Array.of(1 - 1 / x[0]!) });
    for (const start of [0.01, 1.9, 30]) expect(minimise(barrier, Float64Array.of(start)).point[0]).toBeCloseTo(1, 8);
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

describe("how a minimisation went", () => {
  /** ½xᵀHx − bᵀx of three unlike directions. */
  const H = [
    [4, 1, 0.5],
    [1, 3, -0.7],
    [0.5, -0.7, 0.2],
  ];
  H[2]![2] = 2;
  const b = [1, -2, 0.5];
  const bowl: Objective = (x) => {
    const hx = H.map((row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0));
    return {
      value: hx.reduce((sum, value, i) => sum + x[i]! * (0.5 * value - b[i]!), 0),
      gradient: Float64Array.from(hx, (value, i) => value - b[i]!),
    };
  };
  /** A minimisation with every point at which the objective was asked for. */
  const watched = (run: (f: Objective) => ReturnType<typeof minimiseLbfgs>, f = bowl) => {
    const points: Float64Array[] = [];
    const found = run((x) => (points.push(x.slice()), f(x)));
    return { points, found };
  };
  const start = Float64Array.of(30, -20, 50);

  it("counts its evaluations, and reports value, gradient and residual where it ended", () => {
    for (const minimise of [minimiseLbfgs, minimiseNewton]) {
      const seen: [number, number][] = [];
      const { points, found } = watched((f) => minimise(f, start, { onIteration: (...at) => seen.push(at), maxStep: 7 }));
      expect(found.evaluations).toBe(points.length);
      const at = bowl(found.point);
      expectClose([found.value, ...found.gradient], [at.value, ...at.gradient], { absolute: 1e-14 });
      expect(found.residual).toBe(Math.max(...found.gradient.map(Math.abs)));
      expect(found.converged).toBe(found.residual <= 1e-9);
      expect(seen.map(([iteration]) => iteration)).toEqual(Array.from({ length: found.iterations }, (_, k) => k + 1));
      expect(seen.at(-1)![1]).toBeLessThanOrEqual(1e-9);
      // Hx = b
      expectClose(bowl(found.point).gradient, [0, 0, 0], { absolute: 1e-9 });
    }
  });

  it("takes no step longer than it may in any coordinate, and as many pairs as it may", () => {
    const longest = (points: readonly Float64Array[]): number =>
      Math.max(...points.slice(1).map((x, k) => Math.max(...x.map((value, i) => Math.abs(value - points[k]![i]!)))));
    const newton = watched((f) => minimiseNewton(f, start, { hessian: () => matrixFromRows(H), maxStep: 7 }));
    expect(longest(newton.points)).toBeCloseTo(7, 12);
    // 50 in one direction: seven steps of 7 at least and one to the end
    expect(newton.found.iterations).toBeGreaterThanOrEqual(7);
    const whole = watched((f) => minimiseNewton(f, start, { hessian: () => matrixFromRows(H), maxStep: 1e3 }));
    expect(whole.found.iterations).toBe(1);
    expect(watched((f) => minimiseNewton(f, start)).points.length).toBeGreaterThan(6 * 7);
    const first = watched((f) => minimiseLbfgs(f, start, { maxIterations: 1, maxStep: 0.25 }));
    expect(Math.max(...first.points[1]!.map((value, i) => Math.abs(value - start[i]!)))).toBeCloseTo(0.25, 12);
    expect(first.found).toMatchObject({ iterations: 1, converged: false });
    // with one pair it is no better than steepest descent with a good length
    const steps = (memory: number): number => minimiseLbfgs(rosenbrock, new Float64Array(4).fill(-0.5), { memory }).iterations;
    expect(steps(20)).toBeLessThan(steps(1));
    expect(minimiseLbfgs(bowl, start, { gradientTolerance: 1 }).iterations).toBeLessThan(minimiseLbfgs(bowl, start).iterations);
  });
});
