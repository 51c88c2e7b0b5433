import {
  inlineRun,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  type Matrix,
  type PriorProblem,
  type PriorResult,
  type Tensor,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { poolRun } from "@finitewidth/workers";
import { describe, expect, it } from "vitest";
import { flatten, readFixture } from "../../../tools/testing.ts";
import { momentStandardError } from "@finitewidth/numerics";
import { drawPrior, monteCarlo, samplePrior } from "../src/index.js";
import { randomMatrix, registry, worstScore, type NetworkFields } from "./helpers.js";

const question = (network: NetworkFields, inputs: Matrix, fields: Partial<PriorProblem> = {}): PriorProblem => ({
  network: resolveNetworkInput({ type: "fully-connected", ...network }, registry),
  inputs,
  outputs: 1,
  evaluateAt: [],
  samples: 20_000,
  ...fields,
});
const ask = (problem: PriorProblem, seed = 1): Promise<PriorResult> => samplePrior(problem, inlineRun({ registry, seed }));
const errorOf = (result: PriorResult, quantity: string): ArrayLike<number> => {
  const error = result.standardError![quantity] as Tensor | Float64Array;
  return "shape" in error ? error.data : error;
};
const bound = 4.5;

describe("linear networks, where everything is known", () => {
  // f = √q K^{1/2} z with q a product of chi-squared variables over their widths: E q² = Π(1 + 2/N_l)
  const widths = [3, 5];
  const inputs = matrixFromRows([
    [1, 0.5, -0.3, 0.2],
    [0.2, -1, 0.7, 0],
    [0.9, 0.4, -0.1, 0.3],
  ]);
  const K = Float64Array.from({ length: 9 }, (_, i) => {
    const [a, b] = [Math.floor(i / 3), i % 3];
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += inputs.data[a * 4 + k]! * inputs.data[b * 4 + k]!;
    return (sum / 4) * 2;
  });
  const network = { widths, activation: "identity", weightVariance: [1, 4, 0.5] };
  const beyond = (1 + 2 / 3) * (1 + 2 / 5);
  // for one input: Var q = E q² − 1
  it("second moment, kurtosis, fourth cumulant", async () => {
    const result = await ask(question(network, inputs));
    expect(worstScore(result.secondMoment!.data, errorOf(result, "secondMoment"), K)).toBeLessThan(bound);
    expect(worstScore(result.kernelMeanShift!.data, errorOf(result, "kernelMeanShift"), new Float64Array(9))).toBeLessThan(bound);
    expect(
      worstScore(
        result.excessKurtosis!,
        errorOf(result, "excessKurtosis"),
        [0, 1, 2].map(() => 3 * (beyond - 1)),
      ),
    ).toBeLessThan(bound);
    const cumulant = new Float64Array(81);
    let at = 0;
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++)
        for (let c = 0; c < 3; c++)
          for (let d = 0; d < 3; d++)
            cumulant[at++] = (beyond - 1) * (K[3 * a + b]! * K[3 * c + d]! + K[3 * a + c]! * K[3 * b + d]! + K[3 * a + d]! * K[3 * b + c]!);
    expect(worstScore(result.fourthCumulant!.data, errorOf(result, "fourthCumulant"), cumulant)).toBeLessThan(bound);
    expect(result.warnings).toEqual([]);
  });

  it("the check catches a variance and a width that are wrong", async () => {
    const wrongVariance = await ask(question({ ...network, weightVariance: [1, 4, 0.52] }, inputs));
    expect(worstScore(wrongVariance.secondMoment!.data, errorOf(wrongVariance, "secondMoment"), K)).toBeGreaterThan(bound);
    const wrongWidth = await ask(question({ ...network, widths: [2, 5] }, inputs));
    expect(
      worstScore(
        wrongWidth.excessKurtosis!,
        errorOf(wrongWidth, "excessKurtosis"),
        [0, 1, 2].map(() => 3 * (beyond - 1)),
      ),
    ).toBeGreaterThan(bound);
  });

  it("log density of one hidden layer: variance-gamma law", async () => {
    // N = 4, P = 1, K = 1: p(f) = E N(f | 0, χ²₄/4) = ½ c (1 + c|f|) e^{−c|f|}·½ with c = 2: the 4-dimensional Bessel law
    const one = matrixFromRows([[1]]);
    const values = [0, 0.3, 2].map((value) => matrixFromRows([[value]]));
    const result = await ask(question({ widths: [4], activation: "identity" }, one, { evaluateAt: values, samples: 40_000 }));
    const expected = [0, 0.3, 2].map((value) => Math.log(0.5 * (1 + 2 * value) * Math.exp(-2 * value)));
    expect(worstScore(result.logDensity!, errorOf(result, "logDensity"), expected)).toBeLessThan(bound);
  });

  it("no density where the outputs lie in a subspace: few units, duplicate inputs", async () => {
    const evaluateAt = [matrixFromRows([[0], [0.1], [0.2]])];
    for (const problem of [
      question({ widths: [2, 7], activation: "identity" }, inputs, { evaluateAt, samples: 100 }),
      question({ widths: [2], activation: "erf" }, inputs, { evaluateAt, samples: 100 }),
      question(
        { widths: [8], activation: "erf" },
        matrixFromRows([
          [1, 2],
          [1, 2],
          [0, 1],
        ]),
        { evaluateAt, samples: 100 },
      ),
    ]) {
      const result = await ask(problem);
      expect(result.logDensity).toBeUndefined();
      expect(result.warnings.join()).toMatch(/no density/);
    }
  });
});

