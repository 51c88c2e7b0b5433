import { zeros, type Matrix } from "@finitewidth/core";
import { affine, diagonalOf, identity, multiply, transpose } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.js";
import {
  averageProbabilities,
  binaryProbabilities,
  contrastMoments,
  expectationPropagation,
  expectationPropagationGradient,
  helmertContrasts,
  kernelRoot,
  importanceEvidence,
  kernelTimesMixing,
  laplaceDense,
  laplaceGivenMixing,
  laplaceScalar,
  laplaceScalarGradient,
  laplaceScalarMeanShift,
  laplaceSoftmax,
  laplaceSoftmaxMeanShift,
  mixingSaddle,
  posteriorCovariance,
  factorSites,
  gaussianLikelihood,
  predictLaplaceSoftmax,
  predictSites,
  softmaxLikelihood,
} from "../src/index.js";
import { labelsOf, likelihoodOf, rows, type FixtureFile, type Labels } from "./fixtures.js";

interface ScalarInputs {
  readonly likelihood: string;
  readonly tau: number;
  readonly K: number[][];
  readonly Kcross: number[][];
  readonly ktest: number[];
  readonly y: number[];
}
type Values = Readonly<Record<string, number & number[] & number[][]>>;

const scalarCase = (inputs: ScalarInputs) => {
  const likelihood = likelihoodOf(inputs.likelihood, inputs.tau ?? 1);
  return {
    likelihood,
    kernel: rows(inputs.K),
    observation: likelihood.observe(labelsOf(inputs.y)),
    cross: transpose(rows(inputs.Kcross)),
    prior: Float64Array.from(inputs.ktest),
  };
};

describe("Laplace, one output", () => {
  const { cases, tolerance } = readFixture<FixtureFile<ScalarInputs, Values>>("classification/laplace-scalar");
  it.each(cases.map((entry, i) => [i, entry.inputs.likelihood, entry] as const))("case %i, %s", (_i, _name, { inputs, expected }) => {
    const { likelihood, kernel, observation, cross, prior } = scalarCase(inputs);
    const fit = laplaceScalar(kernel, observation);
    expect(fit.converged).toBe(true);
    expectClose(fit.latent, expected["mode"]!, tolerance, "mode");
    expectClose(fit.alpha, expected["a"]!, tolerance, "a");
    expectClose(fit.logEvidence, expected["logEvidence"]!, tolerance, "log Z");
    expectClose(laplaceScalarGradient(kernel, observation, fit), expected["gradientK"]!, tolerance, "gradient");
    const shift = laplaceScalarMeanShift(kernel, observation, fit);
    expectClose(shift, expected["meanShift"]!, tolerance, "shift");
    const { mean, variance } = predictSites(kernel, fit, cross, prior);
    expectClose(mean, expected["testMean"]!, tolerance, "mean");
    expectClose(variance, expected["testVariance"]!, tolerance, "variance");
    const shifted = predictSites(kernel, { ...fit, alpha: fit.alpha.map((a, k) => a + shift[k]!) }, cross, prior);
    expectClose(shifted.mean, expected["testMeanShifted"]!, tolerance, "shifted mean");
    if (!expected["probabilities"]) return;
    expectClose(binaryProbabilities(likelihood, mean, variance), expected["probabilities"], tolerance, "probabilities");
    expectClose(binaryProbabilities(likelihood, shifted.mean, variance), expected["probabilitiesShifted"]!, tolerance, "shifted");
  });
});

