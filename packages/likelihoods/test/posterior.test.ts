import { createLikelihood, createRegistry, inlineRun, matrixFromRows, type Matrix } from "@finitewidth/core";
import { affine, diagonalOf, multiplyTransposedRight } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.js";
import { fitLatents, plugin, predictLatents, type LatentOptions, type LatentProblem } from "../src/index.js";
import { labelsOf, rows, type FixtureFile, type Labels } from "./fixtures.js";

const registry = createRegistry([plugin]);
const auto: LatentOptions = { inference: "auto", draws: 2000 };
const linearKernel = (x: Matrix, other = x): Matrix => affine(1 / x.shape[1], multiplyTransposedRight(x, other));

/** Fit and class probabilities at test points of a linear network (or of its infinite-width limit for no widths). */
async function solve(problem: LatentProblem, cross: Matrix, prior: Float64Array, options: LatentOptions, seed = 1) {
  const fit = await fitLatents(problem, options, inlineRun({ registry, seed }));
  const likelihood = createLikelihood(registry, problem.likelihood);
  const kernels = { train: () => problem.kernel, cross, prior, readoutBias: problem.chain.readoutBias ?? 0 };
  return { fit, prediction: predictLatents(fit.state, likelihood, problem.targets.shape[1], kernels, seed) };
}

describe("sampled small linear networks", () => {
  interface Inputs {
    readonly architecture: string;
    readonly likelihood: string;
    readonly X: number[][];
    readonly Xtest: number[][];
    readonly Y: Labels;
    readonly widths: number[];
    readonly sw2: number[];
  }
  interface Estimate<T> {
    readonly estimate: T;
    readonly standardError: T;
  }
  interface Expected {
    readonly logEvidence: Estimate<number>;
    readonly probabilities: Estimate<number[][]>;
    readonly hiddenKernel1?: Estimate<number[][]>;
  }
  const { cases, tolerance } = readFixture<FixtureFile<Inputs, Expected>>("classification/sampled-small");
  const combine = (a: { readonly data: Float64Array }, b: number[][]): number[] =>
    Array.from(a.data, (e, i) => Math.hypot(e, b.flat()[i]!));
  it.each(cases.filter(({ inputs }) => inputs.architecture === "linear").map((entry) => [entry.inputs.widths.join(), entry] as const))(
    "widths %s",
    async (_name, { inputs, expected }) => {
      const [x, test] = [rows(inputs.X), rows(inputs.Xtest)];
      const kernel = affine(inputs.sw2[0]!, linearKernel(x));
      const problem: LatentProblem = {
        kernel,
        chain: { widths: inputs.widths, variances: inputs.sw2.slice(1) },
        likelihood: { type: inputs.likelihood },
        targets: labelsOf(inputs.Y),
        linear: true,
      };
      const prior = diagonalOf(affine(inputs.sw2[0]!, linearKernel(test)));
      const { fit, prediction } = await solve(problem, affine(inputs.sw2[0]!, linearKernel(x, test)), prior, { ...auto, evidence: true });
      const z = tolerance["z"]!;
      const { logEvidence, probabilities, hiddenKernel1 } = expected;
      expect(fit.warnings).toEqual([]);
      expectWithinStandardErrors(
        fit.logEvidence!,
        logEvidence.estimate,
        Math.hypot(fit.logEvidenceError!, logEvidence.standardError),
        z,
        "log Z",
      );
      const error = combine(prediction.standardError!.probabilities!, probabilities.standardError);
      expectWithinStandardErrors(prediction.probabilities!, probabilities.estimate, error, z, "probabilities");
      const kernelError = combine(fit.hiddenKernelErrors![0]!, hiddenKernel1!.standardError);
      expectWithinStandardErrors(fit.hiddenKernels![0]!, hiddenKernel1!.estimate, kernelError, z, "hidden kernel");
      // the errors themselves are small enough to convict
      expect(Math.max(...error)).toBeLessThan(0.02);
    },
  );
});

