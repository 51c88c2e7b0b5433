import { describe, expect, test } from "vitest";
import { maximiseInBox, maximiseOverIntegers, type BoundedPoint } from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";

/** −½(x − m)ᵀH(x − m) + a quartic, correlated. */
const hill = ([x, y]: readonly number[]): number =>
  -0.5 * (2 * (x! - 1) ** 2 + 1.2 * (x! - 1) * (y! + 2) + 3 * (y! + 2) ** 2) - 0.05 * (x! - 1) ** 4;
const slope = ([x, y]: readonly number[]): readonly [number, number] => [
  -(2 * (x! - 1) + 0.6 * (y! + 2)) - 0.2 * (x! - 1) ** 3,
  -(0.6 * (x! - 1) + 3 * (y! + 2)),
];

describe("bounded maximisation", () => {
  test("of no coordinates is the point itself", async () => {
    const found = await maximiseInBox(async (point) => ({ point, value: 7 }), [], { lower: [], upper: [] });
    expect(found).toEqual({ point: [], value: 7, gradient: [], converged: true, iterations: 0 });
  });

  test.each([
    ["with gradients", (point: readonly number[]): BoundedPoint => ({ point, value: hill(point), gradient: slope(point) })],
    ["with one gradient", (point: readonly number[]): BoundedPoint => ({ point, value: hill(point), gradient: [slope(point)[0], null] })],
    ["with differences", (point: readonly number[]): BoundedPoint => ({ point, value: hill(point) })],
  ])("finds an inner maximum %s", async (_, f) => {
    let evaluations = 0;
    const counted = async (point: readonly number[]): Promise<BoundedPoint> => (evaluations++, f(point));
    const found = await maximiseInBox(counted, [-2, 3], { lower: [-5, -5], upper: [5, 5] });
    expectClose([...found.point], [1, -2], { absolute: 2e-3 });
    expect(found.converged).toBe(true);
    expect(evaluations).toBeLessThan(60);
  });

  test("holds a coordinate at its bound and maximises over the others", async () => {
    const found = await maximiseInBox(async (point) => ({ point, value: hill(point) }), [2.5, 0], { lower: [2, -5], upper: [4, 5] });
    // given x = 2: y = −2 − 0.6/3
    expectClose([...found.point], [2, -2.2], { absolute: 2e-3 });
  });

  test.each([1, 2, 7, 40, 333, 500])("integers: %d", async (best) => {
    let evaluations = 0;
    const found = await maximiseOverIntegers(async (n) => (evaluations++, -((Math.log(n) - Math.log(best)) ** 2)), 1, 500);
    expect(Math.abs(Math.log(found.point / best))).toBeLessThan(0.06);
    expect(evaluations).toBeLessThan(30);
  });

  test("at a bound differences are one-sided, and its value, gradient and point belong together", async () => {
    const asked: (readonly number[])[] = [];
    const found = await maximiseInBox(async (point) => (asked.push(point), { point, value: hill(point) }), [2, 9], {
      lower: [2, -5],
      upper: [4, 1],
      step: 1e-4,
    });
    for (const [x, y] of asked) expect(x! >= 2 && x! <= 4 && y! >= -5 && y! <= 1).toBe(true);
    // the start outside the box is moved into it
    expect(asked[0]).toEqual([2, 1]);
    expect(found.value).toBe(hill(found.point));
    expectClose([...found.gradient], [...slope(found.point)], { absolute: 1e-3 });
    expect(found.gradient[0]).toBeLessThan(-0.5);
  });

  test("is out of steps without converging, and moves at most one unit at once", async () => {
    const points: (readonly number[])[] = [];
    const far = async (point: readonly number[]): Promise<BoundedPoint> => (
      points.push(point),
      { point, value: hill(point), gradient: slope(point) }
    );
    const found = await maximiseInBox(far, [-4, 4], { lower: [-5, -5], upper: [5, 5], maxIterations: 2 });
    expect([found.converged, found.iterations]).toEqual([false, 2]);
    expect(Math.max(...points[1]!.map((value, i) => Math.abs(value - points[0]![i]!)))).toBeCloseTo(1, 12);
    expect(hill(found.point)).toBeGreaterThan(hill([-4, 4]));
    const loose = await maximiseInBox(far, [0.7, -1.8], { lower: [-5, -5], upper: [5, 5], tolerance: 0.5 });
    expect([loose.converged, loose.iterations]).toEqual([true, 1]);
  });

  test("integers are asked for once each, ends included", async () => {
    const asked: number[] = [];
    const found = await maximiseOverIntegers(async (n) => (asked.push(n), -Math.abs(n - 23)), 3, 90);
    expect(found).toEqual({ point: 23, value: -0 });
    expect(new Set(asked).size).toBe(asked.length);
    expect([Math.min(...asked), Math.max(...asked)]).toEqual([3, 90]);
  });
});
