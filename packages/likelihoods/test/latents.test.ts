import { createRegistry, inlineRun, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.js";
import { fitLatents, plugin, predictLaplaceSoftmax, predictLatents, type LatentProblem } from "../src/index.js";
import { latentOptions } from "../src/posterior/options.js";
import { checkLatentProblem, resolveInference } from "../src/posterior/problem.js";
import { trustedEvidence } from "../src/posterior/result.js";
import type { DrawsState, MixtureState } from "../src/posterior/state.js";
import { labelsOf, likelihoodOf, rows } from "./fixtures.js";

const registry = createRegistry([plugin]);
const K = [
  [2, 0.5],
  [0.5, 1],
];
/** Two training points, three others. */
const cross = [
  [0.3, -0.4, 1.1],
  [0.2, 0.6, -0.5],
];
const prior = [1.5, 0.9, 2.5];
const kernels = (readoutBias = 0) => ({ train: () => rows(K), cross: rows(cross), prior: Float64Array.from(prior), readoutBias });

describe("predictions from states", () => {
  it("a mixture over q is averaged over its nodes, the readout bias outside q", () => {
    const bias = 0.7;
    const state: MixtureState = {
      kind: "mixture",
      logQ: Float64Array.of(Math.log(0.5), Math.log(3)),
      nodeWeights: Float64Array.of(0.3, 0.7),
      alpha: rows([
        [0.4, -0.2],
        [0.1, 0.6],
      ]),
      weights: rows([
        [0.2, 0.3],
        [0.5, 0.1],
      ]),
    };
    const at = (q: number, [a, b]: number[], [v, w]: number[], j: number) => {
      const [k0, k1] = [q * cross[0]![j]! + bias, q * cross[1]![j]! + bias];
      // K + W⁻¹ of two points, inverted by hand
      const [m00, m01, m11] = [q * 2 + bias + 1 / v!, q * 0.5 + bias, q + bias + 1 / w!];
      const explained = (k0 * k0 * m11 - 2 * k0 * k1 * m01 + k1 * k1 * m00) / (m00 * m11 - m01 * m01);
      return { mean: k0 * a! + k1 * b!, variance: q * prior[j]! + bias - explained };
    };
    const found = predictLatents(state, likelihoodOf("logistic"), 1, kernels(bias), 1);
    [0, 1, 2].forEach((j) => {
      const [one, two] = [at(0.5, [0.4, -0.2], [0.2, 0.3], j), at(3, [0.1, 0.6], [0.5, 0.1], j)];
      const mean = 0.3 * one.mean + 0.7 * two.mean;
      const second = 0.3 * (one.variance + one.mean ** 2) + 0.7 * (two.variance + two.mean ** 2);
      expectClose([found.mean.data[j]!, found.variance.data[j]!], [mean, second - mean ** 2], { relative: 1e-12 });
    });
    // two classes of softmax: logits ∓ g/√2
    const softmax = predictLatents(state, likelihoodOf("softmax"), 2, kernels(bias), 1);
    expectClose(
      softmax.variance.data,
      [...found.variance.data].flatMap((value) => [value / 2, value / 2]),
      { relative: 1e-12 },
    );
    expectClose(
      Array.from({ length: 3 }, (_, j) => Math.abs(softmax.mean.data[2 * j]! - softmax.mean.data[2 * j + 1]!)),
      found.mean.data.map((value) => Math.SQRT2 * Math.abs(value)),
      { relative: 1e-12 },
    );
  });

  const state: DrawsState = {
    kind: "draws",
    basis: rows([
      [0.8, 0.1],
      [-0.3, 0.9],
    ]),
    // three draws of two latent outputs over rank 2, factors 2 × 2, two chains
    projected: rows([
      [1, 2, -1, 0.5],
      [0.3, -0.7, 0.9, 1.2],
      [-0.4, 0.6, 2, -1.5],
    ]),
    factors: rows([
      [1, 0.2, -0.3, 0.8],
      [0.5, 0, 0.1, 1.1],
      [0.9, -0.4, 0.6, 0.7],
    ]),
    bias: rows([
      [0.1, -0.2],
      [0.3, 0],
      [-0.5, 0.4],
    ]),
    weights: Float64Array.of(0.25, 0.35, 0.4),
    chains: Float64Array.of(0, 0, 1),
  };
  const reach = (j: number): number[] => [0, 1].map((r) => cross[0]![j]! * state.basis.data[r]! + cross[1]![j]! * state.basis.data[2 + r]!);
  const latent = (k: number, j: number): number[] =>
    [0, 1].map(
      (a) => reach(j).reduce((sum, value, r) => sum + value * state.projected.data[4 * k + 2 * a + r]!, 0) + state.bias.data[2 * k + a]!,
    );
  const lifted = (f: readonly number[], lift: readonly number[][]): number[] =>
    [0, 1, 2].map((c) => f[0]! * lift[0]![c]! + f[1]! * lift[1]![c]!);

  it("draws are averaged with their weights, what they leave open in closed form, with errors over chains", () => {
    const likelihood = likelihoodOf("softmax");
    const contrasts = likelihood.contrasts(3)!;
    const lift = [0, 1].map((a) => Array.from(contrasts.data.subarray(3 * a, 3 * a + 3)));
    const { mean, variance, probabilities, standardError } = predictLatents(state, likelihood, 3, kernels(), 4);
    for (const j of [0, 1, 2]) {
      const open = prior[j]! - reach(j).reduce((sum, value) => sum + value ** 2, 0);
      expect(open).toBeGreaterThan(0.1);
      for (const c of [0, 1, 2]) {
        const at = [0, 1, 2].map((k) => lifted(latent(k, j), lift)[c]!);
        const spread = [0, 1, 2].map(
          (k) =>
            [0, 1].reduce(
              (sum, e) => sum + (state.factors.data[4 * k + e]! * lift[0]![c]! + state.factors.data[4 * k + 2 + e]! * lift[1]![c]!) ** 2,
              0,
            ) * open,
        );
        const average = (values: readonly number[]) => values.reduce((sum, value, k) => sum + state.weights[k]! * value, 0);
        const centre = average(at);
        expectClose(mean.data[3 * j + c]!, centre, { relative: 1e-12 });
        const squares = at.map((value, k) => (value - centre) ** 2 + spread[k]!);
        expectClose(variance.data[3 * j + c]!, average(squares), { relative: 1e-12 });
        // two chains of weights 0.6 and 0.4, errors by their spread times 2/(2 − 1)
        const error = (values: readonly number[], total: number) => {
          const first = (0.25 * values[0]! + 0.35 * values[1]!) / 0.6;
          return Math.sqrt(2 * ((0.6 * (first - total)) ** 2 + (0.4 * (values[2]! - total)) ** 2));
        };
        expectClose(standardError!.mean.data[3 * j + c]!, error(at, centre), { relative: 1e-10 });
        expectClose(standardError!.variance.data[3 * j + c]!, error(squares, average(squares)), { relative: 1e-10 });
      }
      expectClose(
        [0, 1, 2].reduce((sum, c) => sum + probabilities!.data[3 * j + c]!, 0),
        1,
        { relative: 1e-12 },
      );
    }
  });

  it("what draws leave open counts in proportion, however little it is", () => {
    const explained = Float64Array.from([0, 1, 2], (j) => reach(j).reduce((sum, value) => sum + value ** 2, 0));
    const [none, little, much] = [0, 1e-3, 1].map(
      (share) => predictLatents(state, likelihoodOf("softmax"), 3, { ...kernels(), prior: explained.map((v) => v * (1 + share)) }, 4).variance, // prettier-ignore
    );
    little!.data.forEach((value, i) => expectClose((value - none!.data[i]!) / 1e-3, much!.data[i]! - none!.data[i]!, { relative: 1e-9 }));
  });

  it("of draws that leave nothing open probabilities are averages over draws", () => {
    const likelihood = likelihoodOf("softmax", 0.5);
    const explained = Float64Array.from([0, 1, 2], (j) => reach(j).reduce((sum, value) => sum + value ** 2, 0));
    const { probabilities } = predictLatents(state, likelihood, 3, { ...kernels(), prior: explained }, 4);
    const expected = [0, 1, 2].flatMap((j) => {
      const each = [0, 1, 2].map((k) => likelihood.probabilities!(matrixFromRows([latent(k, j)])).data);
      return [0, 1, 2].map((c) => each.reduce((sum, p, k) => sum + state.weights[k]! * p[c]!, 0));
    });
    expectClose(probabilities!, expected, { relative: 1e-11 });
  });

  it("what draws leave open is drawn with both signs, by the seed", () => {
    const odd = { ...state, projected: rows([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), bias: rows([[0, 0], [0, 0], [0, 0]]) }; // prettier-ignore
    const of = (seed: number) => predictLatents(odd, likelihoodOf("softmax"), 3, kernels(), seed).probabilities!;
    expect(of(1)).toEqual(of(1));
    expect(of(2)).not.toEqual(of(1));
    // of one latent output the two signs are mirror images
    const one: DrawsState = {
      ...odd,
      projected: rows([[0, 0]]),
      factors: rows([[1.3]]),
      bias: rows([[0]]),
      weights: Float64Array.of(1),
      chains: Float64Array.of(0),
    };
    // a single chain cannot know its error; counts have no classes
    const counts = predictLatents(one, likelihoodOf("poisson"), 1, kernels(), 3);
    expect([...counts.standardError!.mean.data, ...counts.standardError!.variance.data]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([Object.keys(counts), Object.keys(counts.standardError!)].flat()).not.toContain("probabilities");
    expectClose(
      predictLatents(one, likelihoodOf("logistic"), 1, kernels(), 3).probabilities!,
      Array.from({ length: 6 }, () => 0.5),
      { relative: 1e-12 },
    );
  });
});

const targets = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]); // prettier-ignore
const kernel = rows([[2, 0.3, -0.2, 0.5], [0.3, 1.5, 0.1, 0.9], [-0.2, 0.1, 1, 0.2], [0.5, 0.9, 0.2, 1.2]]); // prettier-ignore
const problem: LatentProblem = {
  kernel,
  chain: { widths: [3, 2], variances: [1.5, 0.7], readoutBias: 0.4 },
  likelihood: { type: "softmax" },
  targets,
};

describe("three classes in sampled networks", () => {
  it("the mixing matrix is the mean of FFᵀ over the draws, and whole fits say what they did", async () => {
    const fit = await fitLatents(problem, { inference: "auto", draws: 64, evidence: false }, inlineRun({ registry, seed: 3 }));
    const { state, mixing } = fit;
    if (state.kind !== "draws" || typeof mixing !== "object") throw new Error("expected draws and a matrix");
    const r = state.factors.shape[1] / 2;
    const expected = [0, 0, 0, 0];
    state.weights.forEach((weight, k) => {
      for (const a of [0, 1])
        for (const b of [0, 1])
          for (let e = 0; e < r; e++)
            expected[2 * a + b]! += weight * state.factors.data[k * 2 * r + a * r + e]! * state.factors.data[k * 2 * r + b * r + e]!;
    });
    expectClose(mixing, expected, { relative: 1e-10 });
    expectClose(
      state.weights.reduce((sum, weight) => sum + weight, 0),
      1,
      { relative: 1e-12 },
    );
    expect(fit.mixingError!.shape).toEqual([2, 2]);
    expect(fit).not.toHaveProperty("logEvidence");
    expect(fit).not.toHaveProperty("hiddenKernels");
    expect(fit.diagnostics).toMatchObject({ inference: "sampling", draws: state.weights.length, chains: state.chains.at(-1)! + 1 });
  });
});

describe("which inference", () => {
  it("is chosen by the number of latent outputs and by biases", () => {
    const one = { targets: labelsOf([1, -1]) };
    const three = { targets: labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]]) }; // prettier-ignore
    const [logistic, softmax] = [likelihoodOf("logistic"), likelihoodOf("softmax")];
    const chain = { widths: [3] };
    const limit = { widths: [] };
    expect(resolveInference(logistic, { ...one, chain }, "auto")).toBe("expectation-propagation");
    expect(resolveInference(logistic, { ...one, chain: { ...chain, hiddenBias: [0] } }, "auto")).toBe("expectation-propagation");
    expect(resolveInference(logistic, { ...one, chain: { widths: [3, 4], hiddenBias: [0, 0.1] } }, "auto")).toBe("sampling");
    expect(resolveInference(softmax, { ...three, chain: limit }, "auto")).toBe("sampling");
    for (const wanted of ["laplace", "laplace-shifted"] as const)
      expect(resolveInference(softmax, { ...three, chain: limit }, wanted)).toBe(wanted);
    expect(resolveInference(logistic, { ...one, chain }, "laplace")).toBe("laplace");
    expect(resolveInference(softmax, { ...three, chain }, "sampling")).toBe("sampling");
    for (const [likelihood, given, wanted] of [
      [logistic, { ...one, chain }, "laplace-shifted"],
      [softmax, { ...three, chain: limit }, "expectation-propagation"],
      [softmax, { ...three, chain }, "laplace"],
      [logistic, { ...one, chain: { ...chain, hiddenBias: [0.1] } }, "laplace"],
    ] as const)
      expect(() => resolveInference(likelihood, given, wanted)).toThrow(/^inference: expected "auto" or "sampling"/);
    expect([latentOptions({}), latentOptions({ inference: "laplace", posteriorDraws: 7, evidence: false })]).toEqual([
      { inference: "auto", draws: 1000, evidence: undefined },
      { inference: "laplace", draws: 7, evidence: false },
    ]);
  });

  it("believes sampled evidence from a hundredth of its draws on; kernels may be indefinite by rounding only", () => {
    const sampled = (fraction: number) => ({ logEvidence: -3, standardError: 0.1, fraction });
    expect(trustedEvidence(sampled(0.01), -4)).toEqual({ logEvidence: -3, logEvidenceError: 0.1, warnings: [] });
    expect(trustedEvidence(sampled(0.009), -4)).toEqual({
      logEvidence: -4,
      warnings: [expect.stringContaining("kept 0.009 of its draws")],
    });
    const check = (kernel: number[][], y = [1, -1]) =>
      checkLatentProblem({ kernel: rows(kernel), targets: labelsOf(y) }, likelihoodOf("logistic"));
    const diagonal = (a: number, b: number) => [[a, 0], [0, b]]; // prettier-ignore
    check(diagonal(1, -0.9e-8));
    expect(() => check(diagonal(1, -1.1e-8))).toThrow(/^kernel: expected a positive semi-definite matrix/);
    check([[1, 0.5], [0.5 + 0.9e-8, 1]]); // prettier-ignore
    expect(() => check([[1, 0.5], [0.5 + 1.1e-8, 1]])).toThrow(/^kernel\[1\]\[0\]/); // prettier-ignore
    expect(() => check([[1, 0, 0], [0, 1, 0], [0, 0, 1]])).toThrow(/^kernel: expected 2 × 2/); // prettier-ignore
    expect(() => check(diagonal(1, 1), [1, 1])).toThrow(/class/);
  });

  it("Laplace of three classes predicts the same with its factor at hand and without, logits about their mean", async () => {
    const three: LatentProblem = { ...problem, chain: { widths: [] }, likelihood: { type: "softmax", scale: 0.6 } };
    const between = rows([[0.3, -0.4], [0.2, 0.6], [0.1, 0.5], [-0.7, 0.2]]); // prettier-ignore
    const given = { train: () => kernel, cross: between, prior: Float64Array.of(1.4, 0.9) };
    const likelihood = likelihoodOf("softmax", 0.6);
    for (const inference of ["laplace", "laplace-shifted"] as const) {
      const { state, factor } = await fitLatents(three, { inference, draws: 10 }, inlineRun({ registry }));
      if (state.kind !== "logits") throw new Error("expected logits");
      const found = predictLatents(state, likelihood, 3, { ...given, factor: factor! }, 1);
      const again = predictLatents(state, likelihood, 3, given, 1);
      for (const name of ["mean", "variance", "probabilities"] as const)
        expectClose(again[name]!, found[name]!, { relative: 1e-12, absolute: 1e-14 });
      const raw = predictLaplaceSoftmax({ scale: 0.6, alpha: state.alpha, factor: factor! }, between, given.prior);
      for (const j of [0, 1]) {
        const centre = (values: readonly number[]) => values.map((value) => value - (values[0]! + values[1]! + values[2]!) / 3);
        const at = [0, 1, 2].map((c) => raw.mean.data[3 * j + c]!);
        expectClose(
          [0, 1, 2].map((c) => found.mean.data[3 * j + c]!),
          centre(at),
          { relative: 1e-12, absolute: 1e-14 },
        );
        const block = [0, 1, 2].map((c) => centre([0, 1, 2].map((e) => raw.covariance[9 * j + 3 * c + e]!)));
        const centred = [0, 1, 2].map((c) => centre(block.map((row) => row[c]!))[c]!);
        expectClose(
          [0, 1, 2].map((c) => found.variance.data[3 * j + c]!),
          centred,
          { relative: 1e-11 },
        );
      }
    }
  });
});