const X = matrixFromRows([
  [1, 0.2, -0.4],
  [-0.6, 0.9, 0.3],
  [0.1, -1.2, 0.7],
  [-1.1, -0.3, -0.8],
  [0.5, 0.6, 1.3],
  [1.2, -0.7, 0.2],
]);
const Xtest = matrixFromRows([
  [0.4, 0.3, 0.1],
  [-0.9, 1, -0.2],
  [2, 2, -1],
]);
const y = [1, -1, 1, -1, 1, -1];
const oneHot = labelsOf(y.map((value) => (value > 0 ? [0, 1] : [1, 0])));
const prior = (scale: number): Float64Array => diagonalOf(affine(scale, linearKernel(Xtest)));

describe("softmax of two classes with K is logistic with 2K", () => {
  it.each([[[]], [[2, 4]]])("widths %j: sampling against expectation propagation with importance sampling", async (widths) => {
    const scale = 6;
    const softmax = await solve(
      { kernel: affine(scale, linearKernel(X)), chain: { widths }, likelihood: { type: "softmax" }, targets: oneHot },
      affine(scale, linearKernel(X, Xtest)),
      prior(scale),
      { ...auto, draws: 4000, inference: "sampling", evidence: true },
    );
    const logistic = await solve(
      { kernel: affine(2 * scale, linearKernel(X)), chain: { widths }, likelihood: { type: "logistic" }, targets: labelsOf(y) },
      affine(2 * scale, linearKernel(X, Xtest)),
      prior(2 * scale),
      auto,
    );
    const [a, b] = [softmax.fit, logistic.fit];
    expect(Math.abs(a.logEvidence! - b.logEvidence!) / Math.hypot(a.logEvidenceError!, b.logEvidenceError!)).toBeLessThan(3.5);
    // expectation propagation is off by up to 0.006 in probabilities
    const error = softmax.prediction.standardError!.probabilities!.data.map((e) => 3.5 * e + 0.006);
    softmax.prediction.probabilities!.data.forEach((p, i) =>
      expect(Math.abs(p - logistic.prediction.probabilities!.data[i]!)).toBeLessThan(error[i]!),
    );
  });

  it("to rounding with the same inference; logits are centred", async () => {
    const problem = { kernel: affine(3, linearKernel(X)), chain: { widths: [4] }, likelihood: { type: "softmax" }, targets: oneHot };
    const { prediction } = await solve(problem, affine(3, linearKernel(X, Xtest)), prior(3), auto);
    const { mean, variance } = prediction;
    const logistic = await solve(
      { ...problem, kernel: affine(2, problem.kernel), likelihood: { type: "logistic" }, targets: labelsOf(y) },
      affine(6, linearKernel(X, Xtest)),
      prior(6),
      auto,
    );
    expectClose(prediction.probabilities!, logistic.prediction.probabilities!, { absolute: 1e-9 });
    for (let j = 0; j < 3; j++) {
      expect(mean.data[2 * j]! + mean.data[2 * j + 1]!).toBeCloseTo(0, 12);
      expect(variance.data[2 * j]!).toBeCloseTo(variance.data[2 * j + 1]!, 12);
    }
  });
});

