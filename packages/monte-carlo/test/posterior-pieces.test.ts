import {
  createProblem,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  rowRange,
  type Matrix,
  type Problem,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { leadingDistance } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { hasControls } from "../src/referee/controls.js";
import { priorDistance } from "../src/referee/prior-distance.js";
import { batchCount, batchOf } from "../src/posterior/batch-means.js";
import { samplingProblem } from "../src/posterior/chain.js";
import { kernelShifts } from "../src/posterior/kernel-shift.js";
import { visitSteinMehler } from "../src/posterior/stein-mehler.js";
import type { NetworkDrawsState } from "../src/likelihood/fit.js";
import type { NetworkIslandChunk, NetworkIslandResult } from "../src/likelihood/island.js";
import { collapsedLogLikelihood, measurePriorDistance, monteCarlo } from "../src/index.js";
import { answeredRun, ladder, levels, normals, randomMatrix, registry, registryWith, sample, worstScore } from "./helpers.js";

const problemOf = (network: object, points: number, outputs = 2): Problem => ({
  network: resolveNetworkInput({ type: "fully-connected", ...network } as { type: string }, registry),
  inputs: randomMatrix(points, 3, 1),
  targets: randomMatrix(points, outputs, 2),
  temperature: 0.4,
  scaling: "standard",
});
const errorOf = (values: readonly number[]): number => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length * (values.length - 1)));
};

it("batches: a tenth of the draws each, 2 to 20 of them, successive and as long as each other", () => {
  expect([8, 20, 29, 30, 199, 200, 5000].map(batchCount)).toEqual([2, 2, 2, 3, 19, 20, 20]);
  expect(Array.from({ length: 7 }, (_, i) => batchOf(i, 7, 2))).toEqual([0, 0, 0, 0, 1, 1, 1]);
});

describe("shifts of the hidden kernels", () => {
  const problem = problemOf({ widths: [3, 4], activation: "tanh", weightVariance: [1.2, 1.5, 1], biasVariance: [0.1, 0.2, 0] }, 3);
  it("are averages over draws, in batches and chains, with the error of these", async () => {
    const sampling = samplingProblem(problem, registry);
    const likelihood = collapsedLogLikelihood(sampling);
    const { dimension } = likelihood;
    const [chains, draws] = [2, 30];
    const theta = normals(chains * draws * dimension, 3);
    const found = await kernelShifts(problem, { data: theta, shape: [chains, draws, dimension] }, { ...answeredRun(() => undefined), seed: 9, async *map(task, chunks) { for (const chunk of chunks) yield task.run(chunk, { registry, tick: () => {} }); } }); // prettier-ignore
    const means: Float64Array[][] = [];
    const gradient = new Float64Array(dimension);
    const scratch = { xi: new Float64Array(dimension), full: new Float64Array(sampling.network.parameters) };
    for (let c = 0; c < chains; c++) {
      const random = stream(9, 11, c);
      for (let b = 0; b < 3; b++) {
        const sums = [new Float64Array(9), new Float64Array(9)];
        for (let k = 0; k < 10; k++) {
          const at = theta.slice(((c * 3 + b) * 10 + k) * dimension, ((c * 3 + b) * 10 + k + 1) * dimension);
          likelihood.evaluate(at, gradient);
          visitSteinMehler(at, gradient, random, scratch, (point, weight) =>
            sampling.network.forward(point).hiddenKernels().forEach(({ data }, l) => data.forEach((value, i) => (sums[l]![i]! += (weight * value) / 10))),
          ); // prettier-ignore
        }
        means.push(sums);
      }
    }
    for (const l of [0, 1]) {
      const values = (i: number) => means.map((sums) => sums[l]![i]!);
      expectClose(
        found.mean[l]!,
        Array.from({ length: 9 }, (_, i) => values(i).reduce((a, b) => a + b, 0) / 6),
        { relative: 1e-9, absolute: 1e-12 },
      );
      expectClose(
        found.standardError[l]!,
        Array.from({ length: 9 }, (_, i) => errorOf(values(i))),
        { relative: 1e-9 },
      );
    }
  });
  it("of the first of two layers is its mean kernel less that of infinite width", async () => {
    const { widths, activation } = { widths: [3, 4], activation: "erf" };
    const data = { inputs: problem.inputs, targets: problem.targets, temperature: 0.1 };
    const { posterior } = await sample({ widths, activation, weightVariance: [2, 1.5, 1] }, data, {
      shifts: true,
      chains: 3,
      draws: 300,
      warmup: 150,
    });
    const architecture = resolveArchitecture(registry, posterior.problem.network);
    const prior = infiniteWidthKernels(architecture, data.inputs).hidden[0]!.data;
    const { hiddenKernels, hiddenKernelShifts, standardError } = posterior;
    expect(
      worstScore(
        hiddenKernelShifts![0]!.data,
        standardError!.hiddenKernelShifts![0]!.data,
        hiddenKernels![0]!.data.map((value, i) => value - prior[i]!),
        standardError!.hiddenKernels![0]!.data,
      ),
    ).toBeLessThan(4.5);
    // there is a shift to be seen
    expect(
      Math.max(...hiddenKernelShifts![0]!.data.map((value, i) => Math.abs(value) / standardError!.hiddenKernelShifts![0]!.data[i]!)),
    ).toBeGreaterThan(6);
  });
});

