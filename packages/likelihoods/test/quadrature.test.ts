import { createRegistry, inlineRun, type Problem } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors } from "../../../tools/testing.js";
import {
  archipelagoWarnings,
  binaryProbabilities,
  expectationPropagation,
  fitLatentPosterior,
  fitLatents,
  gaussianLikelihood,
  importanceEvidence,
  laplaceScalar,
  panelMoments,
  plugin,
  predictLatentPosterior,
  predictLatents,
  sizeOfIslands,
  softmaxLikelihood,
  type LatentOptions,
  type LatentProblem,
} from "../src/index.js";
import { looseWarning } from "../src/posterior/result.js";
import { labelsOf, likelihoodOf, rows } from "./fixtures.js";

const registry = createRegistry([plugin]);
const gauss = (x: number, variance: number): number => Math.exp(-0.5 * (x ** 2 / variance + Math.log(2 * Math.PI * variance)));
/** Trapezoidal rule on n + 1 points between ± reach: exact to rounding for smooth functions that vanish there. */
const grid = (reach: number, n: number): number[] => Array.from({ length: n + 1 }, (_, k) => -reach + (2 * reach * k) / n);
/** p(y | f) written out: −1 and +1, or a count. */
const density: Record<string, (y: number, z: number) => number> = {
  logistic: (y, z) => 1 / (1 + Math.exp(-y * z)),
  probit: (y, z) => {
    const x = grid(1, 400).map((t) => 6 * t);
    return x.reduce((sum, t) => sum + gauss(t, 1) * 0.03 * (1 / (1 + Math.exp(-2000 * (y * z - t)))), 0);
  },
  poisson: (y, z) => Math.exp(y * z - Math.exp(z)) / [1, 1, 2, 6, 24][y]!,
};
const moments = (of: (f: number) => number, centre: number, deviation: number) => {
  const nodes = grid(12 * deviation, 4000).map((x) => centre + x);
  const step = nodes[1]! - nodes[0]!;
  const values = nodes.map(of);
  const mass = values.reduce((a, b) => a + b, 0);
  const mean = values.reduce((sum, w, k) => sum + w * nodes[k]!, 0) / mass;
  return [Math.log(mass * step), mean, values.reduce((sum, w, k) => sum + w * (nodes[k]! - mean) ** 2, 0) / mass] as const;
};