describe("nonlinear networks", () => {
  it("agree with a long run of independent code (two erf layers, N = 50)", async () => {
    interface Fixture {
      readonly inputs: {
        readonly inputs: number[][];
        readonly activation: string;
        readonly weightVariances: number[];
        readonly biasVariances: number[];
        readonly pairs: [number, number][];
      };
      readonly expected: {
        readonly perWidth: readonly {
          readonly widths: number[];
          readonly meanShift: { readonly estimate: number[]; readonly standardError: number[] };
        }[];
      };
    }
    const { inputs, expected } = readFixture<Fixture>("perturbative/mc-prior-erf");
    const { widths, meanShift } = expected.perWidth[0]!;
    const result = await ask(
      question(
        { widths, activation: inputs.activation, weightVariance: inputs.weightVariances, biasVariance: inputs.biasVariances },
        matrixFromRows(inputs.inputs),
        { samples: 5000 },
      ),
    );
    const at = (data: ArrayLike<number>): number[] => inputs.pairs.map(([a, b]) => data[a * 3 + b]!);
    expect(
      worstScore(at(result.kernelMeanShift!.data), at(errorOf(result, "kernelMeanShift")), meanShift.estimate, meanShift.standardError),
    ).toBeLessThan(bound);
  });

  it("one layer: E K̂ is the infinite-width kernel, Cov K̂ is the variance of one unit over N", async () => {
    const result = await ask(question({ widths: [4], activation: "relu", biasVariance: 0.3 }, randomMatrix(2, 3, 1)));
    expect(worstScore(result.kernelMeanShift!.data, errorOf(result, "kernelMeanShift"), new Float64Array(4))).toBeLessThan(bound);
    const wide = await ask(question({ widths: [8], activation: "relu", biasVariance: 0.3 }, randomMatrix(2, 3, 1)), 2);
    const [a, b] = [result.kernelCovariance!.data, wide.kernelCovariance!.data.map((value) => 2 * value)];
    expect(
      worstScore(
        a,
        errorOf(result, "kernelCovariance"),
        b,
        Array.from(errorOf(wide, "kernelCovariance"), (error) => 2 * error),
      ),
    ).toBeLessThan(bound);
  });

  it("more than eight points: no tensors of fourth order; an input of zeros has kurtosis 0 and a warning", async () => {
    const result = await ask(
      question({ widths: [3], activation: "erf" }, matrixFromRows([[0, 0], ...Array.from({ length: 9 }, (_, i) => [1, i])]), {
        samples: 200,
      }),
    );
    expect(result.fourthCumulant).toBeUndefined();
    expect(result.kernelCovariance).toBeUndefined();
    expect(result.excessKurtosis![0]).toBe(0);
    expect(result.warnings.join()).toMatch(/inputs\[0\]/);
    expect(flatten(result.secondMoment!)).toHaveLength(100);
  });

  it("many input features cost no more than as many as there are points, and change nothing in law", async () => {
    const inputs = randomMatrix(2, 40, 3);
    const problem = question({ widths: [3], activation: "erf" }, inputs, { samples: 4000 });
    const reduced = await ask(problem);
    const { kernel } = await drawPrior.run(
      { network: problem.network, inputs, outputs: 1, evaluateAt: [], products: false, samples: 4000, seed: 2, index: 0 },
      { registry, tick: () => undefined },
    );
    const lower = (data: ArrayLike<number>): number[] => [data[0]!, data[2]!, data[3]!];
    expect(
      worstScore(lower(reduced.secondMoment!.data), lower(errorOf(reduced, "secondMoment")), kernel.mean, momentStandardError(kernel)),
    ).toBeLessThan(bound);
    // the fluctuations have the same law too: variances of three entries, each known to about √(κ/4000)
    expect(worstScore(lower(errorOf(reduced, "secondMoment")), [1, 1, 1], momentStandardError(kernel))).toBeLessThan(
      0.1 * Math.max(...momentStandardError(kernel)),
    );
  });
});

describe("chunks", () => {
  it("the number of workers changes nothing", async () => {
    const problem = question({ widths: [3], activation: "erf" }, randomMatrix(2, 3, 4), {
      samples: 2000,
      evaluateAt: [randomMatrix(2, 1, 5)],
    });
    const inline = await ask(problem, 3);
    const run = poolRun({ registry, seed: 3, workers: 2 });
    try {
      expect(await monteCarlo.prior!(problem, {} as never, run)).toEqual(inline);
    } finally {
      run.close();
    }
  });
  it("one sample cannot know its error and is refused; two can", async () => {
    const inputs = randomMatrix(1, 2, 1);
    await expect(ask(question({ widths: [3], activation: "erf" }, inputs, { samples: 1 }))).rejects.toThrow(/at least 2 samples/);
    expect(
      Number.isFinite(
        flatten(
          (await ask(question({ widths: [3], activation: "erf" }, inputs, { samples: 2 }))).standardError!["secondMoment"] as Tensor,
        )[0],
      ),
    ).toBe(true);
  });
});

it("the shift of the mean kernel is the mean kernel less that of infinite width", async () => {
  const network = { widths: [2, 2, 2], activation: "relu", weightVariance: 2, biasVariance: 0.1 };
  const asked = question(network, randomMatrix(3, 2, 5), { samples: 20 });
  const { secondMoment, kernelMeanShift } = await ask(asked);
  const limit = infiniteWidthKernels(resolveArchitecture(registry, asked.network), asked.inputs).preactivation.at(-1)!;
  secondMoment!.data.forEach((value, i) => expect(kernelMeanShift!.data[i]).toBeCloseTo(value - limit.data[i]!, 12));
  expect(Math.max(...kernelMeanShift!.data.map(Math.abs))).toBeGreaterThan(0.01);
});