describe("distance of the prior to its Gaussian process", () => {
  const width = 40;
  const problem = problemOf({ widths: [width], activation: "identity", weightVariance: [1.3, 0.8], biasVariance: [0.2, 0.5] }, 2);
  it("of a linear layer: the covariance of its kernel is known", async () => {
    const found = await measurePriorDistance.run({ problem, seed: 4 }, { registry, tick: () => {} });
    const total = infiniteWidthKernels(resolveArchitecture(registry, problem.network), problem.inputs).preactivation.at(-1)!;
    const own = total.data.map((value) => value - 0.5);
    const data = Float64Array.from({ length: 16 }, (_, at) => {
      const [a, b, c, d] = [8, 4, 2, 1].map((place) => Math.floor(at / place) % 2) as [number, number, number, number];
      return (own[2 * a + c]! * own[2 * b + d]! + own[2 * a + d]! * own[2 * b + c]!) / width;
    });
    const noisy: Matrix = { data: total.data.map((value, i) => value + (i % 3 === 0 ? 0.4 : 0)), shape: [2, 2] };
    const expected = leadingDistance({ data, shape: [2, 2, 2, 2] }, { data: new Float64Array(4), shape: [2, 2] }, noisy, 2);
    expect(Math.abs(found.chiSquare - expected.chiSquare) / found.standardError).toBeLessThan(4);
    expect(found.standardError).toBeLessThan(0.25 * expected.chiSquare);
  });
  it("is left out beyond three hundred points", async () => {
    const run = answeredRun(() => ({ chiSquare: 1, relativeEntropy: 1, totalVariation: 1, standardError: 1 }));
    const at = (points: number) => priorDistance({ ...problem, inputs: randomMatrix(points, 3, 1) }, run);
    expect(await at(301)).toEqual({});
    expect(Object.keys(await at(300))).toEqual(["priorDistance"]);
    expect(run.asked.map(({ chunk }) => chunk["seed"])).toEqual([1]);
  });
});

it("control variates are for one layer with slopes that has as many units as there are points", () => {
  const of = (widths: readonly number[], activation: string, points: number): boolean =>
    hasControls(resolveArchitecture(registry, problemOf({ widths, activation }, 2).network), points);
  expect([of([5], "erf", 5), of([5], "erf", 6), of([5, 5], "erf", 2), of([5], "sign", 2)]).toEqual([true, false, false, false]);
});