describe("one point", () => {
  it.each([
    ["logistic", 0.7, 1, 1.5, -0.4],
    ["logistic", 2, -1, 900, 11],
    ["poisson", 1.3, 3, 0.8, 0.5],
    ["poisson", 0.6, 0, 2, -1],
  ])("%s of scale %d: moments of a tilted density, y = %d, variance %d, mean %d", (name, scale, y, variance, mean) => {
    const { scalar } = likelihoodOf(name, scale).observe(labelsOf([1, y]));
    const expected = moments((f) => gauss(f - mean, variance) * density[name]!(y, f / scale), mean, Math.sqrt(variance));
    const found = [panelMoments(scalar!, 1, mean, variance, scale), ...(scalar!.tilted ? [scalar!.tilted(1, mean, variance)] : [])];
    expect(found).toHaveLength(name === "poisson" ? 1 : 2);
    for (const one of found) expectClose([...one], [...expected], { relative: 1e-8 });
  });

  it.each([
    ["logistic", 0.7, -1],
    ["poisson", 1.3, 3],
  ])("%s of scale %d: expectation propagation is exact, Laplace is the mode and its curvature", (name, scale, y) => {
    const kernel = 1.7;
    const observation = likelihoodOf(name, scale).observe(labelsOf([y]));
    const posterior = (f: number): number => gauss(f, kernel) * density[name]!(y, f / scale);
    const [logEvidence, mean, variance] = moments(posterior, 0, Math.sqrt(kernel));
    const ep = expectationPropagation(rows([[kernel]]), observation, { scale });
    expectClose([ep.logEvidence, ep.latent[0]!, 1 / (1 / kernel + ep.weights[0]!)], [logEvidence, mean, variance], { relative: 1e-7 });
    const laplace = laplaceScalar(rows([[kernel]]), observation);
    const [mode, h] = [laplace.latent[0]!, 1e-4];
    const [below, at, above] = [mode - h, mode, mode + h].map((f) => Math.log(posterior(f))) as [number, number, number];
    expect(Math.abs(above - below) / (2 * h)).toBeLessThan(1e-6);
    const curvature = -(above - 2 * at + below) / h ** 2;
    expectClose(laplace.weights[0]!, curvature - 1 / kernel, { relative: 1e-5 });
    expectClose(laplace.logEvidence, at + 0.5 * Math.log((2 * Math.PI) / curvature), { relative: 1e-6 });
  });

  it("class probabilities are averages over the latent output; without variance, of the mean alone", () => {
    const [mean, variance, scale] = [Float64Array.of(0.8, -2, 0.3), Float64Array.of(2.5, 30, 0), 1.6]; // prettier-ignore
    const positive = Array.from(mean, (m, i) => (variance[i] === 0 ? 1 / (1 + Math.exp(-m / scale)) : Math.exp(moments((f) => gauss(f - m, variance[i]!) / (1 + Math.exp(-f / scale)), m, Math.sqrt(variance[i]!))[0]))); // prettier-ignore
    expectClose(binaryProbabilities(likelihoodOf("logistic", scale), mean, variance), positive.flatMap((p) => [1 - p, p]), { absolute: 1e-9 }); // prettier-ignore
  });

  it("importance sampling of three classes: log Z, its effective fraction, errors that are the scatter over seeds", () => {
    const [kernel, scale] = [3, 0.8];
    const observation = softmaxLikelihood(scale).observe(labelsOf([[0, 0, 1]]));
    const p = (a: number, b: number): number => softmaxLikelihood(scale).probabilities!(rows([[a, b]])).data[2]!;
    const centre = [0.2, -1]; // a = K⁻¹ of the proposal's mean
    const weights = Float64Array.of(0.15, 0.05, 0.05, 0.2);
    // proposal N(K a, (K⁻¹ + W)⁻¹) of two latent outputs
    const [w00, w01, w11] = [1 / kernel + 0.15, 0.05, 1 / kernel + 0.2];
    const root = Math.sqrt(w00 * w11 - w01 ** 2) / (2 * Math.PI);
    const nodes = grid(14, 160);
    let [mass, square] = [0, 0];
    for (const a of nodes)
      for (const b of nodes) {
        const target = gauss(a, kernel) * gauss(b, kernel) * p(a, b);
        const [x, y] = [a - kernel * centre[0]!, b - kernel * centre[1]!];
        const proposal = root * Math.exp(-0.5 * (w00 * x * x + 2 * w01 * x * y + w11 * y * y));
        mass += target * 0.175 ** 2;
        square += (target / proposal) * target * 0.175 ** 2;
      }
    const factor = rows([[Math.sqrt(kernel), 0], [0, Math.sqrt(kernel)]]); // prettier-ignore
    const of = (seed: number, draws = 400) => importanceEvidence(factor, observation, weights, Float64Array.from(centre), { draws, seed });
    const many = of(1, 40_000);
    expect(Math.abs(many.logEvidence - Math.log(mass)) / many.standardError).toBeLessThan(4);
    expect(many.standardError).toBeLessThan(0.02);
    expectClose(many.fraction, mass ** 2 / square, { relative: 0.05 });
    const runs = Array.from({ length: 60 }, (_, k) => of(k + 2));
    const average = runs.reduce((sum, { logEvidence }) => sum + logEvidence / 60, 0);
    const scatter = runs.reduce((sum, { logEvidence }) => sum + (logEvidence - average) ** 2 / 59, 0);
    const stated = runs.reduce((sum, { standardError }) => sum + standardError ** 2 / 60, 0);
    // 59/χ²₅₉ lies within these with probability 0.999
    expect(stated / scatter).toBeGreaterThan(0.58);
    expect(stated / scatter).toBeLessThan(2.1);
  });

  it("importance sampling: a pair of antithetic draws is one draw for the error, its parts are not independent", () => {
    // a proposal beside the posterior of Gaussian noise: log weights are linear in z, so that a pair leaves their cosh alone
    const observation = gaussianLikelihood(1).observe(labelsOf([1]));
    const of = (seed: number) =>
      importanceEvidence(rows([[1]]), observation, Float64Array.of(1), Float64Array.of(0.7), { draws: 200, seed });
    const runs = Array.from({ length: 100 }, (_, k) => of(k + 1));
    const exact = -0.5 * (Math.log(4 * Math.PI) + 0.5);
    const scatter = runs.reduce((sum, { logEvidence }) => sum + (logEvidence - exact) ** 2 / 100, 0);
    const stated = runs.reduce((sum, { standardError }) => sum + standardError ** 2 / 100, 0);
    expect(stated / scatter).toBeGreaterThan(0.5);
    expect(stated / scatter).toBeLessThan(2);
    // nodes of a mixture have draws of their own, or their errors would not add up in squares
    const at = (...indices: readonly number[]): number =>
      importanceEvidence(rows([[1]]), observation, Float64Array.of(1), Float64Array.of(0.7), { draws: 20, seed: 1, indices }).logEvidence;
    expect(new Set([at(6, 0), at(6, 1), at(6, 0), at(7, 0)]).size).toBe(3);
  });
});

