import { erf, gelu, relu, sign, tanh } from "@finitewidth/activations";
import { matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { conditionalMoments, gaussianNodes, quadratureClosure } from "../src/index.js";

/** ln E exp(gφᵀAφ) and ⟨φφᵀ⟩ for h = Lz by a plain sum over a grid of z, no proposal and no control variates. */
function bruteForce(
  activation: Activation,
  kernel: Matrix,
  conjugate: Matrix,
  g: number,
  spacing: number,
): { cumulant: number; moment: number[] } {
  const n = kernel.shape[0];
  const { factor } = cholesky(kernel);
  const side = Math.round(12 / spacing);
  const axis = Array.from({ length: 2 * side + 1 }, (_, i) => (i - side) * spacing);
  let [total, prior] = [0, 0];
  const moment = Array.from({ length: n * n }, () => 0);
  for (const x of axis) {
    for (const y of n === 1 ? [0] : axis) {
      const phi =
        n === 1
          ? [activation.value(factor.data[0]! * x)]
          : [activation.value(factor.data[0]! * x), activation.value(factor.data[2]! * x + factor.data[3]! * y)];
      let energy = 0;
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) energy += g * phi[a]! * conjugate.data[a * n + b]! * phi[b]!;
      const gaussian = Math.exp(-0.5 * (x * x + y * y));
      const weight = gaussian * Math.exp(energy);
      prior += gaussian;
      total += weight;
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) moment[a * n + b]! += weight * phi[a]! * phi[b]!;
    }
  }
  return { cumulant: Math.log(total / prior), moment: moment.map((value) => value / total) };
}

describe("lattices refine themselves until the tilted averages keep still", () => {
  const nodesFor = (activation: Activation, kernel: Matrix) =>
    gaussianNodes({
      dimensions: kernel.shape[0],
      smooth: true,
      odd: activation.odd,
      largestVariance: Math.max(...kernel.data),
      log2Count: 10,
      seed: 1,
    });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])("one point, random strong tilts (%i)", (seed) => {
    const random = stream(71, seed);
    const activation = seed % 2 === 0 ? erf : tanh;
    const kernel = matrixFromRows([[10 ** (-1 + 2.5 * random.uniform())]]);
    const conjugate = matrixFromRows([[(random.uniform() < 0.7 ? 1 : -1) * 10 ** (2 * random.uniform())]]);
    const { secondMoment, cumulant, quadratureError } = quadratureClosure(activation, nodesFor(activation, kernel)).averages(
      { kernel, conjugate, weightVariance: 1.5 },
      { gradient: false },
    );
    const expected = bruteForce(activation, kernel, conjugate, 1.5, 2 ** -11);
    expectClose([cumulant!, secondMoment.data[0]!], [expected.cumulant, expected.moment[0]!], { relative: 1e-12, absolute: 1e-12 });
    expect(quadratureError!).toBeLessThan(1e-14);
  });

  it.each([0, 1, 2, 3])("two points (%i)", (seed) => {
    const random = stream(72, seed);
    const [a, b, rho] = [6 * random.uniform(), 6 * random.uniform(), 1.8 * random.uniform() - 0.9];
    const kernel = matrixFromRows([
      [a, rho * Math.sqrt(a * b)],
      [rho * Math.sqrt(a * b), b],
    ]);
    const pull = 8 * random.uniform();
    const conjugate = matrixFromRows([
      [pull, -0.5 * pull],
      [-0.5 * pull, 0.4 * pull],
    ]);
    const { secondMoment, cumulant, quadratureError } = quadratureClosure(erf, nodesFor(erf, kernel)).averages(
      { kernel, conjugate, weightVariance: 1 },
      { gradient: false },
    );
    const expected = bruteForce(erf, kernel, conjugate, 1, 1 / 40);
    expectClose([cumulant!, ...secondMoment.data], [expected.cumulant, ...expected.moment], { relative: 1e-9, absolute: 1e-9 });
    expect(quadratureError!).toBeLessThan(1e-12);
  });

  it("P = 1, N = 2, y = 8, T = 0.02: the lattice of the prior was off by 9e-4 where the data pull hard", () => {
    // A = (V² − R)/2N at the solution C = 3 · 0.967716571109
    const c = 3 * 0.967716571109;
    const [v, r] = [8 / (c + 0.02), 1 / (c + 0.02)];
    const { secondMoment } = quadratureClosure(erf, nodesFor(erf, matrixFromRows([[6]]))).averages(
      { kernel: matrixFromRows([[6]]), conjugate: matrixFromRows([[(v * v - r) / 4]]), weightVariance: 3 },
      { gradient: false },
    );
    expectClose(secondMoment.data[0]!, 0.967716571109, { relative: 1e-12 });
  });
});

