import { describe, expect, it } from "vitest";
import { fixedPoint, type FixedPointOptions } from "../src/index.js";

/** x ← √x·a − b, defined for x ≥ 0 only. */
const outside = new RangeError("outside");
const map = (target: (x: number) => number) => (x: number) => {
  if (!(x >= 0)) throw outside;
  const change = target(x) - x;
  return { residual: Math.abs(change), move: (factor: number) => x + factor * change };
};
const leavesDomain = (error: unknown): boolean => error === outside;

const solve = (start: number, ...rest: [ReturnType<typeof map>, FixedPointOptions]) =>
  fixedPoint<number, ReturnType<ReturnType<typeof map>>>(start, ...rest);

describe("iterations that would leave the domain of the map", () => {
  it("go back half the way until they stay, and converge", () => {
    // from 9 the map goes to 0.5 − 6·9 = −53.5; the fixed point is 0.5/7
    const { x, converged } = solve(
      9,
      map((at) => 0.5 - 6 * at),
      { tolerance: 1e-12, maximumIterations: 1000, damping: { initial: 0.25, least: 0.01, shrink: 0.8, slow: 0.98 }, leavesDomain },
    );
    expect(converged).toBe(true);
    expect(x).toBeCloseTo(0.5 / 7, 11);
  });

  it("stop with the map's own error where no step stays inside, at the start, and for other errors", () => {
    const settings = { tolerance: 1e-12, maximumIterations: 1000, leavesDomain };
    expect(() =>
      solve(
        -1,
        map(() => 1),
        settings,
      ),
    ).toThrow(outside);
    expect(() =>
      solve(
        0,
        map(() => -1),
        settings,
      ),
    ).toThrow(outside);
    expect(() =>
      solve(
        9,
        map((at) => 0.5 - 6 * at),
        { tolerance: 1e-12, maximumIterations: 1000 },
      ),
    ).toThrow(outside);
  });
});