/** Two points of either class, one more to predict at: f = √q L z + √b. */
const [K, cross, prior, scale, y] = [[[2, 0.8], [0.8, 1.2]], [[0.5], [0.9]], 1.4, 0.7, [1, -1]] as const; // prettier-ignore
function exact(width: number | undefined, variance = 1, bias = 0) {
  const us = width === undefined ? [0] : grid(1, 60).map((t) => Math.log(variance) - 1 + 5.5 * t);
  const zs = grid(7, 70);
  const sums = { mass: 0, mean: 0, second: 0, positive: 0, q: 0, outer: [0, 0, 0, 0] };
  const inner = grid(6, 40);
  for (const u of us) {
    const q = Math.exp(u);
    const a = width === undefined ? 0 : width / 2;
    const rate = a / variance;
    const weight = width === undefined ? 1 : Math.exp(a * u - rate * q);
    const at = (value: number): number => q * value + bias;
    const [k00, k01, k11] = [at(K[0][0]), at(K[0][1]), at(K[1][1])];
    const l00 = Math.sqrt(k00);
    const l10 = k01 / l00;
    const l11 = Math.sqrt(k11 - l10 ** 2);
    const [c0, c1] = [at(cross[0][0]), at(cross[1][0])];
    const v0 = c0 / l00;
    const v1 = (c1 - l10 * v0) / l11;
    const open = Math.sqrt(at(prior) - v0 ** 2 - v1 ** 2);
    for (const z0 of zs)
      for (const z1 of zs) {
        const f = [l00 * z0, l10 * z0 + l11 * z1] as const;
        const w =
          weight * gauss(z0, 1) * gauss(z1, 1) * density["logistic"]!(y[0], f[0] / scale) * density["logistic"]!(y[1], f[1] / scale);
        if (w < 1e-12) continue;
        const m = v0 * z0 + v1 * z1;
        sums.mass += w;
        sums.mean += w * m;
        sums.second += w * (m * m + open ** 2);
        sums.q += w * q;
        f.forEach((x, i) => f.forEach((other, j) => (sums.outer[2 * i + j]! += (w * x * other) / q)));
        sums.positive += w * inner.reduce((sum, t) => sum + 0.3 * gauss(t, 1) * density["logistic"]!(1, (m + open * t) / scale), 0);
      }
  }
  const mean = sums.mean / sums.mass;
  const step = width === undefined ? 1 : us[1]! - us[0]!;
  const normal = width === undefined ? 1 : (width / 2 / variance) ** (width / 2) / { 3: Math.sqrt(Math.PI) / 2 }[width]!;
  return {
    logEvidence: Math.log(sums.mass * step * normal * 0.2 ** 2),
    mean,
    variance: sums.second / sums.mass - mean ** 2,
    positive: sums.positive / sums.mass,
    q: sums.q / sums.mass,
    hidden: K.flat().map((value, i) => (1 - 1 / (width ?? 1)) * value + sums.outer[i]! / sums.mass / (width ?? 1)),
  };
}
const problemOf = (chain: LatentProblem["chain"]): LatentProblem => ({ kernel: rows(K.map((row) => [...row])), chain, likelihood: { type: "logistic", scale }, targets: labelsOf([...y]), linear: true }); // prettier-ignore
async function solve(chain: LatentProblem["chain"], options: LatentOptions, seed = 1) {
  const problem = problemOf(chain);
  const fit = await fitLatents(problem, options, inlineRun({ registry, seed }));
  const kernels = { train: () => problem.kernel, cross: rows(cross.map((row) => [...row])), prior: Float64Array.of(prior), readoutBias: chain.readoutBias ?? 0 }; // prettier-ignore
  return { fit, at: predictLatents(fit.state, likelihoodOf("logistic", scale), 1, kernels, seed) };
}

