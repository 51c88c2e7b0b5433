import type { Matrix } from "@finitewidth/core";
import {
  block,
  diagonalOf,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  symmetricEigen,
  trace,
} from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { conditionGaussianProcess, predictGaussianProcess, trainGaussianProcess } from "../src/index.js";
import { conditionTargets, independentOutputs } from "../src/gaussian/gaussian-process.js";
import { respondToTargets } from "../src/gaussian/target-response.js";
import { mayLoseNoise } from "../src/gaussian/lost-noise.js";

const [points, others, outputs] = [6, 3, 2];
const normals = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(31, index), rows, columns);
/** Six points and three others under a kernel of a rank; the last of the others is a combination of the points. */
function problem(rank: number) {
  const features = normals(points + others, rank, rank);
  for (let k = 0; k < rank; k++) features.data[8 * rank + k] = 0.5 * features.data[k]! - 2 * features.data[3 * rank + k]!;
  const kernel = gram(features);
  const part = (r0: number, r1: number, c0: number, c1: number): Matrix => block(kernel, r0, r1, c0, c1);
  const train = features.data.slice(0, points * rank);
  return {
    kernel: part(0, 6, 0, 6),
    cross: part(0, 6, 6, 9),
    prior: part(6, 9, 6, 9),
    targets: multiply({ data: train, shape: [points, rank] }, normals(rank, outputs, 50)),
  };
}
type Given = ReturnType<typeof problem>;

/** Everything by the eigenvectors of K: f(κ) on its range, `null` on the rest. */
function direct({ kernel, cross, prior, targets }: Given, temperature: number, full: boolean) {
  const { values, vectors } = symmetricEigen(kernel);
  const rank = values.filter((value) => value > 1e-10).length;
  const of = (f: (kappa: number) => number, beyond: number): Matrix => {
    const scaled = {
      data: vectors.data.map((v, e) => v * (values[e % points]! > 1e-10 ? f(values[e % points]!) : beyond)),
      shape: vectors.shape,
    };
    return multiplyTransposedRight(scaled, vectors);
  };
  const inverse = of((kappa) => 1 / (kappa + temperature), full && temperature > 0 ? 1 / temperature : 0);
  const logDeterminant = values.reduce(
    (sum, value) => sum + (value > 1e-10 ? Math.log(value + temperature) : temperature > 0 ? Math.log(temperature) : 0),
    0,
  );
  const whole = of((kappa) => 1 / (kappa + temperature), temperature > 0 ? 1 / temperature : 0);
  const quadratic = trace(multiplyTransposedLeft(targets, multiply(whole, targets)));
  const size = temperature > 0 ? points : rank;
  const explained = multiplyTransposedLeft(cross, multiply(inverse, cross));
  return {
    rank,
    inverse,
    weights: multiply(inverse, targets),
    logDeterminant,
    quadratic,
    logEvidence: -0.5 * (outputs * (logDeterminant + size * Math.log(2 * Math.PI)) + quadratic),
    mean: multiplyTransposedLeft(cross, multiply(inverse, targets)),
    covariance: prior.data.map((value, e) => value - explained.data[e]!),
  };
}

const cases: readonly (readonly [string, number, number, "cholesky" | "root" | "range", number])[] = [
  ["a regular kernel with noise", 9, 0.3, "cholesky", 1e-10],
  ["a singular kernel with noise", 4, 0.3, "cholesky", 1e-10],
  ["a singular kernel without", 4, 0, "root", 1e-8],
  ["a singular kernel with hardly any", 4, 1e-9, "range", 1e-7],
];

