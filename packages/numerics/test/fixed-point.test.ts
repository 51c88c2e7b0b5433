import { describe, expect, it } from "vitest";
import { fixedPoint, type Damping, type FixedPointOptions } from "../src/index.js";

/** x ← x + factor (f(x) − x), residual |f(x) − x|. */
const iterate = (f: (x: number) => number, start: number, options: Partial<FixedPointOptions> = {}) => {
  const factors: number[] = [];
  const end = fixedPoint(
    start,
    (x) => ({
      residual: Math.abs(f(x) - x),
      move: (factor: number) => {
        factors.push(factor);
        return x + factor * (f(x) - x);
      },
    }),
    { tolerance: 1e-12, maximumIterations: 1000, ...options },
  );
  return { ...end, factors };
};
const half: Damping = { initial: 0.5, least: 0.1, shrink: 0.5 };

describe("fixedPoint", () => {
  it("ends where the residual is within the tolerance, and returns the x that it belongs to", () => {
    const { x, residual, previous, converged, iterations, factors } = iterate((y) => Math.cos(y), 1);
    expect(converged).toBe(true);
    expect(Math.abs(x - Math.cos(x))).toBe(residual);
    expect(residual).toBeLessThanOrEqual(1e-12);
    expect(previous).toBeGreaterThan(1e-12);
    expect(x).toBeCloseTo(0.7390851332151607, 11);
    // the last evaluation is not moved from
    expect(factors).toEqual(Array.from({ length: iterations - 1 }, () => 1));
  });
  it("damping makes −2x contract: (1 − 3·factor)^n, in so many steps", () => {
    expect(iterate((x) => -2 * x, 1).converged).toBe(false);
    const { iterations, converged, factors } = iterate((x) => -2 * x, 1, { damping: half });
    expect(converged).toBe(true);
    expect(iterations).toBe(1 + Math.ceil(Math.log(3e12) / Math.log(2)));
    expect(new Set(factors)).toEqual(new Set([0.5]));
  });
  it("is out of steps after the last one, without converging", () => {
    const { converged, iterations, factors, factor } = iterate((x) => x + 1, 0, { maximumIterations: 7, damping: half });
    expect([converged, iterations, factors.length, factor]).toEqual([false, 7, 6, 0.5]);
  });
  it("shrinks at once where a residual has not fallen enough, down to the least factor", () => {
    // x ← −5x: factor ½ triples |x|, ¼ halves it
    const { factors, converged } = iterate((x) => -5 * x, 1, { damping: { ...half, slow: 0.98 } });
    expect(factors.slice(0, 4)).toEqual([0.5, 0.25, 0.25, 0.25]);
    expect(converged).toBe(true);
    const least = iterate((x) => -100 * x, 1, { damping: { ...half, slow: 0.98 }, maximumIterations: 9 });
    expect(least.factors).toEqual([0.5, 0.25, 0.125, 0.1, 0.1, 0.1, 0.1, 0.1]);
  });
  it("shrinks after a cycle, for the steps that follow, and starts counting anew", () => {
    // −3.5x: half steps make |x| grow by a quarter, quarter steps divide it by 8
    const { factors, converged } = iterate((x) => -3.5 * x, 1, {
      damping: { ...half, cycle: { steps: 4, above: 1e-9 } },
      standstill: { progress: 0.9, steps: 50 },
    });
    expect(factors.slice(0, 8)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
    expect(converged).toBe(true);
  });
  it("stops where the residual stands still, counting below one residual and ending below another", () => {
    // residuals fall to 1e-6 and stay there
    const stuck = (standstill: FixedPointOptions["standstill"] & object) =>
      fixedPoint(0, (n) => ({ residual: Math.max(10 ** -n, 1e-6), move: () => n + 1 }), {
        tolerance: 1e-12,
        maximumIterations: 500,
        standstill,
      });
    expect(stuck({ progress: 0.9, steps: 30 })).toMatchObject({ converged: false, iterations: 37 });
    expect(stuck({ progress: 0.9, steps: 30, counted: 1e-5 })).toMatchObject({ converged: false, iterations: 37 });
    expect(stuck({ progress: 0.9, steps: 30, counted: 1e-7 })).toMatchObject({ converged: false, iterations: 500 });
    expect(stuck({ progress: 0.9, steps: 30, below: 1e-7 })).toMatchObject({ converged: false, iterations: 500 });
  });
  it("stops at once where the residual is no number, keeping the one before", () => {
    const { x, residual, previous, iterations } = iterate((y) => Math.sqrt(y) - 1, 4, { damping: { initial: 1, least: 1, shrink: 1 } });
    expect([x, residual, previous, iterations]).toEqual([-1, Number.NaN, 1, 4]);
  });
  it("tells every iteration, and may be cancelled", () => {
    const seen: number[] = [];
    const onIteration = (iteration: number): void => {
      seen.push(iteration);
      if (iteration === 3) throw new Error("enough");
    };
    expect(() => iterate((x) => x / 2, 1, { onIteration })).toThrow("enough");
    expect(seen).toEqual([1, 2, 3]);
  });
});