describe("two points against quadrature", () => {
  const sampling: LatentOptions = { inference: "sampling", draws: 2000, evidence: true };
  it.each([
    ["a Gaussian process", { widths: [] }, exact(undefined)],
    ["one layer of three units", { widths: [3], variances: [1.5] }, exact(3, 1.5)],
    ["one layer and a readout bias", { widths: [3], variances: [1.5], readoutBias: 0.6 }, exact(3, 1.5, 0.6)],
  ] as const)("%s: sampling within its errors, expectation propagation nearly", async (_name, chain, truth) => {
    const [{ fit, at }, quick] = [await solve(chain, sampling), await solve(chain, { ...sampling, inference: "expectation-propagation" })];
    const z = 4.5;
    expectWithinStandardErrors(fit.logEvidence!, truth.logEvidence, fit.logEvidenceError!, z, "log Z");
    const error = at.standardError!;
    expectWithinStandardErrors(at.mean, truth.mean, error.mean, z, "mean");
    expectWithinStandardErrors(at.variance, truth.variance, error.variance, z, "variance");
    // what draws leave open is drawn too
    expectWithinStandardErrors(at.probabilities!, [1 - truth.positive, truth.positive], error.probabilities!, z, "probabilities");
    expect(error.probabilities!.data[0]).toBeLessThan(0.02);
    expectClose(quick.fit.logEvidence!, truth.logEvidence, { absolute: 5 * (quick.fit.logEvidenceError ?? 0) + 1e-6 });
    expectClose(quick.at.probabilities!, [1 - truth.positive, truth.positive], { absolute: 0.005 });
    expectClose([quick.at.mean.data[0]!, quick.at.variance.data[0]!], [truth.mean, truth.variance], { relative: 0.03, absolute: 0.01 });
    if (chain.widths.length === 0)
      return expect([fit.mixing, fit.hiddenKernels, quick.fit.mixing]).toEqual([undefined, undefined, undefined]);
    expectWithinStandardErrors(fit.mixing as number, truth.q, fit.mixingError!, z, "q");
    expectClose(quick.fit.mixing as number, truth.q, { relative: 0.02 });
    if ("readoutBias" in chain) return expect(quick.fit).not.toHaveProperty("hiddenKernels");
    expectWithinStandardErrors(fit.hiddenKernels![0]!, truth.hidden, fit.hiddenKernelErrors![0]!, z, "hidden kernel");
    expectClose(quick.fit.hiddenKernels![0]!, truth.hidden, { relative: 0.02 });
  });

  it("errors of sampled predictions are the scatter over seeds", async () => {
    const seeds = 12;
    const runs: { readonly values: number[]; readonly errors: number[] }[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const { at, fit } = await solve({ widths: [3], variances: [1.5] }, { inference: "sampling", draws: 128, evidence: false }, seed);
      const { mean, variance, probabilities } = at.standardError!;
      runs.push({
        values: [
          at.mean.data[0]!,
          at.variance.data[0]!,
          at.probabilities!.data[1]!,
          fit.mixing as number,
          ...fit.hiddenKernels![0]!.data.slice(0, 2),
        ],
        errors: [
          mean.data[0]!,
          variance.data[0]!,
          probabilities!.data[1]!,
          fit.mixingError!.data[0]!,
          ...fit.hiddenKernelErrors![0]!.data.slice(0, 2),
        ],
      });
    }
    const logs = runs[0]!.values.map((_, i) => {
      const average = runs.reduce((sum, { values }) => sum + values[i]! / seeds, 0);
      const scatter = runs.reduce((sum, { values }) => sum + (values[i]! - average) ** 2 / (seeds - 1), 0);
      return Math.log(runs.reduce((sum, { errors }) => sum + errors[i]! ** 2 / seeds, 0) / scatter);
    });
    // 11/χ²₁₁ of one of them lies within these with probability 0.98; half or twice an error are 1/4 and 4
    const typical = (from: number, to: number): number => Math.exp(logs.slice(from, to).reduce((a, b) => a + b, 0) / (to - from));
    for (const [from, to] of [
      [0, 3],
      [3, 6],
    ] as const) {
      expect(typical(from, to)).toBeGreaterThan(0.42);
      expect(typical(from, to)).toBeLessThan(3.3);
    }
  });
});

