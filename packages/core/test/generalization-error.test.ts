import { expect, it } from "vitest";
import { generalizationError, generalizationStandardError, type Matrix } from "../src/index.js";

const column = (...data: number[]): Matrix => ({ data: Float64Array.from(data), shape: [data.length, 1] });
const targets = column(0, 1, -1);
const mean = column(0.5, 0.5, 0);
const variance = column(0.1, 0.2, 0.3);

it("bias, variance and total", () => {
  const { bias, variance: spread, total } = generalizationError({ mean, variance }, targets);
  expect([bias, spread, total].map((value) => Number(value.toPrecision(12)))).toEqual([0.5, 0.2, 0.7]);
});

it("replicates know how errors of points are correlated: opposite ones cancel, which the bound of full correlation cannot know", () => {
  // means move along (1, 1, 0), to which the misfits 2(½, −½, 1)/3 are orthogonal; variances move all together
  const shifts = [-0.03, 0.01, 0.02];
  const replicates = shifts.map((s) => ({ mean: column(0.5 + s, 0.5 + s, 0), variance: column(0.1 + s, 0.2 + s, 0.3 + s) }));
  const one = Math.sqrt((0.03 ** 2 + 0.01 ** 2 + 0.02 ** 2) / (3 * 2));
  const standardError = { mean: column(one, one, 0), variance: column(one, one, one) };
  const known = generalizationStandardError({ mean, standardError, replicates }, targets)!;
  expect(known.bias).toBeCloseTo(0, 14);
  expect(known.variance).toBeCloseTo(one, 14);
  expect(known.total).toBeCloseTo(one, 14);
  const bound = generalizationStandardError({ mean, standardError }, targets)!;
  expect(bound.bias).toBeCloseTo((2 / 3) * one, 14);
  expect(bound.total).toBeCloseTo((5 / 3) * one, 14);
  expect(generalizationStandardError({ mean }, targets)).toBeUndefined();
});
