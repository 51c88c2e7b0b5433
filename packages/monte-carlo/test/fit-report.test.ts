import { createProblem, validate, type Matrix, type Posterior, type Problem } from "@finitewidth/core";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { addToMoments, diagnoseChains, emptyMoments } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { singleBatch } from "../src/posterior/batch-means.js";
import { monteCarlo, type ChainChunk, type ChainResult, type MonteCarloOptions } from "../src/index.js";
import { answeredRun, normals, randomMatrix, registry, registryWith } from "./helpers.js";

const optionsOf = (options: object): MonteCarloOptions => validate(monteCarlo.options, options, "options") as MonteCarloOptions;
const problemOf = (network: object, points = 2, more: object = {}): Problem =>
  createProblem(
    { network: { type: "fully-connected", ...network }, inputs: randomMatrix(points, 3, 1), targets: randomMatrix(points, 1, 2), temperature: 0.3, ...more } as never,
    registryWith(likelihoods),
  ); // prettier-ignore

it("options have the documented defaults", () =>
  expect(optionsOf({})).toEqual({
    sampler: "hmc",
    chains: 4,
    draws: 1000,
    warmup: 500,
    target: "posterior",
    readout: "integrated",
    metric: "unit",
    evidence: false,
    gradients: false,
    shifts: false,
  }));