it("sizes and warnings of islands", () => {
  expect([sizeOfIslands(1000, false), sizeOfIslands(1000, true), sizeOfIslands(2049, true), sizeOfIslands(1, false)]).toEqual([{ particles: 8, draws: 16 }, { particles: 32, draws: 4 }, { particles: 32, draws: 9 }, { particles: 8, draws: 4 }]); // prettier-ignore
  expect(archipelagoWarnings(1.05, undefined)).toEqual([]);
  expect(archipelagoWarnings(1.051, { objections: ["one", "two"] } as never)).toEqual(["islands of chains disagree: R̂ = 1.051; ask for more draws", "one", "two"]); // prettier-ignore
  expect([looseWarning(1e-6), looseWarning(2e-6)]).toEqual([[], ["the approximation stopped at a change of 2.0e-6"]]);
});

it("a posterior of latents has the numbers of its fit, and predictions at its training points", async () => {
  const targets = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); // prettier-ignore
  const kernel = rows([[2, 0.3, -0.2], [0.3, 1.5, 0.1], [-0.2, 0.1, 1]]); // prettier-ignore
  const problem = { likelihood: { type: "softmax" }, targets } as unknown as Problem;
  const law = { kernel, chain: { widths: [4], readoutBias: 0.3 }, linear: true };
  const run = inlineRun({ registry, seed: 2 });
  const both = async (chain: LatentProblem["chain"], evidence: boolean) => {
    const options = { draws: 64, evidence };
    const found = await fitLatentPosterior(problem, { ...law, chain }, { posteriorDraws: 64, evidence }, run);
    return [
      found,
      await fitLatents({ ...law, chain, likelihood: problem.likelihood!, targets }, { inference: "auto", ...options }, run),
    ] as const;
  };
  const [found, fit] = await both(law.chain, false);
  expect(found).toMatchObject({ orderParameter: fit.mixing, hiddenKernels: fit.hiddenKernels, warnings: fit.warnings, diagnostics: fit.diagnostics, solver: fit.solver }); // prettier-ignore
  expect(found.standardError).toEqual({ orderParameter: fit.mixingError, hiddenKernels: fit.hiddenKernelErrors });
  const [limit, limitFit] = await both({ widths: [] }, true);
  expect(limit).toMatchObject({ logEvidence: limitFit.logEvidence, standardError: { logEvidence: limitFit.logEvidenceError } });
  expect(limit.diagnostics["evidence"]).toBe("importance sampling around Laplace");
  const kernels = { train: () => kernel, cross: kernel, prior: Float64Array.of(2, 1.5, 1) };
  expect(found.train).toEqual(predictLatents(fit.state, softmaxLikelihood(), 3, { ...kernels, readoutBias: 0.3 }, 2));
  expect(predictLatentPosterior(problem, found.state, law.chain, kernels, run)).toEqual(found.train);
  const one = await fitLatentPosterior({ likelihood: { type: "logistic" }, targets: labelsOf([1, -1, 1]) } as unknown as Problem, law, { inference: "sampling", posteriorDraws: 64 }, run); // prettier-ignore
  expect([typeof one.orderParameter, typeof one.standardError!.orderParameter]).toEqual(["number", "number"]);
});
