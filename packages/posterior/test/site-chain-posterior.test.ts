import { inlineRun, matrixFromRows, type Matrix, type Problem } from "@finitewidth/core";
import type { ConvolutionalNetwork } from "@finitewidth/prior-conv";
import { describe, expect, it } from "vitest";
import { convolutionOf, expectClose, expectWithinStandardErrors, readFixture, type ConvolutionFixture } from "../../../tools/testing.ts";
import { lawOf, testRegistry } from "./registry.js";
import { firstHiddenKernelBetweenSites, fitSiteChain, predictSiteChain } from "../src/site-chain/index.js";

const run = inlineRun({ registry: testRegistry(), seed: 1 });

interface Inputs extends ConvolutionFixture {
  readonly Y: number[][];
  readonly temperature: number;
}

function setUp(input: Inputs): { readonly problem: Problem; readonly test: Matrix; readonly network: ConvolutionalNetwork } {
  const network = convolutionOf(input);
  const rows = input.X.map((image) => image.flat());
  const count = input.Y.length;
  return {
    network,
    problem: {
      network,
      inputs: matrixFromRows(rows.slice(0, count)),
      targets: matrixFromRows(input.Y),
      temperature: input.temperature,
      scaling: "standard",
    },
    test: matrixFromRows(rows.slice(count)),
  };
}

describe("posterior over sites, one layer, by quadrature", async () => {
  const fixture = readFixture<{
    inputs: Inputs;
    expected: {
      logEvidence: number;
      meanMixingMatrix: number[][];
      predictiveMean: number[][];
      predictiveSecondMoment: number[][];
      firstHiddenKernelSites01: number[][];
    };
  }>("deep-linear/conv-posterior-quadrature-dense");
  const { expected } = fixture;
  const { problem, test, network } = setUp(fixture.inputs);
  const law = lawOf(network);
  const posterior = await fitSiteChain(problem, law, {}, run);
  const tolerance = { absolute: 1e-6, relative: 1e-6 };

  it("reproduces the fixture", () => {
    expect(posterior.diagnostics).toMatchObject({ method: "quadrature", dimension: 3 });
    expectClose([posterior.logEvidence!], [expected.logEvidence], tolerance, "log evidence");
    expectClose(posterior.orderParameter as Matrix, expected.meanMixingMatrix, tolerance, "mixing matrix");
    const { mean, variance } = predictSiteChain(posterior.state, problem, law, test, false, run);
    expectClose(mean, expected.predictiveMean, tolerance, "mean");
    expectClose(
      variance.data.map((value, i) => value + mean.data[i]! ** 2),
      expected.predictiveSecondMoment,
      tolerance,
      "second moment",
    );
    expectClose(
      firstHiddenKernelBetweenSites(posterior, law, 0, 1),
      expected.firstHiddenKernelSites01,
      tolerance,
      "hidden kernel between sites 0 and 1",
    );
  });

  it("averages the kernels of its sites", () => {
    const average = [0, 1]
      .map((i) => firstHiddenKernelBetweenSites(posterior, law, i, i).data)
      .reduce((a, b) => a.map((value, k) => (value + b[k]!) / 2));
    expectClose(posterior.hiddenKernels![0]!, average, { relative: 1e-10 });
  });
});

describe("posterior over sites, two layers, by sampling", async () => {
  const fixture = readFixture<{
    inputs: Inputs;
    expected: Record<"logEvidence" | "traceMixingMatrix", { estimate: number; standardError: number }> &
      Record<"predictiveMean" | "predictiveSecondMoment", { estimate: number[][]; standardError: number[][] }>;
  }>("deep-linear/conv-posterior-monte-carlo-two-layers");
  const { expected } = fixture;
  const { problem, test, network } = setUp(fixture.inputs);
  const law = lawOf(network);
  const posterior = await fitSiteChain(problem, law, {}, run);

  it("agrees with the fixture within standard errors", () => {
    const joint = (a: number, b: number): number => Math.hypot(a, b);
    const errors = posterior.standardError!;
    expectWithinStandardErrors(
      [posterior.logEvidence!],
      [expected.logEvidence.estimate],
      [joint(expected.logEvidence.standardError, errors.logEvidence!)],
      4.5,
      "log evidence",
    );
    const mixing = posterior.orderParameter as Matrix;
    const d = mixing.shape[0];
    const trace = mixing.data.reduce((sum, value, k) => (k % (d + 1) === 0 ? sum + value : sum), 0);
    const traceError = (errors.orderParameter as Matrix).data.reduce((sum, value, k) => (k % (d + 1) === 0 ? sum + value : sum), 0);
    expectWithinStandardErrors(
      [trace],
      [expected.traceMixingMatrix.estimate],
      [joint(traceError, expected.traceMixingMatrix.standardError)],
      4.5,
      "trace",
    );
    const { mean, variance, standardError } = predictSiteChain(posterior.state, problem, law, test, false, run);
    expectWithinStandardErrors(
      mean,
      expected.predictiveMean.estimate,
      expected.predictiveMean.standardError.flat().map((value, i) => joint(value, standardError!.mean.data[i]!)),
      4.5,
      "mean",
    );
    const second = variance.data.map((value, i) => value + mean.data[i]! ** 2);
    const secondError = expected.predictiveSecondMoment.standardError
      .flat()
      .map((value, i) => joint(value, joint(standardError!.variance.data[i]!, 2 * mean.data[i]! * standardError!.mean.data[i]!)));
    expectWithinStandardErrors(second, expected.predictiveSecondMoment.estimate, secondError, 4.5, "second moment");
  });

  it("agrees with itself at training inputs, and has joint covariances", () => {
    const { mean, variance, covariance } = predictSiteChain(posterior.state, problem, law, problem.inputs, true, run);
    expectClose(mean, posterior.train!.mean, { relative: 1e-9, absolute: 1e-10 });
    expectClose(variance, posterior.train!.variance, { relative: 1e-8, absolute: 1e-10 });
    expectClose(
      variance.data.map((_, k) => covariance!.data[k * variance.data.length + k]!),
      variance,
      { relative: 1e-9, absolute: 1e-11 },
    );
  });

  it("says how good its draws are", () => {
    expect(posterior.diagnostics).toMatchObject({ method: "importance", dimension: 9, sites: 3 });
    expect(posterior.diagnostics["paretoShape"]).toBeLessThan(0.5);
    expect(posterior.hiddenKernels?.length).toBe(2);
  });
});

