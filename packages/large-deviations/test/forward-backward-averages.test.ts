import { erf, identity, relu, sign } from "@finitewidth/activations";
import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { combine } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  createClosure,
  gaussianNodes,
  kernelCumulantGenerator,
  kernelCumulants,
  kernelRate,
  latticeNodes,
  linearClosure,
  priorVariance,
  quadratureClosure,
  sampleKernelChain,
  sampleKernelStep,
} from "../src/index.js";
import { expectNear, optionsFor, nodesFor } from "./forward-backward-cases.js";

describe("averages", () => {
  const kernel = matrixFromRows([
    [1.4, 0.5, -0.3],
    [0.5, 3.2, 0.4],
    [-0.3, 0.4, 0.9],
  ]);
  const conjugate = matrixFromRows([
    [0.2, -0.1, 0.05],
    [-0.1, -0.15, 0.1],
    [0.05, 0.1, 0.3],
  ]);
  it("the lattice at P = 3 is converged, half of it is enough for odd φ, and Sobol nodes agree within their error", () => {
    const of = (spacing: number, half: boolean) =>
      quadratureClosure(erf, latticeNodes(3, spacing, 6.2, half)).averages({ kernel, conjugate, weightVariance: 1.5 }, { gradient: true });
    const [coarse, fine, halved] = [of(0.36, false), of(0.28, false), of(0.36, true)];
    expectNear(coarse.secondMoment, fine.secondMoment, 1e-6, "spacing");
    expectNear(coarse.gradient!, fine.gradient!, 1e-4, "spacing, gradient");
    expectNear(halved.secondMoment, coarse.secondMoment, 1e-12, "half");
    const large = Array.from({ length: 4 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => (i < 3 && j < 3 ? kernel.data[3 * i + j]! : i === j ? 1 : 0)),
    );
    const padded = Array.from({ length: 4 }, (_, i) =>
      Array.from({ length: 4 }, (_, j) => (i < 3 && j < 3 ? conjugate.data[3 * i + j]! : 0)),
    );
    const sampled = createClosure(erf, optionsFor(matrixFromRows(large))).averages(
      { kernel: matrixFromRows(large), conjugate: matrixFromRows(padded), weightVariance: 1.5 },
      { gradient: true },
    );
    expect(sampled.cumulant!).toBeCloseTo(fine.cumulant!, 4);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) expect(sampled.secondMoment.data[4 * i + j]!).toBeCloseTo(fine.secondMoment.data[3 * i + j]!, 3);
  });

  it("what importance weights keep: the overlap of the tilted Gaussian with the widest proposal; all of it where there is no tilt", () => {
    const k = matrixFromRows([[1.5]]);
    const nodes = gaussianNodes({ ...optionsFor(k), smooth: true, odd: true });
    const at = (lambda: number) =>
      quadratureClosure(identity, nodes).averages(
        { kernel: k, conjugate: matrixFromRows([[lambda / (2 * 1.5 * 0.7)]]), weightVariance: 0.7 },
        { gradient: true },
      );
    for (const lambda of [-3, 0, 0.5, 0.78]) expect(at(lambda).effectiveFraction).toBeCloseTo(1, 10);
    // proposals stop at λ = 0.8, variance 5: (∫p²/q)⁻¹ = σ²√(2/σ² − 1/5)/√5
    for (const lambda of [0.82, 0.85]) {
      const variance = 1 / (1 - lambda);
      const { effectiveFraction, secondMoment, cumulant, gradient } = at(lambda);
      expect(effectiveFraction).toBeCloseTo((variance * Math.sqrt(2 / variance - 0.2)) / Math.sqrt(5), 6);
      expect(secondMoment.data[0]).toBeCloseTo(1.5 * variance, 6);
      expect(cumulant).toBeCloseTo(0.5 * Math.log(variance), 8);
      expect(gradient!.data[0]).toBeCloseTo((variance - 1) / 3, 5);
    }
  });

  it("the lattice of pictures has fewer nodes, is not refined, and finds shifts to a few per mille", () => {
    const of = (coarse: boolean) => gaussianNodes({ ...optionsFor(kernel), smooth: true, odd: true, coarse });
    expect(of(true).points.shape[0]).toBeLessThan(0.75 * of(false).points.shape[0]);
    expect([of(true).goal, of(false).goal]).toEqual([undefined, 1e-7]);
    const moment = (coarse: boolean, tilt: number): Matrix =>
      quadratureClosure(erf, of(coarse)).averages(
        { kernel, conjugate: combine(tilt, conjugate, 0, conjugate), weightVariance: 1.5 },
        { gradient: false },
      ).secondMoment;
    const shift = combine(1, moment(false, 1), -1, moment(false, 0));
    expectNear(combine(1, moment(true, 1), -1, moment(true, 0)), shift, 5e-3, "shift");
    // elsewhere nothing changes
    const two = { ...optionsFor(kernel), dimensions: 2, smooth: true, odd: true };
    expect(gaussianNodes({ ...two, coarse: true }).points).toEqual(gaussianNodes(two).points);
  });

  it("sign at two points: exact from the four quadrants", () => {
    const c = 0.6;
    const k = matrixFromRows([
      [1, c],
      [c, 2],
    ]);
    const a = matrixFromRows([
      [0.3, 0.4],
      [0.4, -0.2],
    ]);
    const same = 0.5 + Math.asin(c / Math.SQRT2) / Math.PI;
    const weight = [same * Math.exp(2 * 0.4), (1 - same) * Math.exp(-2 * 0.4)] as const;
    const { secondMoment, cumulant } = createClosure(sign, optionsFor(k)).averages(
      { kernel: k, conjugate: a, weightVariance: 1 },
      { gradient: true },
    );
    expect(secondMoment.data[1]).toBeCloseTo((weight[0] - weight[1]) / (weight[0] + weight[1]), 10);
    expect(cumulant).toBeCloseTo(Math.log(weight[0] + weight[1]) + 0.1, 10);
  });

  it("relu at one point, and a tilt that does not exist", () => {
    const k = matrixFromRows([[1.5]]);
    const closure = createClosure(relu, optionsFor(k));
    const x = 1 - 2 * 0.2 * 1.5;
    expect(
      closure.averages({ kernel: k, conjugate: matrixFromRows([[0.2]]), weightVariance: 1 }, { gradient: false }).cumulant,
    ).toBeCloseTo(Math.log(0.5 + 0.5 / Math.sqrt(x)), 12);
    expect(() => closure.averages({ kernel: k, conjugate: matrixFromRows([[0.5]]), weightVariance: 1 }, { gradient: false })).toThrow(
      "W is infinite",
    );
  });

  it("test points: a training point as test point gets the training point's row, whatever the closure", () => {
    const test = { cross: matrixFromRows([kernel.data.slice(3, 6)]), variances: Float64Array.of(kernel.data[4]!) };
    for (const [activation, options] of [
      [erf, {}],
      [erf, { closure: "gaussian-variational" }],
      [erf, { order: "first" }],
      [relu, {}],
      [identity, {}],
    ] as const) {
      const closure = createClosure(activation, optionsFor(kernel, options));
      const measure = { kernel, conjugate: combine(0.5, conjugate, 0, conjugate), weightVariance: 1.2 };
      const { secondMoment } = closure.averages(measure, { gradient: false });
      const { cross, variances } = closure.extend(measure, test);
      expectNear(cross, secondMoment.data.slice(3, 6), 1e-5, `${activation.name} cross`);
      expectNear(variances, [secondMoment.data[4]!], 1e-5, `${activation.name} variance`);
    }
  });
});