describe.each(cases)("%s", (_, rank, temperature, form, relative) => {
  const given = problem(rank);
  const { kernel, cross, prior, targets } = given;
  const close = { relative, absolute: relative };
  const expected = direct(given, temperature, form === "cholesky");

  it("has the weights, evidence and resolvent of the eigenvectors, for two outputs", () => {
    const found = conditionTargets(kernel, targets, temperature);
    expect([found.form, found.directions, found.warnings.length]).toEqual([
      form,
      form === "cholesky" ? points : expected.rank,
      form === "root" ? 1 : 0,
    ]);
    expectClose(found.weights, expected.weights, close, "weights");
    expectClose(found.logDeterminant, expected.logDeterminant, close, "determinant");
    expectClose(found.quadratic, expected.quadratic, { relative: 1e-6 }, "quadratic");
    expectClose(found.logEvidence, expected.logEvidence, { relative: 1e-6 }, "evidence");
    expectClose(found.resolvent(), expected.inverse, { relative: 1e-7, absolute: 1e-7 }, "resolvent");
    const into = new Float64Array(points * points);
    expect(found.resolvent(into).data).toBe(into);
    expectClose(into, expected.inverse, { relative: 1e-7, absolute: 1e-7 });
    // RᵀR
    const squared = found.unwhiten(found.whiten(identity(points)));
    expectClose(squared, expected.inverse, { relative: 1e-7, absolute: 1e-7 }, "whitened");
    expect(found.whiten(identity(points)).shape).toEqual([found.directions, points]);
    const { root, weights, logEvidence } = conditionGaussianProcess(
      () => ({ data: kernel.data.slice(), shape: kernel.shape }),
      targets,
      temperature,
    );
    expectClose(weights, found.weights, close);
    expect([root.shape, logEvidence]).toEqual([found.root.shape, found.logEvidence]);
  });

  it("predicts as they do, alone and together", () => {
    const process = conditionGaussianProcess(kernel, targets, temperature);
    const alone = predictGaussianProcess(process, cross, diagonalOf(prior));
    const together = predictGaussianProcess(process, cross, prior);
    expectClose(alone.mean, expected.mean, { relative: 1e-7, absolute: 1e-7 }, "mean");
    expectClose(together.mean, alone.mean, { relative: 1e-14 });
    const wanted = [0, 4, 8].map((e) => expected.covariance[e]!);
    expectClose(alone.variance, wanted, { relative: 1e-6, absolute: 3e-9 }, "variance");
    expectClose(together.covariance!, expected.covariance, { relative: 1e-6, absolute: 3e-9 }, "covariance");
    expect(alone).not.toHaveProperty("covariance");
    if (temperature > 0) expect(alone.variance[2]).toBeGreaterThan(0);
  });

  it("and at the training points", () => {
    const process = conditionGaussianProcess(kernel, targets, temperature);
    const found = trainGaussianProcess(process, kernel, targets, temperature);
    const smoothed = multiply(kernel, expected.inverse);
    expectClose(found.mean, multiply(smoothed, targets), { relative: 1e-7, absolute: 1e-7 }, "mean");
    const left = multiply(smoothed, kernel);
    const variance = Array.from(diagonalOf(kernel), (value, i) => value - left.data[7 * i]!);
    expectClose(found.variance, variance, { relative: 1e-5, absolute: 3e-9 }, "variance");
    if (form !== "cholesky") return;
    // where the noise exceeds the kernel, and where its mean variance is said
    const loud = 100;
    const hot = conditionGaussianProcess(kernel, targets, loud);
    const shrunk = multiply(kernel, direct(given, loud, true).inverse);
    const both = [trainGaussianProcess(hot, () => kernel, targets, loud), trainGaussianProcess(hot, () => kernel, targets, loud, 1e6)];
    for (const one of both) {
      expectClose(one.mean, multiply(shrunk, targets), { relative: 1e-9, absolute: 1e-9 });
      const rest = multiply(shrunk, kernel);
      expectClose(
        one.variance,
        Array.from(diagonalOf(kernel), (value, i) => value - rest.data[7 * i]!),
        { relative: 1e-9 },
      );
    }
  });
});