describe("inference of one latent output", () => {
  const kernel = affine(10, linearKernel(X));
  const cross = affine(10, linearKernel(X, Xtest));
  const problem: LatentProblem = { kernel, chain: { widths: [] }, likelihood: { type: "probit" }, targets: labelsOf(y) };
  it("expectation propagation is nearer to sampling than Laplace, which is under-confident", async () => {
    const probabilities = async (inference: LatentOptions["inference"]): Promise<Float64Array> =>
      (await solve(problem, cross, prior(10), { inference, draws: 6000 })).prediction.probabilities!.data;
    const sampled = await probabilities("sampling");
    const distance = async (inference: LatentOptions["inference"]): Promise<number> =>
      (await probabilities(inference)).reduce((sum, p, i) => sum + Math.abs(p - sampled[i]!) / sampled.length, 0);
    const [ep, laplace, shifted] = [
      await distance("expectation-propagation"),
      await distance("laplace"),
      await distance("laplace-shifted"),
    ];
    expect(ep).toBeLessThan(0.01);
    expect(laplace).toBeGreaterThan(2 * ep);
    expect(shifted).toBeLessThan(laplace);
    const quick = await probabilities("laplace");
    quick.forEach((p, i) => expect(Math.abs(p - 0.5)).toBeLessThan(Math.abs(sampled[i]! - 0.5) + 0.02));
  });
  it("every inference says what it is and what it is worth", async () => {
    const found = async (inference: LatentOptions["inference"], change: Partial<LatentProblem> = {}) => {
      const fit = await fitLatents({ ...problem, ...change }, { inference, draws: 64 }, inlineRun({ registry }));
      return { ...fit, told: fit.warnings.map((text) => text.split(" ").slice(0, 3).join(" ")), kind: fit.state.kind };
    };
    const three = { likelihood: { type: "softmax" }, targets: labelsOf([0, 1, 2, 0, 1, 2].map((c) => [0, 1, 2].map((k) => Number(k === c)))) }; // prettier-ignore
    const layer = { chain: { widths: [3] } };
    const cases = [
      ["expectation-propagation", {}, "sites", [], true],
      ["laplace", {}, "sites", ["Laplace approximations move"], false],
      ["laplace-shifted", {}, "sites", ["the skewness correction"], false],
      ["expectation-propagation", layer, "mixture", [], true],
      ["laplace", layer, "mixture", ["Laplace approximations move"], false],
      ["laplace", three, "logits", ["Laplace approximations move"], false],
      ["laplace-shifted", three, "logits", ["the skewness correction"], false],
    ] as const;
    for (const [inference, change, kind, told, error] of cases) {
      const fit = await found(inference, change);
      const what = `${inference} ${kind}`;
      expect([fit.kind, fit.told, fit.logEvidenceError !== undefined], what).toEqual([kind, told, error]);
      expect(fit.diagnostics["inference"], what).toBe(inference);
      expect("importanceFraction" in fit.diagnostics, what).toBe(error);
      const approximate = fit.diagnostics["approximateLogEvidence"] as number;
      if (error) expect(Math.abs(fit.logEvidence! - approximate), what).toBeLessThan(0.05 + 4 * fit.logEvidenceError!);
      else expect(fit.logEvidence, what).toBe(approximate);
      expect(fit.solver.converged, what).toBe(true);
    }
  });
  it("log Z is sampled unasked up to four hundred latent numbers of a network, by importance for a process, or on request", async () => {
    const n = 201;
    const asked: string[] = [];
    const run = inlineRun({ registry });
    // islands that stay where they are
    const still: typeof run = { ...run, async *map(_, chunks) { for (const chunk of chunks as readonly { particles: number; draws: number; ladder?: unknown }[]) { asked.push(chunk.draws === 0 ? "pilot" : "island"); yield { ladder: { exponents: [0, 1], stepSizes: [1] }, levels: [0, 1].map((exponent) => ({ exponent, logLikelihoods: new Float64Array(2).fill(-9), acceptance: 0.9, stein: 0.1 * exponent * (-1) ** asked.length })), gradients: 1, acceptance: 0.9, logLikelihoods: Float64Array.from({ length: chunk.particles * chunk.draws }, (__, k) => Math.sin(k * asked.length)), positions: matrixFromRows(Array.from({ length: chunk.particles * chunk.draws }, () => Array.from({ length: 6 }, () => 0.1))), hiddenKernels: [] } as never; } } }; // prettier-ignore
    const vector = Array.from({ length: n }, (_, i) => Math.sin(i));
    const labels = vector.map((_, i) => [0, 1, 2].map((c) => Number(i % 3 === c)));
    const of = async (points: number, evidence?: boolean) => {
      asked.length = 0;
      const part = vector.slice(0, points);
      const fit = await fitLatents({ kernel: rows(part.map((a) => part.map((b) => a * b))), chain: { widths: [3] }, likelihood: { type: "softmax" }, targets: labelsOf(labels.slice(0, points)) }, { inference: "sampling", draws: 64, ...(evidence === undefined ? {} : { evidence }) }, still); // prettier-ignore
      return [fit.logEvidence, asked.filter((name) => name === "pilot").length, fit.warnings.filter((text) => text.includes("takes long to sample")).length, fit.diagnostics["evidence"]]; // prettier-ignore
    };
    expect(await of(200)).toEqual([expect.closeTo(-9, 10), 1, 0, "annealed islands"]);
    expect(await of(201)).toEqual([undefined, 0, 1, undefined]);
    expect(await of(201, true)).toEqual([expect.closeTo(-9, 10), 1, 0, "annealed islands"]);
    expect(await of(200, false)).toEqual([undefined, 0, 0, undefined]);
  });
  it("hidden kernels of two layers: mixture against sampling", async () => {
    const deep: LatentProblem = { ...problem, chain: { widths: [3, 5], variances: [1.5, 2] }, linear: true };
    const a = await fitLatents(deep, auto, inlineRun({ registry }));
    const b = await fitLatents(deep, { inference: "sampling", draws: 8000, evidence: false }, inlineRun({ registry }));
    for (const l of [0, 1]) {
      const size = Math.max(...a.hiddenKernels![l]!.data);
      // expectation propagation inside: within 1 % of the largest entry
      b.hiddenKernels![l]!.data.forEach((value, i) =>
        expect(Math.abs(value - a.hiddenKernels![l]!.data[i]!)).toBeLessThan(3.5 * b.hiddenKernelErrors![l]!.data[i]! + 0.01 * size),
      );
    }
  });
  it("an inference that does not apply is refused by name", async () => {
    const targets = labelsOf([0, 1, 2, 0, 1, 2].map((c) => [0, 1, 2].map((k) => Number(k === c))));
    const three: LatentProblem = { ...problem, likelihood: { type: "softmax" }, targets, chain: { widths: [3] } };
    await expect(fitLatents(three, { inference: "laplace", draws: 10 }, inlineRun({ registry }))).rejects.toThrow(
      /inference: expected "auto" or "sampling"/,
    );
    await expect(fitLatents({ ...problem, likelihood: { type: "cauchy" } }, auto, inlineRun({ registry }))).rejects.toThrow(
      /likelihood.type: expected one of "gaussian"/,
    );
    await expect(fitLatents({ ...problem, likelihood: { type: "probit", scale: -1 } }, auto, inlineRun({ registry }))).rejects.toThrow(
      /likelihood.scale: expected a positive number/,
    );
  });
});