describe("expectation propagation", () => {
  const { cases, tolerance } = readFixture<FixtureFile<ScalarInputs, Values>>("classification/ep-scalar");
  it.each(cases.map((entry, i) => [i, entry.inputs.likelihood, entry] as const))("case %i, %s", (_i, _name, { inputs, expected }) => {
    const { likelihood, kernel, observation, cross, prior } = scalarCase(inputs);
    const fit = expectationPropagation(kernel, observation, { scale: likelihood.scale });
    expect(fit.converged).toBe(true);
    expectClose(fit.logEvidence, expected["logEvidence"]!, tolerance, "log Z");
    expectClose(fit.latent, expected["posteriorMean"]!, tolerance, "mean");
    expectClose(
      diagonalOf(posteriorCovariance(factorSites(kernel, fit.weights), kernel)),
      expected["posteriorVariance"]!,
      tolerance,
      "variance",
    );
    expectClose(expectationPropagationGradient(kernel, fit), expected["gradientK"]!, tolerance, "gradient");
    const { mean, variance } = predictSites(kernel, fit, cross, prior);
    expectClose(mean, expected["testMean"]!, tolerance, "test mean");
    expectClose(variance, expected["testVariance"]!, tolerance, "test variance");
    if (expected["probabilities"])
      expectClose(binaryProbabilities(likelihood, mean, variance), expected["probabilities"], tolerance, "probabilities");
    // exact, by importance sampling around the fixed point
    const importance = importanceEvidence(kernelRoot(kernel), observation, fit.weights, fit.alpha, { draws: 20_000, seed: 7 });
    expect(importance.fraction).toBeGreaterThan(0.1);
    const { logEvidence, standardError } = importance;
    const exact = expected["exactLogEvidence"] as number | null | undefined;
    if (typeof exact === "number") expect(Math.abs(logEvidence - exact) / standardError).toBeLessThan(3.5);
    expect(Math.abs(logEvidence - fit.logEvidence)).toBeLessThan(0.2);
  });
});

describe("Laplace, softmax", () => {
  interface Inputs extends Omit<ScalarInputs, "y"> {
    readonly Y: Labels;
  }
  const { cases, tolerance } = readFixture<FixtureFile<Inputs, Values>>("classification/laplace-softmax");
  const centred = (m: Matrix): number[] => {
    const D = m.shape[1];
    return Array.from(m.data, (value, i) => {
      const row = m.data.subarray(Math.floor(i / D) * D, (Math.floor(i / D) + 1) * D);
      return value - row.reduce((a, b) => a + b, 0) / D;
    });
  };
  it.each(cases.map((entry, i) => [i, entry] as const))("case %i", (_i, { inputs, expected }) => {
    const tau = inputs.tau ?? 1;
    const kernel = rows(inputs.K);
    const targets = labelsOf(inputs.Y);
    const fit = laplaceSoftmax(kernel, targets, tau);
    expect(fit.converged).toBe(true);
    const D = targets.shape[1];
    expectClose(
      centred({ data: fit.logits.data.map((value) => value * tau), shape: fit.logits.shape }),
      expected["modeCentred"]!,
      tolerance,
      "mode",
    );
    expectClose(fit.logEvidence, expected["logEvidence"]!, tolerance, "log Z");
    const cross = transpose(rows(inputs.Kcross));
    const prior = Float64Array.from(inputs.ktest);
    const { mean, covariance } = predictLaplaceSoftmax(fit, cross, prior);
    expectClose(centred(mean), expected["testMeanCentred"]!, tolerance, "mean");
    const h = helmertContrasts(D);
    const contrasts = contrastMoments(h, mean, covariance);
    const back = Array.from({ length: prior.length }, (_, i) =>
      multiply(
        multiply(transpose(h), { data: contrasts.covariance.slice(i * (D - 1) ** 2, (i + 1) * (D - 1) ** 2), shape: [D - 1, D - 1] }),
        h,
      ),
    );
    expectClose(back, expected["testCovarianceCentred"]!, tolerance, "covariance");
    const shift = laplaceSoftmaxMeanShift(kernel, fit);
    const moved = multiply(transpose(cross), shift);
    expectClose(
      centred({ data: moved.data.map((value) => value / tau), shape: moved.shape }),
      expected["meanShiftTest"]!,
      tolerance,
      "shift",
    );
    const likelihood = softmaxLikelihood(tau);
    const p = averageProbabilities(likelihood, contrasts.mean, contrasts.covariance, 14);
    expectClose(p, expected["probabilities"]!, { absolute: 3e-4 }, "probabilities");
    const q = averageProbabilities(likelihood, contrasts.mean, contrasts.covariance);
    expectClose(q, expected["probabilities"]!, { absolute: 4e-3 }, "probabilities of 256 points");
  });

  it("is the dense approximation in contrasts, mode, evidence and shift", () => {
    const { inputs } = cases[0]!;
    const kernel = rows(inputs.K);
    const targets = labelsOf(inputs.Y);
    const tau = inputs.tau ?? 1;
    const fast = laplaceSoftmax(kernel, targets, tau);
    const dense = laplaceDense(kernelTimesMixing(kernel, identity(targets.shape[1] - 1)), softmaxLikelihood(tau).observe(targets));
    expect(dense.logEvidence).toBeCloseTo(fast.logEvidence, 10);
    const h = helmertContrasts(targets.shape[1]);
    const logits = multiply({ data: dense.latent, shape: [targets.shape[0], targets.shape[1] - 1] }, h);
    expectClose(centred({ data: fast.logits.data.map((value) => value * tau), shape: fast.logits.shape }), logits, { absolute: 1e-8 });
    const a = multiply({ data: dense.shift, shape: [targets.shape[0], targets.shape[1] - 1] }, h);
    const t = laplaceSoftmaxMeanShift(kernel, fast);
    expectClose(centred({ data: t.data.map((value) => value / tau), shape: t.shape }), a, { absolute: 1e-8 });
  });
});