it("Gibbs draws of two outputs with biases are those of Hamiltonian Monte Carlo", async () => {
  const network = { widths: [2, 3], activation: "identity", weightVariance: [1.3, 0.8, 1.6], biasVariance: [0.3, 0.2, 0.5] };
  const data = { inputs: randomMatrix(3, 2, 1), targets: randomMatrix(3, 2, 2), temperature: 0.4 };
  const at = randomMatrix(2, 2, 3);
  const of = async (options: object) => {
    const { posterior, predict } = await sample(network, data, { draws: 250, warmup: 80, ...options });
    return {
      ...(await predict(at)),
      kernel: posterior.hiddenKernels![1]!,
      kernelError: posterior.standardError!.hiddenKernels![1]!,
      posterior,
    };
  };
  const [gibbs, hmc] = [await of({ sampler: "gibbs" }), await of({})];
  expect(gibbs.posterior.diagnostics).toMatchObject({
    sampler: "gibbs",
    readout: "sampled, conditioned on the hidden layers in every average",
  });
  for (const part of ["mean", "variance"] as const)
    expect(worstScore(gibbs[part].data, gibbs.standardError![part].data, hmc[part].data, hmc.standardError![part].data), part).toBeLessThan(
      4.5,
    );
  expect(worstScore(gibbs.kernel.data, gibbs.kernelError.data, hmc.kernel.data, hmc.kernelError.data)).toBeLessThan(4.5);
});

it("more than a thousand test inputs are predicted in blocks; draws have the inputs' order", async () => {
  const { predict } = await sample(
    { widths: [3], activation: "erf" },
    { inputs: randomMatrix(4, 3, 1), targets: randomMatrix(4, 2, 2), temperature: 0.3 },
    { chains: 2, draws: 8, warmup: 10 },
  );
  const at = randomMatrix(1030, 3, 7);
  const [whole, tail, head] = [await predict(at), await predict(rowRange(at, 1020, 1030)), await predict(rowRange(at, 0, 2))];
  for (const part of ["mean", "variance"] as const) {
    expectClose(whole[part].data.slice(2040), tail[part], { relative: 1e-12 });
    expectClose(whole[part].data.slice(0, 4), head[part], { relative: 1e-12 });
    expectClose(whole.standardError![part].data.slice(2040), tail.standardError![part], { relative: 1e-10 });
  }
  expect(await predict(rowRange(at, 0, 0))).toEqual({
    mean: { data: new Float64Array(0), shape: [0, 2] },
    variance: { data: new Float64Array(0), shape: [0, 2] },
  });
  await expect(predict(randomMatrix(8193, 3, 8), { covariance: true })).rejects.toThrow(
    /a covariance of 16386 outputs takes \d+ bytes; ask for it at fewer inputs/,
  );
});

