import { createRegistry, type NetworkDraw, type TermAverages } from "@finitewidth/core";
import { describe, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { plugin } from "../src/observables.js";

const registry = createRegistry([plugin]);
const close = (got: ArrayLike<number>, expected: readonly number[]): void => expectClose(got, expected, { absolute: 1e-10 });

/** Averages over draws whose terms are given, all of the same weight. */
function valueOf(name: string, draws: readonly NetworkDraw[], points: number, layer = 1): number[] {
  const observable = registry.observable(name);
  const all = draws.map((one) => observable.terms(one, layer));
  const averages: TermAverages = {
    of: (term) => all[0]![term]!.map((_, i) => all.reduce((sum, terms) => sum + terms[term]![i]!, 0) / all.length),
    logMeanWeight: -3,
  };
  return [...observable.value(averages, points, layer)];
}

describe("observables of the prior, from the kernels of draws", () => {
  const kernels = [[4, 1, 1, 3], [1, -0.5, -0.5, 2], [2, 0.3, 0.3, 5]]; // prettier-ignore
  const draws = kernels.map((data): NetworkDraw => ({
    kernel: { data: Float64Array.from(data), shape: [2, 2] },
    points: 2,
    hiddenKernels: () => [],
  }));
  const mean = (of: (kernel: number[]) => number): number => kernels.reduce((sum, kernel) => sum + of(kernel), 0) / 3;
  const k = (kernel: number[], a: number, b: number): number => kernel[2 * a + b]!;
  const pairs = [0, 1].flatMap((a) => [0, 1].map((b) => [a, b] as const));
  const fours = pairs.flatMap(([a, b]) => pairs.map(([c, d]) => [a, b, c, d] as const));

  it("means and covariances of its entries", () => {
    const average = pairs.map(([a, b]) => mean((one) => k(one, a, b)));
    close(valueOf("kernelMean", draws, 2), average);
    close(valueOf("secondMoment", draws, 2), average);
    const covariance = fours.map(([a, b, c, d]) => mean((one) => k(one, a, b) * k(one, c, d)) - average[2 * a + b]! * average[2 * c + d]!);
    close(valueOf("kernelCovariance", draws, 2), covariance);
  });

  it("fourth moments: given the kernel an output is Gaussian, so that all three pairings count", () => {
    const wick = fours.map(([a, b, c, d]) =>
      mean((one) => k(one, a, b) * k(one, c, d) + k(one, a, c) * k(one, b, d) + k(one, a, d) * k(one, b, c)),
    );
    close(valueOf("fourthMoment", draws, 2), wick);
    const kurtosis = [0, 1].map((a) => (3 * mean((one) => k(one, a, a) ** 2)) / mean((one) => k(one, a, a)) ** 2 - 3);
    close(valueOf("excessKurtosis", draws, 2), kurtosis);
  });
});

describe("observables of the posterior, from the conditional moments of draws", () => {
  /** Two training points, one test point, two outputs. */
  const draw = (sign: number): NetworkDraw => ({
    kernel: { data: new Float64Array(9), shape: [3, 3] },
    points: 2,
    testTargets: { data: Float64Array.of(5, -6), shape: [1, 2] },
    hiddenKernels: () => [1, 2].map((l) => ({ data: Float64Array.of(10 * l + sign, 1, 1, 5), shape: [2, 2] })),
    conditional: {
      mean: { data: Float64Array.of(1, 2, 3, 4, 5, 6).map((value) => value + sign * value ** 2), shape: [3, 2] },
      variance: Float64Array.of(0.1, 0.2, 0.3),
      covariance: () => ({ data: new Float64Array(9), shape: [3, 3] }),
      probabilities: { data: Float64Array.of(0.1, 0.9, 0.2, 0.8, 0.5 + sign / 10, 0.5 - sign / 10), shape: [3, 2] },
      readoutNorm: () => ({ data: Float64Array.of(1, sign, sign, 2), shape: [2, 2] }),
    },
  });
  const draws = [draw(1), draw(-1), draw(3)];

  it("training points and test points, each output with the variance of its point and the spread of the means", () => {
    // the mean of the signs is 1, their variance 8/3
    const means = [1, 2, 3, 4, 5, 6].map((value) => value + value ** 2);
    const variances = [1, 2, 3, 4, 5, 6].map((value, i) => [0.1, 0.2, 0.3][Math.floor(i / 2)]! + (8 / 3) * value ** 4);
    close(valueOf("train.mean", draws, 2), means.slice(0, 4));
    close(valueOf("train.variance", draws, 2), variances.slice(0, 4));
    close(valueOf("predictive.mean", draws, 2), means.slice(4));
    close(valueOf("predictive.variance", draws, 2), variances.slice(4));
  });

  it("kernels of the layer that is asked for, probabilities of test points, norms, and the evidence", () => {
    close(valueOf("hiddenKernel", draws, 2, 1), [11, 1, 1, 5]);
    close(valueOf("hiddenKernel", draws, 2, 2), [21, 1, 1, 5]);
    close(valueOf("predictive.probabilities", draws, 2), [0.6, 0.4]);
    close(valueOf("readoutNorm", draws, 2), [1, 1, 1, 2]);
    close(valueOf("logEvidence", draws, 2), [-3]);
    // distances 25 and 12 + 36 of the first draw, −25 and 12 − 36 of the second, 75 and 12 + 108 of the third, and the point's variance
    const distances = [(25 ** 2 + 48 ** 2) / 2, (25 ** 2 + 24 ** 2) / 2, (75 ** 2 + 120 ** 2) / 2];
    close(valueOf("generalizationError", draws, 2), [distances.reduce((sum, value) => sum + value, 0) / 3 + 0.3]);
  });
});