describe("invalid inputs", () => {
  interface Inputs {
    readonly reason: string;
    readonly likelihood: string;
    readonly tau?: number;
    readonly K: number[][];
    readonly Y: Labels;
  }
  const { cases } = readFixture<FixtureFile<Inputs, "error">>("classification/invalid-inputs");
  it.each(cases.map(({ inputs }) => [inputs.reason, inputs] as const))("%s", async (_reason, { likelihood, tau, K, Y }) => {
    const problem: LatentProblem = {
      kernel: rows(K),
      chain: { widths: [] },
      likelihood: { type: likelihood, ...(tau === undefined ? {} : { scale: tau }) },
      targets: labelsOf(Y),
    };
    await expect(fitLatents(problem, auto, inlineRun({ registry }))).rejects.toThrow(/^(targets|likelihood|kernel)/);
  });
  it("kernels that are not symmetric or not finite", async () => {
    const solve = (K: number[][]) =>
      fitLatents(
        { kernel: rows(K), chain: { widths: [] }, likelihood: { type: "logistic" }, targets: labelsOf([1, -1]) },
        auto,
        inlineRun({ registry }),
      );
    await expect(solve([[1, 0.2], [0.3, 1]])).rejects.toThrow("kernel[1][0]"); // prettier-ignore
    await expect(solve([[1, Number.NaN], [Number.NaN, 1]])).rejects.toThrow("kernel: expected finite numbers"); // prettier-ignore
  });
});
