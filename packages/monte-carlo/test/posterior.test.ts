import { decodeNpz } from "@finitewidth/core/npz";
import {
  columnVector,
  createProblem,
  inlineRun,
  resolveArchitecture,
  resolveNetworkInput,
  rowRange,
  validate,
  type Matrix,
  type Posterior,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { flatten, readFixture } from "../../../tools/testing.ts";
import { stream } from "@finitewidth/random";
import { conditionReadout, drawsToNpz, monteCarlo } from "../src/index.js";
import type { MonteCarloState } from "../src/posterior/fit.js";
import { inputsOfKernel, randomMatrix, registry, sample, worstScore } from "./helpers.js";

interface ScalarFixture {
  readonly inputs: {
    readonly K: number[][];
    readonly y: number[];
    readonly temperature: number;
    readonly widths: number[];
    readonly variances: number[];
    readonly Kx: number[][];
    readonly Kxx: number[][];
  };
  readonly expected: {
    readonly meanQ: number;
    readonly predictiveMean: number[];
    readonly predictiveCovariance: number[][];
    readonly hiddenKernels: number[][][];
  };
}
interface SamplingFixture {
  readonly cases: readonly {
    readonly case: string;
    readonly inputs: {
      readonly X: number[][];
      readonly y: number[];
      readonly XTest: number[][];
      readonly yTest: number[];
      readonly activation: string;
      readonly widths: number[];
      readonly temperature: number;
      readonly weightVariances: number[];
      readonly biasVariances: number[];
    };
    readonly expected: {
      readonly monteCarlo: Record<
        "predictiveMean" | "readoutNorm" | "trainError",
        { readonly estimate: number | number[]; readonly standardError: number | number[] }
      >;
    };
  }[];
}

/** Training and test inputs that have the joint kernel of a fixture. */
function inputsOf({ K, Kx, Kxx }: ScalarFixture["inputs"]): { readonly train: Matrix; readonly test: Matrix } {
  const joint = [...K.map((row, i) => [...row, ...Kx[i]!]), ...Kxx.map((row, i) => [...Kx.map((cross) => cross[i]!), ...row])];
  const all = inputsOfKernel(joint);
  return { train: rowRange(all, 0, K.length), test: rowRange(all, K.length, joint.length) };
}

// about 40 numbers per case, correlated: |z| > 4.5 has probability 3e-4
const bound = 4.5;

describe("exact posteriors of linear networks (one-dimensional quadrature)", () => {
  it.each([
    ["one-layer", { draws: 500, warmup: 300 }],
    ["two-layers", { draws: 500, warmup: 300 }],
    ["two-layers", { integrator: "rotation", draws: 500, warmup: 300 }],
    ["two-layers", { sampler: "gibbs", draws: 500, warmup: 50 }],
    ["three-layers", { draws: 300, warmup: 250 }],
  ])("%s, %j", async (name, options) => {
    const { inputs, expected } = readFixture<ScalarFixture>(`deep-linear/posterior-scalar-${name}`);
    const { train, test } = inputsOf(inputs);
    const { posterior, predict } = await sample(
      { widths: inputs.widths, activation: "identity", weightVariance: [1, ...inputs.variances] },
      { inputs: train, targets: inputs.y, temperature: inputs.temperature },
      options,
    );
    expect(posterior.warnings).toEqual([]);
    expect(posterior.solver.converged).toBe(true);
    const prediction = await predict(test, { covariance: true });
    expect(worstScore(prediction.mean.data, prediction.standardError!.mean.data, expected.predictiveMean)).toBeLessThan(bound);
    expect(
      worstScore(
        prediction.variance.data,
        prediction.standardError!.variance.data,
        expected.predictiveCovariance.map((row, i) => row[i]!),
      ),
    ).toBeLessThan(bound);
    // off-diagonal of the covariance: the error of a variance of the same size
    expect(Math.abs(prediction.covariance!.data[1]! - expected.predictiveCovariance[0]![1]!)).toBeLessThan(
      bound * Math.max(...prediction.standardError!.variance.data),
    );
    expect(prediction.covariance!.data[0]).toBeCloseTo(prediction.variance.data[0]!, 10);
    expected.hiddenKernels.forEach((kernel, l) =>
      expect(
        worstScore(posterior.hiddenKernels![l]!.data, posterior.standardError!.hiddenKernels![l]!.data, flatten(kernel)),
        `hidden kernel ${l + 1}`,
      ).toBeLessThan(bound),
    );
  });

  it("the check catches a wrong temperature", async () => {
    const { inputs, expected } = readFixture<ScalarFixture>("deep-linear/posterior-scalar-two-layers");
    const { train, test } = inputsOf(inputs);
    const { predict } = await sample(
      { widths: inputs.widths, activation: "identity", weightVariance: [1, ...inputs.variances] },
      { inputs: train, targets: inputs.y, temperature: 1.6 * inputs.temperature },
      { draws: 800 },
    );
    const { mean, standardError } = await predict(test);
    expect(worstScore(mean.data, standardError!.mean.data, expected.predictiveMean)).toBeGreaterThan(bound);
  });
});

describe("long runs of an independent sampler", () => {
  it.each([0, 1, 2])("effective-action/posterior-sampling, case %d", async (index) => {
    const { inputs, expected } = readFixture<SamplingFixture>("effective-action/posterior-sampling").cases[index]!;
    const { posterior, predict } = await sample(
      { widths: inputs.widths, activation: inputs.activation, weightVariance: inputs.weightVariances, biasVariance: inputs.biasVariances },
      { inputs: inputs.X, targets: inputs.y, temperature: inputs.temperature },
      { draws: 250, warmup: 250 },
      { seed: 2 },
    );
    expect(posterior.warnings).toEqual([]);
    const { predictiveMean, readoutNorm } = expected.monteCarlo;
    const prediction = await predict(inputs.XTest);
    expect(
      worstScore(
        prediction.mean.data,
        prediction.standardError!.mean.data,
        predictiveMean.estimate as number[],
        predictiveMean.standardError as number[],
      ),
    ).toBeLessThan(bound);
    const { mean, standardError } = (posterior.diagnostics["traces"] as Record<string, { mean: number; standardError: number }>)[
      "readout norm"
    ]!;
    expect(Math.abs(mean - (readoutNorm.estimate as number)) / Math.hypot(standardError, readoutNorm.standardError as number)).toBeLessThan(
      bound,
    );
    // batches of 12 and 13 draws count alike in the one and draws in the other
    if (inputs.widths.length === 1) expect(Math.abs((posterior.orderParameter as number) - mean)).toBeLessThan(standardError);
  });
});

describe("every sampler has the same answer", () => {
  const data = { inputs: randomMatrix(6, 3, 1), targets: columnVector(Float64Array.of(1, -0.5, 0.3, 0.8, -1, 0.2)), temperature: 0.3 };
  const test = randomMatrix(2, 3, 2);
  const reference = sample({ widths: [4], activation: "erf", biasVariance: 0.1 }, data, { draws: 1200, warmup: 300 });
  it.each([
    { readout: "sampled", draws: 800, warmup: 400 },
    { integrator: "rotation", readout: "sampled", draws: 800, warmup: 400 },
    { metric: "diagonal", draws: 600, warmup: 300 },
    { sampler: "mala", draws: 2500, warmup: 400, storedDraws: 500 },
    { sampler: "langevin", stepSize: 0.015, draws: 4000, warmup: 400, storedDraws: 400 },
  ])("%j", async (options) => {
    const [expected, found] = [
      await reference,
      await sample({ widths: [4], activation: "erf", biasVariance: 0.1 }, data, options, { seed: 5 }),
    ];
    const [a, b] = [await expected.predict(test), await found.predict(test)];
    expect(found.posterior.diagnostics["mixed"]).toBe(true);
    expect(worstScore(b.mean.data, b.standardError!.mean.data, a.mean.data, a.standardError!.mean.data)).toBeLessThan(bound);
    expect(worstScore(b.variance.data, b.standardError!.variance.data, a.variance.data, a.standardError!.variance.data)).toBeLessThan(
      bound,
    );
    expect(
      worstScore(
        found.posterior.hiddenKernels![0]!.data,
        found.posterior.standardError!.hiddenKernels![0]!.data,
        expected.posterior.hiddenKernels![0]!.data,
        expected.posterior.standardError!.hiddenKernels![0]!.data,
      ),
    ).toBeLessThan(bound);
  });

  it("rotations in a metric of their own are refused", async () => {
    await expect(sample({ widths: [4], activation: "erf" }, data, { integrator: "rotation", metric: "diagonal" })).rejects.toThrow(
      /"integrator": "rotation" is for .* with "metric": "unit"/,
    );
  });

  it("large Langevin steps show their bias, and the result says so", async () => {
    const [expected, found] = [
      await reference,
      await sample({ widths: [4], activation: "erf", biasVariance: 0.1 }, data, {
        sampler: "langevin",
        stepSize: 0.2,
        draws: 2000,
        warmup: 100,
        storedDraws: 300,
      }),
    ];
    const score = worstScore(
      found.posterior.hiddenKernels![0]!.data,
      found.posterior.standardError!.hiddenKernels![0]!.data,
      expected.posterior.hiddenKernels![0]!.data,
      expected.posterior.standardError!.hiddenKernels![0]!.data,
    );
    expect(score).toBeGreaterThan(bound);
    expect(found.posterior.warnings.join()).toMatch(/biased by its step size/);
  });

  it("several outputs: the readout norm is the matrix order parameter, symmetric", async () => {
    const { posterior, predict } = await sample(
      { widths: [4], activation: "erf" },
      { ...data, targets: randomMatrix(6, 2, 3) },
      { draws: 400, warmup: 200 },
    );
    const q = posterior.orderParameter as Matrix;
    expect(q.shape).toEqual([2, 2]);
    expect(q.data[1]).toBeCloseTo(q.data[2]!, 12);
    const { mean, covariance } = await predict(test, { covariance: true });
    expect(mean.shape).toEqual([2, 2]);
    expect(covariance!.shape).toEqual([4, 4]);
  });

  it("draws go to .npz as (chain, draw, …)", async () => {
    const { posterior } = await sample({ widths: [4], activation: "erf" }, data, { chains: 2, draws: 20, warmup: 20, storedDraws: 10 });
    const { arrays } = decodeNpz(drawsToNpz(posterior as Posterior<unknown, MonteCarloState>));
    expect(arrays["theta"]!.shape).toEqual([2, 10, 12]);
    expect(arrays["logLikelihood"]!.shape).toEqual([2, 20]);
    const { theta, logLikelihood } = posterior.state as MonteCarloState;
    expect([arrays["theta"]!.data, arrays["logLikelihood"]!.data]).toEqual([theta.data, logLikelihood.data]);
  });
});

describe("mean-field scaling", () => {
  it("is the standard problem with readout variance and temperature divided by the width", async () => {
    const [inputs, targets] = [randomMatrix(4, 3, 7), randomMatrix(4, 1, 8)];
    const network = { type: "fully-connected", widths: [5], activation: "erf" };
    const meanField = createProblem({ network, inputs, targets, temperature: 0.5, scaling: "mean-field" }, registry);
    const standard = createProblem({ network: { ...network, weightVariance: [1, 0.2] }, inputs, targets, temperature: 0.1 }, registry);
    const options = validate(monteCarlo.options, { draws: 20, warmup: 20, chains: 1 }, "options");
    const [a, b] = [
      await monteCarlo.fit(meanField, options, inlineRun({ registry })),
      await monteCarlo.fit(standard, options, inlineRun({ registry })),
    ];
    expect(a.train!.mean).toEqual(b.train!.mean);
    const test = randomMatrix(2, 3, 9);
    const want = { covariance: false };
    expect((await monteCarlo.predict(a, test, want, inlineRun({ registry }))).mean).toEqual(
      (await monteCarlo.predict(b, test, want, inlineRun({ registry }))).mean,
    );
  });
});

describe("activations without gradients", () => {
  it("sign networks are sampled by elliptical slices: agrees with importance sampling of the prior", async () => {
    const [inputs, targets, test] = [randomMatrix(3, 2, 11), randomMatrix(3, 1, 12), randomMatrix(2, 2, 13)];
    const network = { widths: [3], activation: "sign" };
    const { posterior, predict } = await sample(network, { inputs, targets, temperature: 0.3 }, { draws: 500, warmup: 50 });
    expect(posterior.diagnostics["sampler"]).toMatch(/elliptical slice/);
    expect(posterior.warnings).toEqual([]);
    const found = await predict(test);
    // networks from the prior, weighted by the likelihood of the data given their hidden layers
    const resolved = resolveNetworkInput({ type: "fully-connected", ...network }, registry);
    const architecture = resolveArchitecture(registry, resolved);
    const [train, far] = [realise(architecture, inputs, 1), realise(architecture, test, 1)];
    const random = stream(14);
    const theta = new Float64Array(train.parameters);
    const weights: number[] = [];
    const means: Float64Array[] = [];
    for (let s = 0; s < 4000; s++) {
      random.normals(theta);
      const readout = conditionReadout(train.forward(theta).features, 0, targets, 0.3);
      weights.push(Math.exp(readout.logLikelihood));
      means.push(readout.predict(far.forward(theta).features).mean.data.slice());
    }
    const total = weights.reduce((a, b) => a + b);
    const expected = [0, 1].map((i) => means.reduce((sum, m, s) => sum + (weights[s]! / total) * m[i]!, 0));
    const error = [0, 1].map((i) => Math.sqrt(means.reduce((sum, m, s) => sum + ((weights[s]! / total) * (m[i]! - expected[i]!)) ** 2, 0)));
    expect(worstScore(found.mean.data, found.standardError!.mean.data, expected, error)).toBeLessThan(bound);
  });
});