describe("Laplace given a mixing matrix", () => {
  interface Inputs {
    readonly K: number[][];
    readonly Y: Labels;
    readonly Q: number[][];
    readonly width: number;
    readonly contrasts: number[][];
  }
  const { cases, tolerance } = readFixture<FixtureFile<Inputs, Values>>("classification/laplace-matrix");
  it.each(cases.map((entry, i) => [i, entry] as const))("case %i", (_i, { inputs, expected }) => {
    const targets = labelsOf(inputs.Y);
    expectClose(helmertContrasts(targets.shape[1]), inputs.contrasts, { absolute: 1e-14 }, "contrasts");
    const observation = softmaxLikelihood().observe(targets);
    const kernel = rows(inputs.K);
    const { logEvidence, gradient, fit } = laplaceGivenMixing(kernel, rows(inputs.Q), observation);
    expectClose(logEvidence, expected["logEvidenceGivenQ"]!, tolerance, "log Z");
    expectClose(gradient, expected["gradientQ"]!, tolerance, "gradient");
    expectClose(fit.latent, expected["mode"]!, tolerance, "mode");
    const saddle = mixingSaddle(kernel, observation, inputs.width);
    expect(saddle.residual).toBeLessThan(1e-7);
    expectClose(saddle.mixing, expected["saddleQ"]!, { absolute: tolerance["saddleQAbsolute"]! }, "saddle");
    expectClose(saddle.value, expected["saddleValue"]!, tolerance, "saddle value");
    expectClose(saddle.logEvidence, expected["saddleLogEvidence"]!, { absolute: tolerance["saddleLogEvidenceAbsolute"]! }, "saddle log Z");
  });
});

