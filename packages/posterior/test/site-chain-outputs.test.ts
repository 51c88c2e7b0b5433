import { createProblem, inlineRun, type Matrix, type Prediction } from "@finitewidth/core";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { infiniteWidthKernels, mixingLaw } from "@finitewidth/kernels";
import { identity, multiply, multiplyTransposedRight, symmetricEigenvalues, transpose } from "@finitewidth/linalg";
import { siteGeometryOf } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import type { SiteState } from "../src/exact/state.js";
import { exact } from "../src/index.js";
import { predictSiteChain } from "../src/site-chain/index.js";
import { meanMixing, siteProblem } from "../src/site-chain/problem.js";
import { averages, built, drawByDraw, entry, expectAlike, jackknife, kronecker, type Given } from "./draw-by-draw.js";
import { layersOf, scattered, testRegistry } from "./registry.js";

const registry = testRegistry();
const matrix = (seed: number, rows: number, columns: number): Matrix => normalMatrix(stream(77, seed), rows, columns);

/** Over an evenly spaced part of the draws, 200 at most. */
const prunedMeans = (draws: readonly Given[]): Float64Array[] => {
  const some = draws.filter((_, k) => k % Math.ceil(draws.length / 200) === 0);
  const total = some.reduce((sum, { weight }) => sum + weight, 0);
  return some[0]!.pruned.map((values, step) =>
    values.map((_, i) => some.reduce((sum, { weight, pruned }) => sum + (weight * pruned[step]![i]!) / total, 0)),
  );
};

const filters = (channels: number, kernelSize: number, padding: string, stride = 1) => ({
  channels,
  kernelSize: [kernelSize],
  stride: [stride],
  padding,
});
const networks = [
  [
    "convolution, three outputs, biases of all layers",
    {
      type: "convolutional",
      inputShape: [2, 4],
      layers: [filters(2, 3, "zero", 2), filters(3, 2, "valid")],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.2, 0.9, 1.4],
      biasVariance: [0.2, 0.4, 0.3],
    },
    3,
    4,
    0.8,
  ],
  [
    "no noise",
    {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [filters(5, 3, "valid")],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.3, 0.9],
      biasVariance: [0.2, 0.4],
    },
    2,
    3,
    0,
  ],
  [
    "zeros around what is pooled, more targets than weights",
    {
      type: "convolutional",
      inputShape: [1, 3],
      layers: [filters(3, 2, "zero"), filters(2, 2, "zero")],
      readout: "global-average",
      activation: "identity",
      weightVariance: [1.5, 0.8, 2.3],
      biasVariance: [0.3, 0, 0],
    },
    2,
    7,
    0.8,
  ],
  [
    "attention, two outputs, heads",
    {
      type: "attention",
      tokens: 3,
      features: 2,
      layers: [
        { width: 4, maps: { heads: 2, keys: 2 } },
        { width: 3, maps: { heads: 2, keys: 3, seed: 7 } },
      ],
      readout: [0.8, -0.5, 1.1],
      weightVariance: [1.3, 0.9, 1.6],
      biasVariance: [0.2, 0, 0],
    },
    2,
    4,
    0.8,
  ],
] as const;