describe("what theories ask", () => {
  it("targets respond with what is missed, noise times weights and all outside the range", () => {
    for (const [rank, temperature] of [
      [9, 0.3],
      [4, 1e-9],
    ] as const) {
      const given = problem(rank);
      const away = { data: given.targets.data.map((value, e) => value + Math.sin(e)), shape: given.targets.shape };
      const found = respondToTargets(given.kernel, away, temperature);
      const { inverse, logEvidence } = direct({ ...given, targets: away }, temperature, rank === 9);
      expectClose(found.resolvent, inverse, { relative: 1e-7, absolute: 1e-7 });
      expectClose(found.logDensity, logEvidence, { relative: 1e-6 });
      const fitted = multiply(given.kernel, multiply(inverse, away));
      expectClose(
        found.missed,
        away.data.map((value, e) => value - fitted.data[e]!),
        { relative: 1e-6, absolute: 1e-7 },
      );
      expect(found.directions).toBe(rank === 9 ? points : 4);
    }
    expect(() => respondToTargets(problem(4).kernel, problem(4).targets, 0)).toThrow("is singular: duplicate inputs");
  });

  it("a kernel made in one array is made anew where it was looked at again: small pivots of full rank", () => {
    const array = new Float64Array(9);
    let made = 0;
    const make = (): Matrix => {
      made++;
      array.set([1, 0.5, 0, 0.5, 1, 0, 0, 0, 5e-10]);
      return { data: array, shape: [3, 3] };
    };
    const targets: Matrix = { data: Float64Array.of(0.3, -1, 1e-5, 2, 0.7, -3e-5), shape: [3, 2] };
    const T = 1e-10;
    const found = conditionTargets(make, targets, T);
    expect([found.form, made]).toEqual(["cholesky", 3]);
    const determinant = (1 + T) ** 2 - 0.25;
    const [a, b] = [(1 + T) / determinant, -0.5 / determinant];
    const last = 1 / (5e-10 + T);
    const expected = new Float64Array(6);
    const y = (i: number, k: number): number => targets.data[2 * i + k]!;
    for (const k of [0, 1]) {
      expected[k] = a * y(0, k) + b * y(1, k);
      expected[2 + k] = b * y(0, k) + a * y(1, k);
      expected[4 + k] = last * y(2, k);
    }
    expectClose(found.weights, expected, { relative: 1e-9 });
    expectClose(found.logDeterminant, Math.log(determinant) - Math.log(last), { relative: 1e-12 });
    // regular kernels at T = 0 go by Cholesky too
    const regular = conditionTargets(
      { data: Float64Array.of(2, 0.5, 0.5, 1), shape: [2, 2] },
      { data: Float64Array.of(1, -1), shape: [2, 1] },
      0,
      { regular: true },
    );
    expect([regular.form, regular.directions]).toEqual(["cholesky", 2]);
    expectClose(regular.weights, [1.5 / 1.75, -2.5 / 1.75], { relative: 1e-12 });
  });

  it("where rounding makes K + T indefinite the eigenvectors take over, for a kernel given either way", () => {
    const data = Float64Array.of(1, 1, 1, 1 - Number.EPSILON);
    const targets: Matrix = { data: Float64Array.of(2, 2), shape: [2, 1] };
    for (const given of [{ data, shape: [2, 2] as const }, () => ({ data: data.slice(), shape: [2, 2] as const })]) {
      const found = conditionTargets(given, targets, 1e-18);
      expect([found.form, found.directions]).toEqual(["range", 1]);
      expectClose(found.weights, [1, 1], { relative: 1e-12 });
      expectClose(found.logDeterminant, Math.log(2) + Math.log(1e-18), { relative: 1e-12 });
    }
    const negative: Matrix = { data: Float64Array.of(1, 2, 2, 1), shape: [2, 2] };
    expect(() => conditionTargets(negative, targets, 1e-18)).toThrow(/not positive semi-definite: its smallest eigenvalue is -/);
  });

  it("outputs are independent and share their covariance, index point · D + output", () => {
    const mean: Matrix = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] };
    const covariance: Matrix = { data: Float64Array.of(5, 6, 7, 8), shape: [2, 2] };
    const found = independentOutputs({ mean, variance: Float64Array.of(5, 8), covariance }, 2);
    expect([...found.variance.data]).toEqual([5, 5, 8, 8]);
    expect([...found.covariance!.data]).toEqual([5, 0, 6, 0, 0, 5, 0, 6, 7, 0, 8, 0, 0, 7, 0, 8]);
    expect(independentOutputs({ mean, variance: Float64Array.of(5, 8) }, 3).variance.shape).toEqual([2, 3]);
    expect(independentOutputs({ mean, variance: Float64Array.of(5, 8) }, 2)).not.toHaveProperty("covariance");
  });

  it("noise may be lost where it is little and a pivot holds hardly more", () => {
    const factor = (pivot: number): Matrix => ({ data: Float64Array.of(1, 0, 0.3, pivot), shape: [2, 2] });
    const small = Math.sqrt(1e-9);
    expect(mayLoseNoise(factor(small), 1, 1e-9)).toBe(true);
    expect(mayLoseNoise(factor(small * 4), 1, 1e-9)).toBe(false);
    expect(mayLoseNoise(factor(small), 1, 2e-7)).toBe(false);
    expect(mayLoseNoise(factor(small), 1, 2e-7, 1e-6)).toBe(true);
    expect(mayLoseNoise(factor(3 * small), 1, 1e-9)).toBe(true);
  });
});