describe("invariants", () => {
  const kernel = rows([
    [2, 0.3, -0.5, 0.1],
    [0.3, 1.5, 0.2, 0.4],
    [-0.5, 0.2, 1.1, 0],
    [0.1, 0.4, 0, 0.9],
  ]);
  const y = [1, -1, -1, 1];
  const oneHot = labelsOf(y.map((value) => (value > 0 ? [1, 0] : [0, 1])));
  const times = (c: number): Matrix => affine(c, kernel);

  it("softmax of two classes with K is logistic with 2K: Laplace to rounding", () => {
    const two = laplaceSoftmax(kernel, oneHot);
    const one = laplaceScalar(times(2), likelihoodOf("logistic").observe(labelsOf(y)));
    expect(two.logEvidence).toBeCloseTo(one.logEvidence, 12);
  });
  it("a scale τ is the kernel K/τ²", () => {
    for (const name of ["logistic", "probit"]) {
      const scaled = expectationPropagation(kernel, likelihoodOf(name, 2).observe(labelsOf(y)), { scale: 2 });
      const plain = expectationPropagation(times(0.25), likelihoodOf(name).observe(labelsOf(y)));
      expect(scaled.logEvidence).toBeCloseTo(plain.logEvidence, 9);
    }
  });
  it("labels of the other sign flip the mean; a permutation of classes permutes the probabilities", () => {
    const [a, b] = [y, y.map((value) => -value)].map((labels) =>
      expectationPropagation(kernel, likelihoodOf("logistic").observe(labelsOf(labels))),
    );
    expectClose(
      a!.latent,
      b!.latent.map((value) => -value),
      { absolute: 1e-8 },
    );
    expect(a!.logEvidence).toBeCloseTo(b!.logEvidence, 10);
    const three = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]); // prettier-ignore
    const turned = labelsOf([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]); // prettier-ignore
    const [p, q] = [laplaceSoftmax(kernel, three), laplaceSoftmax(kernel, turned)];
    expect(p.logEvidence).toBeCloseTo(q.logEvidence, 11);
    for (let i = 0; i < 4; i++)
      for (let c = 0; c < 3; c++) expect(p.probabilities.data[3 * i + c]!).toBeCloseTo(q.probabilities.data[3 * i + ((c + 2) % 3)]!, 10);
  });
  it("K → 0: log Z → −P log 2; K → ∞: logistic and probit meet at the orthant probability", () => {
    const small = expectationPropagation(times(1e-10), likelihoodOf("logistic").observe(labelsOf(y)));
    expect(small.logEvidence).toBeCloseTo(-4 * Math.LN2, 8);
    const [one, two] = ["logistic", "probit"].map((name) => expectationPropagation(times(1e6), likelihoodOf(name).observe(labelsOf(y))));
    expect(one!.converged && two!.converged).toBe(true);
    expect(one!.logEvidence).toBeCloseTo(two!.logEvidence, 3);
  });
  it("Gaussian likelihood: EP and Laplace are exact", () => {
    const likelihood = gaussianLikelihood(0.3);
    const observation = likelihood.observe(labelsOf(y));
    const ep = expectationPropagation(kernel, observation);
    const laplace = laplaceScalar(kernel, observation);
    // N(y | 0, K + T)
    const sigma = factorSites(kernel, new Float64Array(4).fill(1 / 0.3));
    const logDeterminant = sigma.cholesky.logDeterminant + 4 * Math.log(0.3);
    const quadratic = y.reduce((sum, value, i) => sum + value * laplace.alpha[i]!, 0);
    expect(laplace.logEvidence).toBeCloseTo(-0.5 * (4 * Math.log(2 * Math.PI) + logDeterminant + quadratic), 10);
    expect(ep.logEvidence).toBeCloseTo(laplace.logEvidence, 9);
    expectClose(ep.latent, laplace.latent, { absolute: 1e-9 });
  });
  it("duplicate points with equal labels and points that the prior fixes at 0 are ordinary", () => {
    const singular = rows([[1, 1, 0], [1, 1, 0], [0, 0, 0]]); // prettier-ignore
    const observation = likelihoodOf("logistic").observe(labelsOf([1, 1, -1]));
    const ep = expectationPropagation(singular, observation);
    expect(ep.converged).toBe(true);
    // f = 0 there: the label has probability ½, whatever the others say
    const others = expectationPropagation(rows([[1, 1], [1, 1]]), likelihoodOf("logistic").observe(labelsOf([1, 1]))); // prettier-ignore
    expect(ep.logEvidence).toBeCloseTo(others.logEvidence - Math.LN2, 12);
    expect(ep.latent[2]).toBe(0);
    expect(laplaceScalar(singular, observation).converged).toBe(true);
  });
  it("no points: log Z = 0", () => {
    const none = likelihoodOf("logistic").observe(zeros(0, 1));
    expect(laplaceScalar(zeros(0, 0), none).logEvidence + 0).toBe(0);
    expect(expectationPropagation(zeros(0, 0), none).logEvidence + 0).toBe(0);
  });
});