describe("the prior as a Markov chain of kernels", () => {
  const step = {
    activation: erf,
    kernel: matrixFromRows([
      [1.2, 0.4],
      [0.4, 0.8],
    ]),
    width: 40,
    weightVariance: 1.5,
    biasVariance: 0.1,
  };
  it("sampled kernels have the conditional mean and covariance", () => {
    const { mean, covariance } = kernelCumulants(step);
    const draws = 4000;
    const source = stream(3);
    let [sum, square] = [0, 0];
    for (let i = 0; i < draws; i++) {
      const value = sampleKernelStep(step, source).data[1]! - mean.data[1]!;
      sum += value / draws;
      square += (value * value) / draws;
    }
    const variance = covariance.data[0b0101]!;
    expect(Math.abs(sum)).toBeLessThan(4 * Math.sqrt(variance / draws));
    expect(Math.abs(square / variance - 1)).toBeLessThan(4 * Math.sqrt(2.5 / draws));
    expect(
      sampleKernelChain(
        { activation: erf, firstKernel: step.kernel, widths: [5, 7], weightVariance: [1, 2], biasVariance: [0, 0.1] },
        source,
      ),
    ).toHaveLength(2);
  });

  it("cumulants of linear units are Wishart's at every pair of pairs, and a chain has the mean of its layers", () => {
    const kernel = matrixFromRows([
      [1.2, 0.4, -0.3],
      [0.4, 0.8, 0.1],
      [-0.3, 0.1, 2.1],
    ]);
    const linear = { activation: identity, kernel, width: 7, weightVariance: 1.5, biasVariance: 0.1 };
    const { mean, covariance } = kernelCumulants(linear);
    const k = (a: number, b: number): number => kernel.data[3 * a + b]!;
    expectNear(
      mean,
      kernel.data.map((value) => 1.5 * value + 0.1),
      1e-14,
      "mean",
    );
    const expected = Array.from({ length: 81 }, (_, at) => {
      const [a, b, c, d] = [27, 9, 3, 1].map((step) => Math.floor(at / step) % 3) as [number, number, number, number];
      return ((1.5 * 1.5) / 7) * (k(a, c) * k(b, d) + k(a, d) * k(b, c));
    });
    expectNear(covariance, expected, 1e-12, "covariance");
    const chain = { activation: identity, firstKernel: kernel, widths: [5, 9], weightVariance: [0.7, 2], biasVariance: [0.3, 0.1] };
    const source = stream(8);
    const draws = Array.from({ length: 3000 }, () => sampleKernelChain(chain, source));
    for (const [l, wanted] of [
      [0, 0.7 * 0.4 + 0.3],
      [1, 2 * (0.7 * 0.4 + 0.3) + 0.1],
    ] as const) {
      const values = draws.map((kernels) => kernels[l]!.data[1]!);
      const average = values.reduce((sum, value) => sum + value / 3000, 0);
      const variance = values.reduce((sum, value) => sum + (value - average) ** 2 / 3000, 0);
      expect(Math.abs(average - wanted)).toBeLessThan(4 * Math.sqrt(variance / 3000));
      if (l === 1) continue;
      const exact = (0.7 ** 2 / 5) * (1.2 * 0.8 + 0.4 ** 2);
      expect(Math.abs(variance / exact - 1)).toBeLessThan(0.15);
    }
  });

  it("the generating function has those cumulants, and the rate is their Legendre transform", () => {
    const closure = quadratureClosure(erf, latticeNodes(2, 0.3, 6.5, true));
    const { mean, covariance } = kernelCumulants(step);
    const h = 1e-3;
    const at = (s: number): number =>
      kernelCumulantGenerator(
        step,
        matrixFromRows([
          [0, s / 2],
          [s / 2, 0],
        ]),
        closure,
      ) / step.width;
    expect((at(h) - at(-h)) / (2 * h)).toBeCloseTo(mean.data[1]!, 6);
    expect((at(h) + at(-h)) / (h * h)).toBeCloseTo(step.width * covariance.data[0b0101]!, 4);
    expect(kernelRate(step, mean, closure).rate).toBeLessThan(1e-12);
    const away = combine(
      1,
      mean,
      0.01,
      matrixFromRows([
        [1, 0.5],
        [0.5, -1],
      ]),
    );
    const { rate, conjugate } = kernelRate(step, away, closure);
    expect(rate).toBeGreaterThan(0);
    const tilted = closure.averages(
      { kernel: step.kernel, conjugate, weightVariance: step.weightVariance },
      { gradient: false },
    ).secondMoment;
    expectNear(
      tilted.data.map((value) => step.weightVariance * value + step.biasVariance),
      away,
      1e-7,
      "kernel of the tilted measure",
    );
    expect(() =>
      kernelRate(
        step,
        matrixFromRows([
          [9, 0],
          [0, 9],
        ]),
        quadratureClosure(erf, latticeNodes(2, 0.7, 4, true)),
      ),
    ).toThrow("out of reach");
  });

  it("rate of linear units: half of tr X − ln det X − P, X = (gC)⁻¹(C′ − g_b)", () => {
    const kernel = matrixFromRows([
      [1.2, 0.4],
      [0.4, 0.8],
    ]);
    const linear = { activation: identity, kernel, width: 7, weightVariance: 1.5, biasVariance: 0.1 };
    const [a, b, c] = [1.1, -0.35, 2.4];
    const next = matrixFromRows([
      [a + 0.1, b + 0.1],
      [b + 0.1, c + 0.1],
    ]);
    const { rate, conjugate } = kernelRate(linear, next, linearClosure(identity));
    const determinant = 1.2 * 0.8 - 0.4 ** 2;
    const trace = (0.8 * a - 2 * 0.4 * b + 1.2 * c) / (1.5 * determinant);
    const logDeterminant = Math.log((a * c - b * b) / (1.5 ** 2 * determinant));
    expect(rate).toBeCloseTo(0.5 * (trace - logDeterminant - 2), 8);
    // A = ½[(gC)⁻¹ − (C′ − g_b)⁻¹]
    const inverse = (p: number, q: number, r: number): number[] => [r, -q, -q, p].map((value) => value / (p * r - q * q));
    const expected = inverse(1.8, 0.6, 1.2).map((value, i) => 0.5 * (value - inverse(a, b, c)[i]!));
    expectNear(conjugate, expected, 1e-7, "conjugate");
    expect(() => kernelRate(linear, matrixFromRows([[1]]), linearClosure(identity))).toThrow(/next: expected 2 × 2/);
  });

  it("fluctuations of the readout kernel grow linearly with depth at criticality", () => {
    const point = 1.7;
    const depth = (L: number): number => {
      const layers = Array.from({ length: L }, () => 2);
      const k = matrixFromRows([[point]]);
      return (
        priorVariance(
          { activation: relu, firstKernel: k, widths: layers.map(() => 100), weightVariance: layers, biasVariance: layers.map(() => 0) },
          matrixFromRows([[1]]),
          nodesFor(relu, k),
        ) /
        point ** 2
      );
    };
    expect(depth(2)).toBeCloseTo(2 * 0.05, 10);
    expect(depth(7)).toBeCloseTo(7 * 0.05, 10);
  });
});
