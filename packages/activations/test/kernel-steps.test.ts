import type { Matrix } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expect, test } from "vitest";
import {
  adjointStep,
  applyAdjointJacobian,
  applyJacobian,
  crossKernelMap,
  crossKernelStep,
  erf,
  gelu,
  identity,
  infiniteWidthRecursion,
  kernelMap,
  kernelStep,
  relu,
  sign,
  step,
  tanh,
} from "../src/index.js";

const random = stream(3, 1);
/** Points of which some repeat, some are opposite, some nearly so, and one is 0. */
function points(count: number, features: number): Matrix {
  const data = Float64Array.from({ length: count * features }, () => random.normal());
  const copy = (to: number, from: number, factor: number, change = 0): void => {
    for (let k = 0; k < features; k++) data[to * features + k] = factor * data[from * features + k]! + change * random.normal();
  };
  copy(1, 0, 1);
  copy(2, 0, -1);
  copy(3, 0, 1, 1e-6);
  copy(4, 0, -1.5, 1e-3);
  copy(5, 0, 0);
  return { data, shape: [count, features] };
}
const copyOf = (m: Matrix): Matrix => ({ data: m.data.slice(), shape: m.shape });
const worst = (a: Float64Array, b: Float64Array): number => {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / largest;
};

for (const activation of [identity, erf, relu, sign, step, tanh, gelu]) {
  // with fewer points the pair formulas are used throughout
  for (const count of activation === tanh || activation === gelu ? [12] : [12, 160]) {
    test(`${activation.name}, ${count} points: one step in place is weight·G + bias`, () => {
      const kernel = gram(points(count, 4));
      const expected = kernelMap(activation, kernel).data.map((value) => 1.3 * value + 0.2);
      const found = copyOf(kernel);
      expect(kernelStep(activation, found, { weight: 1.3, bias: 0.2 })).toBe(found);
      expect(worst(found.data, expected)).toBeLessThan(1e-15);
      for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) expect(found.data[i * count + j]).toBe(found.data[j * count + i]);
    });

    test(`${activation.name}, ${count} points: between two sets`, () => {
      const [a, b] = [points(count, 4), points(count + 3, 4)];
      const [rows, columns] = [a, b].map((m) =>
        Float64Array.from({ length: m.shape[0] }, (_, i) => gram(m).data[i * (m.shape[0] + 1)]!),
      ) as [Float64Array, Float64Array];
      const cross = multiplyTransposedRight(a, b);
      const expected = crossKernelMap(activation, rows, cross, columns).data.map((value) => 0.7 * value + 0.1);
      expect(worst(crossKernelStep(activation, rows, copyOf(cross), columns, { weight: 0.7, bias: 0.1 }).data, expected)).toBeLessThan(
        1e-15,
      );
    });
  }

  test(`${activation.name}: the adjoint of a step on the lower triangle`, () => {
    const n = 11;
    const kernel = gram(points(n, 3));
    const adjoint = gram({ data: Float64Array.from({ length: n * 5 }, () => random.normal()), shape: [n, 5] });
    const expected = applyAdjointJacobian(activation, kernel, adjoint);
    const found = copyOf(adjoint);
    adjointStep(activation, kernel, found, 1.7);
    const lower = (m: Matrix, factor: number): Float64Array =>
      Float64Array.from({ length: n * n }, (_, at) => (at % n <= Math.floor(at / n) ? factor * m.data[at]! : 0));
    // the diagonal of tanh comes from a quadrature of its own
    expect(worst(lower(found, 1), lower(expected, 1.7))).toBeLessThan(activation === tanh ? 1e-11 : 1e-13);
    expect(found.data[1]).toBe(adjoint.data[1]);
  });
}

// 2a/(1 + 2a) bounds what arcsin is given: 0.29, 0.955, 0.965, 0.9995; the last two have pairs that the pair formula must take
for (const largest of [0.2, 10.6, 13.8, 1000]) {
  test(`erf, variances up to ${largest}: coinciding and nearly coinciding points cost no digits`, () => {
    const raw = gram(points(160, 4));
    const top = Math.max(...Array.from({ length: 160 }, (_, i) => raw.data[i * 161]!));
    const kernel = { data: raw.data.map((value) => (value * largest) / top), shape: raw.shape };
    const expected = kernel.data.map((c, at) =>
      erf.moments.kernel(kernel.data[Math.floor(at / 160) * 161]!, c, kernel.data[(at % 160) * 161]!),
    );
    kernelStep(erf, kernel, { weight: 1, bias: 0 });
    expect(worst(kernel.data, expected)).toBeLessThan(2e-15);
    expect(kernel.data[1]).toBeCloseTo(kernel.data[0]!, 14);
  });
}

test("what is not finite goes where it went before", () => {
  const kernel: Matrix = { data: new Float64Array(160 * 160).fill(0.1), shape: [160, 160] };
  for (let i = 0; i < 160; i++) kernel.data[i * 161] = 1;
  kernel.data[5] = kernel.data[5 * 160] = Number.NaN;
  expect(Number.isNaN(kernelStep(erf, kernel, { weight: 1, bias: 0 }).data[5])).toBe(true);
});

test("a variance that rounding made negative goes where it went before, in place or not", () => {
  const kernel = gram(points(160, 4));
  // the point at the origin
  kernel.data[5 * 161] = -1e-20;
  const rows = Float64Array.from({ length: 160 }, (_, i) => kernel.data[i * 161]!);
  for (const activation of [erf, relu]) {
    const pair = kernel.data.map((c, at) => activation.moments.kernel(rows[Math.floor(at / 160)]!, c, rows[at % 160]!));
    const own = kernelStep(activation, copyOf(kernel), { weight: 2, bias: 0.5 }).data;
    const cross = crossKernelStep(activation, rows, copyOf(kernel), rows, { weight: 2, bias: 0.5 }).data;
    for (const at of [1, 4 * 160 + 3, 7 * 160 + 30]) {
      expect(own[at]).toBeCloseTo(2 * pair[at]! + 0.5, 12);
      expect(cross[at]).toBeCloseTo(2 * pair[at]! + 0.5, 12);
    }
  }
});

test("shapes that do not fit are named", () => {
  const wide: Matrix = { data: new Float64Array(6), shape: [2, 3] };
  const square: Matrix = { data: new Float64Array(4), shape: [2, 2] };
  expect(() => kernelMap(erf, wide)).toThrow("kernel: expected a square matrix, got 2 × 3");
  expect(() => crossKernelMap(erf, [1], wide, [1, 1, 1])).toThrow("rowVariances: expected 2 numbers, got 1");
  expect(() => crossKernelMap(erf, [1, 1], wide, [1, 1])).toThrow("columnVariances: expected 3 numbers, got 2");
  expect(() => applyAdjointJacobian(erf, square, wide)).toThrow("adjoint: expected 2 × 2, got 2 × 3");
  expect(() => applyJacobian(erf, square, wide)).toThrow("change: expected 2 × 2, got 2 × 3");
  expect(() => infiniteWidthRecursion(erf, square, [1, 2], [0])).toThrow(/^biasVariance: expected 2 numbers, like weightVariance/);
});

// slopes in the covariance and in the variances are 10¹⁵ times as large there, and cancel
test.each([erf, gelu, tanh])("$name: the adjoint of a variance that saturates", (activation) => {
  const adjoint = { data: Float64Array.of(1), shape: [1, 1] as const };
  adjointStep(activation, { data: Float64Array.of(1e30), shape: [1, 1] }, adjoint, 2);
  expect(adjoint.data[0]! / (2 * activation.moments.diagonalSlope(1e30))).toBeCloseTo(1, 12);
});
