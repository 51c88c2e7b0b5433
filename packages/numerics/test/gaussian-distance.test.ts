import { matrix, matrixFromRows, type Matrix } from "@finitewidth/core";
import { expect, test } from "vitest";
import { leadingDistance, sampledDistance, wassersteinBound } from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";

test("the distance of one point, from draws that all say K + δ, is (D/2)t + (D²/8)t² + (D/4)t²", () => {
  const one = (value: number) => matrix(1, 1, Float64Array.of(value));
  const t = (0.3 / (2 + 0.5)) ** 2;
  for (const outputs of [1, 2, 3]) {
    const draws = Array.from({ length: 5 }, () => one(2.3));
    const square = (outputs * outputs * t * t) / 8 + (outputs * t * t) / 4;
    expect(sampledDistance(draws, one(2), 0.5, outputs, { meanKnown: true }).chiSquare).toBeCloseTo(square, 12);
    expect(sampledDistance(draws, one(2), 0.5, outputs).chiSquare).toBeCloseTo(0.5 * outputs * t + square, 12);
  }
});

type Pair = readonly [number, number, number];
/** A symmetric matrix of two points. */
const symmetric = ([a, b, c]: Pair): Matrix =>
  matrixFromRows([
    [a, b],
    [b, c],
  ]);
const kernel: Pair = [2, 0.7, 1];
const temperature = 0.5;
const shifts: Pair[] = [
  [0.3, -0.2, 0.1],
  [-0.1, 0.25, 0.4],
  [0.2, 0.1, -0.3],
  [-0.35, 0.05, 0.15],
  [0.1, 0.3, 0.2],
  [0.15, -0.1, -0.25],
];
/** A⁻¹ΔA⁻¹Δ′ of two shifts, A = K + T, by the inverse of a matrix of two: its trace and that of its square. */
function traces(first: Pair, second: Pair): readonly [number, number] {
  const [a, b, c] = [kernel[0] + temperature, kernel[1], kernel[2] + temperature];
  const inverse = [
    [c, -b],
    [-b, a],
  ].map((row) => row.map((value) => value / (a * c - b * b)));
  const times = (m: number[][], n: number[][]) => m.map((row) => [0, 1].map((j) => row[0]! * n[0]![j]! + row[1]! * n[1]![j]!));
  const square = ([x, y, z]: Pair) => [
    [x, y],
    [y, z],
  ];
  const m = times(times(inverse, square(first)), times(inverse, square(second)));
  const twice = times(m, m);
  return [m[0]![0]! + m[1]![1]!, twice[0]![0]! + twice[1]![1]!];
}
const term = (outputs: number, first: Pair, second: Pair): readonly [number, number, number] => {
  const [trace, cyclic] = traces(first, second);
  return [(outputs / 2) * trace, (outputs ** 2 / 8) * trace ** 2, (outputs / 4) * cyclic];
};

test.each([1, 3])("over all pairs of different draws it is the mean of three traces, with its jackknife error (D = %d)", (outputs) => {
  const n = shifts.length;
  const draws = shifts.map(([a, b, c]) => symmetric([kernel[0] + a, kernel[1] + b, kernel[2] + c]));
  const over = (left: number, known: boolean) => {
    const values: number[] = [];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) {
        if (i === left || j === left) continue;
        const [linear, square] = term(outputs, shifts[i]!, shifts[j]!);
        values.push((known ? 0 : linear) + square);
      }
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const all: number[] = [];
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) all.push(term(outputs, shifts[i]!, shifts[j]!)[2]);
  const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const error = (known: boolean, cyclic: readonly number[]) => {
    const left = shifts.map((_, g) => over(g, known));
    const jackknife = ((n - 1) / n) * left.reduce((sum, value) => sum + (value - over(-1, known)) ** 2, 0);
    const scatter = cyclic.reduce((sum, value) => sum + (value - average(cyclic)) ** 2, 0) / (cyclic.length - 1);
    return Math.sqrt(jackknife + scatter / Math.min(cyclic.length, n / 2));
  };
  for (const meanKnown of [false, true]) {
    const found = sampledDistance(draws, symmetric(kernel), temperature, outputs, { meanKnown });
    expectClose(found.chiSquare, over(-1, meanKnown) + average(all), { relative: 1e-12 });
    expectClose(found.standardError, error(meanKnown, all), { relative: 1e-12 });
    expectClose([found.relativeEntropy, found.totalVariation], [found.chiSquare / 2, Math.sqrt(Math.max(found.chiSquare, 0)) / 2], {
      relative: 1e-12,
    });
  }
  // the first two pairs of neighbours alone
  const two = [0, 1].map((i) => term(outputs, shifts[i]!, shifts[i + 1]!)[2]);
  const fewer = sampledDistance(draws, symmetric(kernel), temperature, outputs, { cyclicPairs: 2 });
  expectClose([fewer.chiSquare, fewer.standardError], [over(-1, false) + average(two), error(false, two)], { relative: 1e-12 });
});

test.each([1, 3])("from moments it is the mean over all pairs of a law of six kernels, each with itself too (D = %d)", (outputs) => {
  const n = shifts.length;
  const mean = [0, 1, 2].map((k) => shifts.reduce((sum, one) => sum + one[k]! / n, 0)) as unknown as Pair;
  const entries = (m: Pair) => [m[0], m[1], m[1], m[2]];
  const second = entries(mean).map((_, ab) =>
    entries(mean).map((__, cd) => shifts.reduce((sum, one) => sum + (entries(one)[ab]! * entries(one)[cd]!) / n, 0)),
  );
  const covariance = {
    data: Float64Array.from(second.flatMap((row, ab) => row.map((value, cd) => value - entries(mean)[ab]! * entries(mean)[cd]!))),
    shape: [2, 2, 2, 2],
  };
  const total = symmetric([kernel[0] + temperature, kernel[1], kernel[2] + temperature]);
  let expected = term(outputs, mean, mean)[0];
  for (const first of shifts)
    for (const other of shifts) expected += (term(outputs, first, other)[1] + term(outputs, first, other)[2]) / n ** 2;
  const found = leadingDistance(covariance, symmetric(mean), total, outputs);
  expectClose(found.chiSquare, expected, { relative: 1e-11 });
  expectClose([found.relativeEntropy, found.totalVariation], [expected / 2, Math.sqrt(expected) / 2], { relative: 1e-11 });
});

test("the Wasserstein bound is √(D E|ΔK|²) over √T + √λ, λ the least eigenvalue", () => {
  // eigenvalues 3 and 8
  const total = matrixFromRows([
    [4, 2],
    [2, 7],
  ]);
  expectClose(wassersteinBound(5, total, 0.25, 3), Math.sqrt(15) / (0.5 + Math.sqrt(3)), { relative: 1e-12 });
  expectClose(wassersteinBound(5, total, 0.25), Math.sqrt(5) / (0.5 + Math.sqrt(3)), { relative: 1e-12 });
  // rounding below zero is zero
  expectClose(wassersteinBound(1, matrixFromRows([[-1e-18]]), 0.25), 2, { relative: 1e-12 });
});