describe("moments of a unit that is normal given the training points", () => {
  /** Midpoints, 4000 a standard deviation where φ changes. */
  const byMidpoints = (activation: Activation, m: number, s: number): [number, number] => {
    const ends = [-9, ...[-12, 0, 12].map((h) => Math.min(Math.max((h - m) / s, -9), 9)), 9];
    let [mean, square] = [0, 0];
    for (let p = 1; p < ends.length; p++) {
      const step = (ends[p]! - ends[p - 1]!) / 4000;
      for (let i = 0; i < 4000; i++) {
        const z = ends[p - 1]! + (i + 0.5) * step;
        const weight = (step * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
        const value = activation.value(m + s * z);
        mean += weight * value;
        square += weight * value * value;
      }
    }
    return [mean, square];
  };
  it.each([
    [erf, 1e-6, 1e-5],
    [tanh, 1e-6, 2e-5],
    [gelu, 1e-6, 1e-5],
    [relu, 1e-6, 1e-6],
    [sign, 1e-6, 1e-6],
  ])("$name at deviations from 0 to 1000, means from far left to far right", (activation, narrow, wide) => {
    for (const s of [0.05, 0.4, 1, 2.5, 7, 15, 30, 1000]) {
      const means = Float64Array.from([-9, -3.3, -0.6, 0.2, 1.9, 9], (value) => value * Math.max(s, 0.5));
      const { mean, square } = conditionalMoments(activation, means, s);
      means.forEach((m, i) => {
        const [first, second] = byMidpoints(activation, m, s);
        const [scale, error] = [activation.bounded ? 1 : 1 + m * m + s * s, s > 16 ? wide : narrow];
        expect(Math.abs(mean[i]! - first) / Math.sqrt(scale), `mean at ${m}, ${s}`).toBeLessThan(error);
        expect(Math.abs(square[i]! - second) / scale, `square at ${m}, ${s}`).toBeLessThan(error);
      });
    }
    const { mean, square } = conditionalMoments(activation, Float64Array.of(-0.3, 1.2), 0);
    expect([...mean, ...square]).toEqual([-0.3, 1.2, -0.3, 1.2].map((h, i) => activation.value(h) ** (i < 2 ? 1 : 2)));
  });
  it.each([1.7, 5, 20, 100])("a test point of variance %d is a further point of the measure, under a strong tilt too", (variance) => {
    const kernel = matrixFromRows([[1.4]]);
    const whole = matrixFromRows([
      [1.4, 0.5],
      [0.5, variance],
    ]);
    const [one, two] = [kernel, whole].map((k) =>
      quadratureClosure(
        erf,
        gaussianNodes({ dimensions: k.shape[0], smooth: true, odd: true, largestVariance: variance, log2Count: 10, seed: 1 }),
      ),
    ) as [ReturnType<typeof quadratureClosure>, ReturnType<typeof quadratureClosure>];
    const test = { cross: matrixFromRows([[0.5]]), variances: Float64Array.of(variance) };
    const { cross, variances } = one.extend({ kernel, conjugate: matrixFromRows([[2]]), weightVariance: 1.3 }, test);
    const tilt = matrixFromRows([
      [2, 0],
      [0, 0],
    ]);
    const { data } = two.averages({ kernel: whole, conjugate: tilt, weightVariance: 1.3 }, { gradient: false }).secondMoment;
    expectClose([...cross.data, ...variances], [data[2]!, data[3]!], { absolute: 1e-6 });
  });
});
