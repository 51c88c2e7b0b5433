import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { identity } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  hiddenKernelSums,
  hiddenKernelsOn,
  importanceSample,
  laplaceFit,
  latticeSample,
  matrixTarget,
  meanMixing,
  mixingDraws,
  predictMatrix,
  projectCross,
  spectralProblem,
  type PlainChain,
  type PosteriorSample,
} from "../src/index.js";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";

interface MatrixCase {
  readonly K: number[][];
  readonly Y: number[][];
  readonly temperature: number;
  readonly widths: number[];
  readonly variances: number[];
  readonly Kx: number[][];
  readonly Kxx: number[][];
}
interface Estimate {
  readonly estimate: number | number[][];
  readonly standardError: number | number[][];
}

/** Everything the fixtures ask for, from a sample of the posterior. */
function analyse(c: MatrixCase, sampler: (target: ReturnType<typeof matrixTarget>) => PosteriorSample) {
  const chain: PlainChain = { widths: c.widths, variances: c.variances, hiddenBias: c.widths.map(() => 0), readoutBias: 0 };
  const problem = spectralProblem(matrixFromRows(c.K), matrixFromRows(c.Y), c.temperature);
  const target = matrixTarget(chain, problem);
  const varying = sampler(target);
  const sample = { ...varying, logEvidence: varying.logEvidence + target.logConstant! };
  const draws = mixingDraws(target, sample);
  const cross = projectCross(problem.spectrum.vectors, matrixFromRows(c.Kx));
  const prior = matrixFromRows(c.Kxx);
  const rotation = identity(2);
  const kernels = hiddenKernelsOn(target, hiddenKernelSums(target, problem, sample, sample.batchCount), cross, prior);
  return { sample, order: meanMixing(draws, rotation), prediction: predictMatrix(problem, draws, rotation, cross, prior), kernels };
}

describe("several outputs", () => {
  it.each(["a", "b"])("fixture posterior-matrix-quadrature-%s: lattice quadrature", (name) => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: MatrixCase;
      expected: {
        logEvidence: number;
        meanQ: number[][];
        predictiveMean: number[][];
        predictiveCovariance: number[][][][];
        hiddenKernelTest: number[][];
      };
      tolerance: { relative: number; absolute: number };
    }>(`deep-linear/posterior-matrix-quadrature-${name}`);
    const { sample, order, prediction, kernels } = analyse(inputs, (target) => latticeSample(target, laplaceFit(target))!);
    expectClose(sample.logEvidence, expected.logEvidence, tolerance, "logEvidence");
    expectClose(order.mean, expected.meanQ, tolerance, "meanQ");
    expectClose(prediction.mean, expected.predictiveMean, tolerance, "mean");
    expectClose(prediction.covariance!, expected.predictiveCovariance, tolerance, "covariance");
    expectClose(
      prediction.variance,
      expected.predictiveCovariance.map((rows, m) => rows.map((block, a) => block[m]![a]!)),
      tolerance,
      "variance",
    );
    expectClose(kernels.mean[0]!, expected.hiddenKernelTest, tolerance, "hidden kernel");
    expect(kernels.standardError).toBeUndefined();
  });

  it.each(["two-layers", "bottleneck"])("fixture posterior-matrix-monte-carlo-%s: importance sampling", (name) => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: MatrixCase;
      expected: {
        logEvidence: Estimate;
        meanQ: Estimate;
        predictiveMean: Estimate;
        predictiveSecondMoment: Estimate;
        hiddenKernelsTest: Estimate[];
      };
      tolerance: { zScore: number };
    }>(`deep-linear/posterior-matrix-monte-carlo-${name}`);
    const { sample, order, prediction, kernels } = analyse(inputs, (target) =>
      importanceSample(target, laplaceFit(target), 20_000, stream(3, 1)),
    );
    const compare = (what: string, value: number | Matrix, error: number | Matrix, { estimate, standardError }: Estimate): void => {
      const list = (entry: number | Matrix | number[][]): number[] =>
        typeof entry === "number" ? [entry] : "data" in entry ? Array.from(entry.data) : entry.flat();
      const combined = list(standardError).map((e, i) => Math.hypot(e, list(error)[i]!));
      expectWithinStandardErrors(list(value), list(estimate), combined, tolerance.zScore, what);
    };
    compare("logEvidence", sample.logEvidence, sample.logEvidenceStandardError, expected.logEvidence);
    compare("meanQ", order.mean, order.standardError, expected.meanQ);
    compare("mean", prediction.mean, prediction.standardError!.mean, expected.predictiveMean);
    const second = {
      data: prediction.variance.data.map((value, i) => value + prediction.mean.data[i]! ** 2),
      shape: prediction.variance.shape,
    };
    const secondError = {
      data: prediction.standardError!.variance.data.map((value, i) =>
        Math.hypot(value, 2 * prediction.mean.data[i]! * prediction.standardError!.mean.data[i]!),
      ),
      shape: second.shape,
    };
    compare("second moment", second, secondError, expected.predictiveSecondMoment);
    expected.hiddenKernelsTest.forEach((e, l) => compare(`hidden kernel ${l + 1}`, kernels.mean[l]!, kernels.standardError![l]!, e));
  });

  it("errors of hidden kernels are those of the groups of draws: two, of unequal weight, by hand", () => {
    const chain: PlainChain = { widths: [4, 5], variances: [0.9, 1.1], hiddenBias: [0, 0], readoutBias: 0 };
    const K = matrixFromRows([
      [1.2, 0.3],
      [0.3, 0.8],
    ]);
    const problem = spectralProblem(K, matrixFromRows([[0.5, -1], [1.5, 0.2]]), 0.3); // prettier-ignore
    const target = matrixTarget(chain, problem);
    const { points, weights, batches } = importanceSample(target, laplaceFit(target), 640, stream(4));
    const [cross, prior] = [projectCross(problem.spectrum.vectors, K), K];
    const of = (group: number | undefined, groups: number) => {
      const kept = [...batches.keys()].filter((k) => group === undefined || batches[k]! % 2 === group);
      const part = {
        points: kept.map((k) => points[k]!),
        weights: Float64Array.from(kept, (k) => weights[k]!),
        batches: Int32Array.from(kept, (k) => batches[k]!),
      };
      const weight = part.weights.reduce((sum, value) => sum + value, 0);
      return { weight, kernels: hiddenKernelsOn(target, hiddenKernelSums(target, problem, part, groups), cross, prior) };
    };
    const [both, even, odd] = [of(undefined, 2), of(0, 1), of(1, 1)];
    expect(Math.abs(even.weight - odd.weight)).toBeGreaterThan(1e-3);
    both.kernels.standardError!.forEach((errors, l) => {
      const parts = [even, odd].map(({ weight, kernels }) =>
        kernels.mean[l]!.data.map((value, i) => weight * (value - both.kernels.mean[l]!.data[i]!)),
      );
      expectClose(
        errors,
        errors.data.map((_, i) => Math.sqrt(2 * (parts[0]![i]! ** 2 + parts[1]![i]! ** 2))),
        { relative: 1e-9 },
      );
    });
  });
});