describe("a fit from chains that are given", () => {
  const names = ["log density", "log likelihood", "readout norm", "f[0, 0]", "f[1, 0]"];
  interface World {
    readonly apart?: number;
    readonly divergences?: number;
  }
  /** Traces of independent normals; that of the first output is moved in the last chain. */
  const traceOf = (chain: number, name: number, draws: number, apart: number, last: number): Float64Array =>
    normals(draws, chain, name, 70).map((value) => value + (name === 3 && chain === last ? apart : 0));
  const fitted = (options: Partial<MonteCarloOptions>, { apart = 0, divergences = 0 }: World = {}) => {
    const problem = problemOf({ widths: [2], activation: "erf" });
    const run = answeredRun((_, { chain, options: { draws, chains }, stored }: ChainChunk): ChainResult => {
      const moments = (value: number, size: number) => {
        const out = emptyMoments(size);
        for (const shift of [-0.1, 0.1]) addToMoments(out, new Float64Array(size).fill(value + shift));
        return out;
      };
      return {
        train: singleBatch(Float64Array.of(1 + chain, 2), Float64Array.of(20, 30)),
        kernels: [moments(0.5, 4)],
        readoutNorm: moments(1 + chain, 1),
        traces: Object.fromEntries(names.map((name, k) => [name, traceOf(chain, k, draws, apart, chains - 1)])),
        theta: normals(stored * 6, chain),
        report: {
          stepSize: 0.1 * (1 + chain),
          acceptance: 0.8 + 0.01 * chain,
          divergences: chain === 1 ? divergences : 0,
          gradients: 100 + chain,
          energyFraction: 0.9 - 0.1 * chain,
        },
      };
    });
    return monteCarlo.fit(problem, optionsOf(options), run) as Promise<Posterior<MonteCarloOptions, never>>;
  };

  it.each([
    [0, 200],
    [0.25, 200],
    [0.45, 200],
    [0.7, 1000],
    [0.85, 1000],
    [0, 40],
    [0, 20],
  ])("an output moved by %d in one chain of four, %d draws", async (apart, draws) => {
    const { diagnostics, warnings, solver } = await fitted({ draws, warmup: 30 }, { apart });
    const reports = names.map((_, k) => diagnoseChains([0, 1, 2, 3].map((chain) => traceOf(chain, k, draws, apart, 3))));
    const worst = reports.reduce((a, b, k) => (b.rHat > reports[a]!.rHat ? k : a), 0);
    const [rHat, bulk, tail] = [
      reports[worst]!.rHat,
      Math.min(...reports.map((r) => r.bulkEss)),
      Math.min(...reports.map((r) => r.tailEss)),
    ];
    const mixed = rHat <= 1.05 && bulk >= 100;
    expect(diagnostics).toMatchObject({ mixed, rHat, slowest: names[worst]!, effectiveSamples: bulk, bulkEss: bulk, tailEss: tail });
    expect(solver).toEqual({ converged: mixed, iterations: 4 * (30 + draws), residual: rHat - 1, jitter: 0 });
    expect(warnings).toEqual(
      mixed
        ? []
        : [
            `the chains did not mix: largest R-hat ${rHat.toPrecision(4)} (${names[worst]}; wanted ≤ 1.05), smallest effective sample size ${Math.floor(bulk)} of ${4 * draws} draws (wanted ≥ 100); the standard errors are not to be trusted, raise "draws" and "warmup"`,
          ],
    );
    const traces = diagnostics["traces"] as Record<string, object>;
    names.forEach((name, k) =>
      expect(traces[name]).toEqual({
        mean: reports[k]!.mean,
        standardError: reports[k]!.standardError.mean,
        rHat: reports[k]!.rHat,
        bulkEss: reports[k]!.bulkEss,
      }),
    );
  });

  it("divergences count from half a per cent on; reports are put together; figures show two hundred draws at most", async () => {
    const told = async (divergences: number) => (await fitted({ draws: 500 }, { divergences })).warnings;
    expect(await told(10)).toEqual([]);
    expect(await told(11)).toEqual(['11 of 2000 trajectories diverged; raise "targetAcceptance" or "warmup"']);
    const { diagnostics, figures, orderParameter, standardError, train } = await fitted({ draws: 500 }, { divergences: 11 });
    expect(diagnostics).toMatchObject({ divergences: 11, gradients: 406, chains: 4, draws: 500, storedDraws: 500 });
    expectClose(diagnostics["energyFraction"] as number, 0.6, { relative: 1e-12 });
    expectClose(diagnostics["acceptance"] as number[], [0.8, 0.81, 0.82, 0.83], { relative: 1e-12 });
    expectClose(diagnostics["stepSize"] as number[], [0.1, 0.2, 0.3, 0.4], { relative: 1e-12 });
    // means 1 … 4 with two batches ± 0.1 each
    expectClose(orderParameter as number, 2.5, { relative: 1e-12 });
    expectClose(standardError!.orderParameter as number, Math.sqrt((2 * (1.5 ** 2 + 0.5 ** 2) * 2 + 8 * 0.01) / (8 * 7)), {
      relative: 1e-10,
    });
    expectClose(train!.mean, [2.5, 2], { relative: 1e-12 });
    expectClose(train!.variance, [20 - 2.5 ** 2, 30 - 4], { relative: 1e-12 });
    const { series } = figures![0] as unknown as { series: { x: Float64Array; y: Float64Array }[] };
    series.forEach(({ x, y }, chain) => {
      expect([...x]).toEqual(Array.from({ length: 200 }, (_, k) => Math.floor(2.5 * k)));
      expect([...y]).toEqual([...x].map((at) => traceOf(chain, 1, 500, 0, 3)[at]));
    });
    expect((await fitted({ chains: 1, draws: 500 })).warnings).toEqual([expect.stringContaining("a single chain")]);
    expect((await fitted({ draws: 500, storedDraws: 2 })).diagnostics["storedDraws"]).toBe(4);
    expect((await fitted({ draws: 500, storedDraws: 60 })).warnings).toEqual([]);
  });
});