describe.each(networks)("posterior of a chain over sites, draw by draw: %s", async (_, network, outputs, points, temperature) => {
  const size = "inputShape" in network ? network.inputShape[0] * network.inputShape[1] : network.tokens * network.features;
  const test = matrix(3, 3, size);
  const targets = matrix(2, points, outputs);
  for (let i = 0; i < targets.data.length; i++) targets.data[i]! *= 0.5 + (i % outputs);
  const problem = createProblem({ network, inputs: matrix(1, points, size), targets, temperature }, registry);
  const run = inlineRun({ registry, seed: 4 });
  const posterior = await exact.fit(problem, { draws: 200, chains: 2, chainDraws: 40, warmup: 40 }, run);
  const state = posterior.state as SiteState;
  const law = mixingLaw(layersOf(problem.network))!;
  const removed = (state.removed ?? []).map((label) => siteGeometryOf(law)!.parts!.find((part) => part.label === label)!.sites);
  const draws = drawByDraw(
    posterior,
    law,
    test,
    removed.map((_sites, step) => new Set(removed.slice(0, step + 1).flat())),
  );
  const expected = averages(draws);
  const errors = jackknife(draws);
  const [plain, joint] = [
    await exact.predict(posterior, test, { covariance: false }, run),
    await exact.predict(posterior, test, { covariance: true }, run),
  ];
  const close = { relative: 1e-7, absolute: 1e-9 };

  it("predictions", () => {
    expectClose(posterior.train!.mean, expected.trainMean, close, "training points");
    expectClose(posterior.train!.variance, expected.trainVariance, close, "variance at training points");
    for (const found of [plain, joint]) {
      expectClose(found.mean, expected.testMean, close, "mean");
      expectClose(found.variance, expected.testVariance, close, "variance");
      expectAlike(found.standardError!.mean.data, errors("testMean"), "error of the mean");
      expectAlike(found.standardError!.variance.data, errors("testVariance"), "error of the variance");
    }
    if (temperature > 0) expectAlike(posterior.train!.standardError!.mean.data, errors("trainMean"), "error at training points");
    if (temperature > 0)
      expectAlike(posterior.train!.standardError!.variance.data, errors("trainVariance"), "error of the variance at training points");
    expect(plain.covariance).toBeUndefined();
    expectClose(joint.covariance!, expected.testCovariance, close, "covariance");
  });

  it("the same from its file and, where a fit is cheap, from workers; other draws for another seed", async () => {
    if (temperature === 0) {
      const elsewhere = await exact.fit(problem, posterior.options, scattered(run));
      expect([elsewhere.logEvidence, elsewhere.orderParameter]).toEqual([posterior.logEvidence, posterior.orderParameter]);
      const again = await exact.fit(problem, posterior.options, inlineRun({ registry, seed: 5 }));
      expect(again.logEvidence).not.toBe(posterior.logEvidence);
    }
    const read = posteriorFromNpz(posteriorToNpz(posterior)) as typeof posterior;
    expect(await exact.predict(read, test, { covariance: true }, run)).toEqual(joint);
    const { batchCount } = state;
    expect(siteProblem(problem, law).weights === undefined).toBe(points < 7);
    expect(posterior.diagnostics).toMatchObject({ kept: draws.length, batchCount, dimension: state.points.shape[1], sites: law.sites });
  });

  it("the same from kernels between sites, for laws that know no features, at more points than are looked at together", () => {
    const { sites, chain, sample, siteKernels, covariance } = law;
    const bare = { sites, chain, sample, siteKernels, covariance };
    const many = matrix(5, 18, size);
    const [, d] = state.points.shape;
    const few: SiteState = {
      ...state,
      points: { data: state.points.data.slice(0, 40 * d), shape: [40, d] },
      weights: state.weights.slice(0, 40),
      batches: state.batches.slice(0, 40),
    };
    for (const wanted of [false, true]) {
      const [found, known] = [bare, law].map((one) => predictSiteChain(few, problem, one, many, wanted, run)) as [Prediction, Prediction];
      for (const key of ["mean", "variance", "covariance"] as const) if (known[key]) expectClose(found[key]!, known[key], close, key);
      expectClose(found.standardError!.variance, known.standardError!.variance, { relative: 1e-5, absolute: 1e-10 });
      expect(found.pruned).toBeUndefined();
    }
  });

  it("mixing matrix, its map and its eigenvalues", () => {
    const found = posterior.orderParameter as Matrix;
    // entries of the sampled matrix count as independent
    const variance = errors("sampled").map((error) => error ** 2);
    const basis = siteGeometryOf(law)!.siteBases?.[0] ?? identity(law.sites);
    const sites = basis.shape[0];
    const turn = kronecker(state.rotation, basis);
    expectClose(found, multiply(multiply(turn, { data: expected.sampled, shape: [turn.shape[1], turn.shape[1]] }), transpose(turn)), close);
    const squares: Matrix = { data: turn.data.map((value) => value ** 2), shape: turn.shape };
    const spread = multiply(multiply(squares, { data: variance, shape: [turn.shape[1], turn.shape[1]] }), transpose(squares));
    expectAlike((posterior.standardError!.orderParameter as Matrix).data, spread.data.map(Math.sqrt), "error of the mixing matrix");
    const [first, second] = [posterior.figures![0]!, posterior.figures!.at(-1)!];
    if (first.kind !== "heatmaps" || second.kind !== "density") throw new Error("figures");
    if (first.panels.length === 3) {
      const average = built(sites, sites, (i, j) =>
        Array.from({ length: outputs }, (__, a) => entry(found, a * sites + i, a * sites + j) / outputs).reduce((x, y) => x + y),
      );
      const values = Object.fromEntries(first.panels.map((panel) => [panel.label, panel.values]));
      expectClose(values["posterior"]!, average, close, "map");
      expectClose(
        values["difference"]!,
        average.data.map((value, k) => value - values["prior"]!.data[k]!),
        close,
        "difference",
      );
      // on the features of all sites the prior's map is the covariance of infinite width
      const features = siteGeometryOf(law)!.siteFeatures(problem.inputs);
      const kernel = built(points, points, () => 0);
      features.forEach((phi, i) =>
        features.forEach((psi, j) =>
          multiplyTransposedRight(phi, psi).data.forEach((value, k) => (kernel.data[k]! += entry(values["prior"]!, i, j) * value)),
        ),
      );
      const unbiased = { ...network, biasVariance: [network.biasVariance[0], ...network.biasVariance.slice(1).map(() => 0)] };
      const limit = infiniteWidthKernels(layersOf(createProblem({ ...problem, network: unbiased }, registry).network), problem.inputs);
      expectClose(kernel, limit.preactivation.at(-1)!, close, "prior's map");
    }
    const series = Object.fromEntries(second.series.map(({ label, x, y }) => [label, { x, y }]));
    const logs = draws.map(({ sampled }) =>
      [...symmetricEigenvalues(sampled)].filter((v, __, all) => v > 1e-12 * all.at(-1)!).map(Math.log),
    );
    const mean = draws.reduce((sum, { weight }, k) => sum + weight * logs[k]!.reduce((x, y) => x + y), 0) / logs[0]!.length;
    const { x, y } = series["posterior"]!;
    const step = Math.log(x[1]! / x[0]!);
    // the tails of the smoothed density are cut half a unit beyond the last eigenvalue
    expectClose(
      y.reduce((sum, value) => sum + step * value, 0),
      1,
      { absolute: 0.01 },
      "mass",
    );
    expectClose(
      y.reduce((sum, value, k) => sum + step * value * Math.log(x[k]!), 0),
      mean,
      { absolute: 0.02 },
      "mean logarithm",
    );
  });

  it("hidden kernel of the first layer", () => {
    expectClose(posterior.hiddenKernels![0]!, expected.kernel, close, "kernel");
    expectAlike((posterior.standardError!.hiddenKernels![0] as Matrix).data, errors("kernel"), "error of the kernel");
  });

  it.runIf("tokens" in network)("scores of heads, and what pruning leaves", () => {
    const { heads, pruning } = posterior.diagnostics as unknown as {
      heads: { head: string; score: number }[];
      pruning: { removed: string[]; trainError: number[] };
    };
    const sites = law.sites;
    const weights = built(sites, sites, (i, j) => {
      const prior = (k: number): number => entry(meanMixing(law, 1)[0]!, k, k);
      const own = Array.from({ length: outputs }, (__, a) => expected.mixing[(a * sites + i) * sites * outputs + a * sites + j]! / outputs);
      return own.reduce((x, y) => x + y) / Math.sqrt(prior(i) * prior(j));
    });
    const parts = siteGeometryOf(law)!.parts!;
    const scores = parts.map(({ sites: through }) =>
      weights.data.reduce(
        (sum, w, k) => sum + (through.includes(k % sites) || through.includes(Math.floor(k / sites)) ? Math.abs(w) : 0),
        0,
      ),
    );
    expect(heads.map(({ head }) => head)).toEqual(parts.map(({ label }) => label));
    expectClose(
      heads.map(({ score }) => score),
      scores,
      close,
      "scores",
    );
    const order = [...parts.keys()].sort((a, b) => scores[a]! - scores[b]!).map((k) => parts[k]!.label);
    expect(pruning.removed).toEqual(order);
    expect(state.removed).toEqual(order);
    const means = prunedMeans(draws);
    const n = points * outputs;
    expectClose(
      pruning.trainError,
      means.map((mean) => problem.targets.data.reduce((sum, t, i) => sum + (mean[i]! - t) ** 2, 0) / n),
      close,
      "errors",
    );
    expect(plain.pruned!.removed).toEqual(order);
    plain.pruned!.means.forEach((mean, step) => expectClose(mean, means[step]!.slice(n), close, `mean without ${step}`));
    expect(plain.pruned!.means).toHaveLength(order.length + 1);
    const [map, curve] = [posterior.figures![0]!, posterior.figures![1]!];
    if (map.kind !== "heatmaps" || curve.kind !== "lines") throw new Error("figures");
    expectClose(map.panels[0]!.values, weights, close, "map of weights");
    expect([...curve.series[0]!.x]).toEqual(Array.from({ length: order.length + 1 }, (__, step) => order.length - step));
    expectClose(curve.series[0]!.y, pruning.trainError, {}, "curve");
  });
});

it("no pruning curve where biases above the first layer add constants that no head carries", async () => {
  const [, network] = networks[3];
  const biased = { ...network, biasVariance: [0, 0, 0.4] };
  const problem = createProblem({ network: biased, inputs: matrix(1, 3, 6), targets: matrix(2, 3, 1), temperature: 0.8 }, registry);
  const run = inlineRun({ registry, seed: 4 });
  const posterior = await exact.fit(problem, { draws: 200, chains: 2, chainDraws: 40, warmup: 40 }, run);
  expect(Object.keys(posterior.diagnostics)).toEqual(expect.arrayContaining(["heads", "paths"]));
  expect(Object.keys(posterior.diagnostics)).not.toContain("pruning");
  expect((await exact.predict(posterior, matrix(3, 2, 6), { covariance: false }, run)).pruned).toBeUndefined();
  expect(posterior.figures!.map(({ kind }) => kind)).toEqual(["heatmaps", "density"]);
});