describe("posterior over sites without noise", () => {
  // pooled: one reduced site, so one coordinate and cheap quadrature
  const network: ConvolutionalNetwork = {
    type: "convolutional",
    inputShape: [4, 2],
    layers: [{ channels: 4, kernelSize: [2], stride: [1], padding: "circular", dilation: [1] }],
    readout: "global-average",
    activation: "identity",
    weightVariance: [1, 1],
    biasVariance: [0, 0],
  };
  const law = lawOf(network);
  const rows = [
    [1, 0.4, -0.7, 0.3, 0.2, -1, 0.5, 0.8],
    [-0.6, 0.3, 1.1, 0.2, 1.3, 0.4, -0.2, 0.1],
    [0.1, 0.7, 0.3, -1.2, 0.6, 0.2, 0.9, -0.4],
  ];
  const targets = [[0.5], [-1], [0.7]];
  const problemOf = (inputs: number[][], values: number[][], temperature: number): Problem => ({
    network,
    inputs: matrixFromRows(inputs),
    targets: matrixFromRows(values),
    temperature,
    scaling: "standard",
  });

  it("is the limit of small noise, and a duplicate adds nothing", async () => {
    const test = matrixFromRows([[0.3, 0.3, -0.2, 1, 0.4, -0.1, 0.2, 0.6]]);
    const at = async (problem: Problem) => {
      const posterior = await fitSiteChain(problem, law, { draws: 2000 }, run);
      return { posterior, prediction: predictSiteChain(posterior.state, problem, law, test, false, run) };
    };
    const none = await at(problemOf(rows, targets, 0));
    const little = await at(problemOf(rows, targets, 1e-9));
    const twice = await at(problemOf([...rows, rows[0]!], [...targets, targets[0]!], 0));
    expectClose([none.posterior.logEvidence!], [little.posterior.logEvidence!], { absolute: 1e-6 });
    expectClose(none.prediction.mean, little.prediction.mean, { absolute: 1e-6 });
    expectClose(twice.prediction.mean, none.prediction.mean, { absolute: 1e-6 });
    expectClose(twice.prediction.variance, none.prediction.variance, { absolute: 1e-6 });
    expectClose(twice.posterior.train!.mean, [...targets, targets[0]!], {});
    expectClose(twice.posterior.hiddenKernels![0]!.data.slice(0, 3), none.posterior.hiddenKernels![0]!.data.slice(0, 3), {
      absolute: 1e-6,
    });
  });

  it("rejects targets that contradict each other, and chains that are too large", async () => {
    await expect(fitSiteChain(problemOf([...rows, rows[0]!], [...targets, [3]], 0), law, {}, run)).rejects.toThrow(
      /likelihood\.temperature: expected T > 0, or targets that the network can produce/,
    );
    const large: ConvolutionalNetwork = {
      ...network,
      readout: "flatten",
      inputShape: [1, 28, 28],
      layers: [{ channels: 30, kernelSize: [3, 3], stride: [1, 1], padding: "circular", dilation: [1, 1] }],
    };
    const images: Matrix = { data: Float64Array.from({ length: 3 * 784 }, (_, k) => Math.sin(k * k)), shape: [3, 784] };
    await expect(
      fitSiteChain(
        { network: large, inputs: images, targets: matrixFromRows(targets), temperature: 0.1, scaling: "standard" },
        lawOf(large),
        {},
        run,
      ),
    ).rejects.toThrow(/784 sites have 23085 coordinates/);
  });
});