describe("claims", () => {
  const tensor = (k: number): Matrix => ({ data: normals(4, k), shape: [2, 2] });
  const [mean, variance, ownMean, ownVariance, ...kernels] = Array.from({ length: 8 }, (_, k) => tensor(k));
  const errors = Array.from({ length: 6 }, (_, k) => tensor(20 + k));
  const posterior = {
    solver: { converged: true },
    options: { sampler: "hmc" },
    problem: {},
    logEvidence: -3,
    orderParameter: 1.5,
    train: { mean: ownMean, variance: ownVariance, standardError: { mean: errors[2], variance: errors[3] } },
    hiddenKernels: kernels.slice(0, 2),
    standardError: { logEvidence: 2, orderParameter: 0.2, hiddenKernels: errors.slice(4) },
  };
  const claimsOf = (change: object, predictive: object = { mean, variance, standardError: { mean: errors[0], variance: errors[1] } }) => [
    ...monteCarlo.claims!({ posterior: { ...posterior, ...change }, predictive } as never, registry),
  ];
  it("are all numbers with an error, each with its own", () => {
    const found = claimsOf({});
    expect(found.map(({ id, estimand: { of: law, quantity, layer } }) => [id, law, quantity, layer])).toEqual([
      ["log-evidence", "posterior", "logEvidence", undefined],
      ["predictive-mean", "posterior", "predictive.mean", undefined],
      ["predictive-variance", "posterior", "predictive.variance", undefined],
      ["train-mean", "posterior", "train.mean", undefined],
      ["train-variance", "posterior", "train.variance", undefined],
      ["order-parameter", "posterior", "readoutNorm", undefined],
      ["hidden-kernel-1", "posterior", "hiddenKernel", 1],
      ["hidden-kernel-2", "posterior", "hiddenKernel", 2],
    ]);
    expect(found.slice(1, 5).map(({ value }) => value)).toEqual([mean, variance, ownMean, ownVariance]);
    expect(found.slice(6).map(({ value }) => value)).toEqual(kernels.slice(0, 2));
    expect(found.slice(1, 5).map(({ standardError }) => standardError)).toEqual(errors.slice(0, 4));
    expect(found.slice(6).map(({ standardError }) => standardError)).toEqual(errors.slice(4));
    expect([found[0]!, found[5]!].map(({ value, standardError }) => [value.data[0], (standardError as Matrix).data[0]])).toEqual([[-3, 2], [1.5, 0.2]]); // prettier-ignore
    expect(found.every(({ error }) => error === "exact")).toBe(true);
  });
  it("are none of chains that did not mix, of unadjusted dynamics and of other likelihoods", () => {
    expect(claimsOf({ solver: { converged: false } })).toEqual([]);
    expect(claimsOf({ options: { sampler: "langevin" } })).toEqual([]);
    expect(claimsOf({ problem: { likelihood: { type: "logistic" } } })).toEqual([]);
    expect(claimsOf({ standardError: {}, train: undefined }, { mean, variance })).toEqual([]);
  });
});

describe("what is refused", () => {
  const binary = { targets: [1, -1], temperature: undefined, likelihood: { type: "logistic" } };
  it.each([
    [{ activation: "erf" }, {}, {}, undefined],
    [{ activation: "erf" }, {}, { integrator: "rotation" }, undefined],
    [{ activation: "erf" }, {}, { integrator: "rotation", sampler: "mala" }, /"integrator": "rotation"/],
    [{ activation: "erf" }, {}, { integrator: "rotation", metric: "diagonal" }, /"integrator": "rotation"/],
    [{ activation: "erf" }, binary, { integrator: "rotation" }, /"integrator": "rotation"/],
    [{ activation: "erf" }, binary, {}, undefined],
    [{ activation: "erf" }, binary, { sampler: "mala" }, /sampled by "sampler": "hmc"/],
    [{ activation: "erf" }, binary, { gradients: true }, /gradients of the evidence are for Gaussian noise/],
    [{ activation: "erf" }, binary, { shifts: true }, /shifts of kernels are for Gaussian noise/],
    [{ activation: "sign" }, binary, {}, /piecewise constant/],
    [{ activation: "erf" }, { temperature: 0 }, {}, /temperature T > 0/],
    [{ activation: "erf" }, {}, { sampler: "gibbs" }, /linear networks/],
    [{ activation: "identity" }, {}, { sampler: "gibbs" }, undefined],
    [{ activation: "sign" }, {}, { shifts: true }, /shifts of kernels follow gradients/],
    [{ activation: "sign" }, {}, { sampler: "langevin" }, /Langevin dynamics follows gradients/],
    [{ activation: "sign" }, {}, { sampler: "mala" }, /Langevin dynamics follows gradients/],
    [{ activation: "sign" }, {}, {}, undefined],
  ] as const)("%j, %j, %j", (network, data, options, expected) => {
    const found = monteCarlo.refuses!(problemOf({ widths: [3], ...network }, 2, data), optionsOf(options), registryWith(likelihoods));
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });
});