describe("draws of all weights from islands that are given", () => {
  const own = registryWith(likelihoods);
  const x = [0.5, -1];
  const fitted = async (options: object, rises: readonly number[]) => {
    const run = answeredRun(
      (_, { particles, draws, stored, indices, ladder: steps }: NetworkIslandChunk): NetworkIslandResult => {
        const island = indices.at(-1)!;
        return {
          ladder,
          levels: levels(-3 + (steps ? rises[island - 1]! : 0), island),
          gradients: 10 + island,
          acceptance: 0.6,
          logLikelihoods: normals(particles * draws, island),
          theta: { data: normals(2 * particles * stored, island, 3), shape: [particles * stored, 2] },
          latents: { data: normals(2 * particles * draws, island, 1), shape: [particles * draws, 2] },
          hiddenKernels: [{ data: normals(4 * particles, island, 2), shape: [particles, 4] }],
        };
      },
      { registry: own },
    );
    const problem = createProblem(
      {
        network: { type: "fully-connected", widths: [1], activation: "identity" },
        inputs: matrixFromRows(x.map((value) => [value])),
        targets: [1, -1],
        likelihood: { type: "logistic" },
      },
      own,
    );
    const { draws, chains } = { draws: 100, chains: 4, ...options };
    const posterior = await monteCarlo.fit(problem, { sampler: "hmc", chains, draws, ...options } as never, run);
    return { posterior, asked: run.asked.map(({ chunk }) => chunk as unknown as NetworkIslandChunk) };
  };
  it.each([
    // 400 draws in 64 chains, all of them stored; 3200, the last sixteen of each
    [{ evidence: false }, 8, 7, 7],
    [{ evidence: false, draws: 800 }, 8, 50, 16],
    [{ evidence: true, draws: 800 }, 32, 13, 13],
  ])("%j: %d particles, %d draws each, of which %d are kept", async (options, particles, draws, stored) => {
    const rises = [0, 0.4, -0.3, 0.2, -0.6, 0.1, 0, 0.3];
    const { posterior, asked } = await fitted(options, rises);
    const islands = asked.slice(-8);
    islands.forEach((chunk, g) => expect(chunk).toMatchObject({ particles, draws, stored, indices: [8, g + 1] }));
    expect(asked).toHaveLength(options.evidence ? 9 : 8);
    const total = rises.reduce((sum, rise) => sum + Math.exp(rise), 0);
    const shares = rises.map((rise) => (options.evidence ? Math.exp(rise) / total : 1 / 8) / particles);
    const { weights, chains, theta } = posterior.state as NetworkDrawsState;
    expectClose(
      weights,
      Array.from(weights, (_, k) => shares[Math.floor(k / (particles * stored))]! / stored),
      { relative: 1e-10 },
    );
    expect([...chains]).toEqual(Array.from(weights, (_, k) => Math.floor(k / stored)));
    expect(theta.data.slice(-2)).toEqual(normals(2 * particles * stored, 8, 3).slice(-2));
    expect(posterior.diagnostics).toMatchObject({
      chains: 8 * particles,
      draws: 8 * particles * draws,
      storedDraws: 8 * particles * stored,
    });
    expect(posterior.diagnostics["gradients"]).toBe(8 * 10 + 36 + (options.evidence ? 10 : 0));
    const perChain = (of: (g: number, k: number) => number): number[] =>
      rises.flatMap((_, g) => Array.from({ length: particles }, (__, k) => of(g + 1, k)));
    const share = (c: number): number => shares[Math.floor(c / particles)]!;
    const check = (value: number, error: number, values: readonly number[]) => {
      const mean = values.reduce((sum, v, c) => sum + share(c) * v, 0);
      const square = values.reduce((sum, v, c) => sum + (share(c) * (v - mean)) ** 2, 0);
      expectClose(value, mean, { relative: 1e-9, absolute: 1e-12 });
      expectClose(error, Math.sqrt((square * values.length) / (values.length - 1)), { relative: 1e-9 });
    };
    const kernels = rises.map((_, g) => normals(4 * particles, g + 1, 2));
    const latents = rises.map((_, g) => normals(2 * particles * draws, g + 1, 1));
    for (const i of [0, 1, 2, 3])
      check(
        posterior.hiddenKernels![0]!.data[i]!,
        posterior.standardError!.hiddenKernels![0]!.data[i]!,
        perChain((g, k) => kernels[g - 1]![4 * k + i]! / draws),
      );
    for (const i of [0, 1]) {
      const over = (of: (f: number) => number) =>
        perChain(
          (g, k) =>
            Array.from({ length: draws }, (_, n) => of(latents[g - 1]![2 * (k * draws + n) + i]!)).reduce((a, b) => a + b, 0) / draws,
        );
      check(
        posterior.train!.mean.data[i]!,
        posterior.train!.standardError!.mean.data[i]!,
        over((f) => f),
      );
      check(
        posterior.train!.probabilities!.data[2 * i + 1]!,
        posterior.train!.standardError!.probabilities!.data[2 * i + 1]!,
        over((f) => 1 / (1 + Math.exp(-f))),
      );
    }
    expect(posterior.logEvidence === undefined).toBe(!options.evidence);
    expect(posterior.warnings).toEqual([]);
  });
});
