import { requireEveryClass, type Likelihood, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.js";
import { gaussianLikelihood, helmertContrasts, likelihoods, mills, softmaxLikelihood } from "../src/index.js";
import { labelsOf, likelihoodOf, rows, type FixtureFile, type Labels } from "./fixtures.js";

interface LikelihoodCase {
  readonly likelihood: string;
  readonly tau: number;
  readonly F: number[][];
  readonly Y: Labels;
  readonly S: number[][][];
}
interface LikelihoodValues {
  readonly logDensity: number[];
  readonly gradient: number[][];
  readonly negativeHessian: number[][][];
  readonly thirdContraction: number[][];
  readonly probabilities?: number[][];
}

describe("likelihoods against the fixture", () => {
  const { cases, tolerance } = readFixture<FixtureFile<LikelihoodCase, LikelihoodValues>>("classification/likelihoods");
  it.each(cases.map((entry) => [entry.inputs.likelihood, entry.inputs.tau, entry] as const))(
    "%s, scale %s",
    (name, tau, { inputs, expected }) => {
      const likelihood = likelihoodOf(name, tau ?? 1, false);
      const targets = labelsOf(inputs.Y);
      const latent = rows(inputs.F);
      const d = latent.shape[1];
      const n = latent.shape[0];
      const out = { perPoint: new Float64Array(n), gradient: new Float64Array(n * d), curvature: new Float64Array(n * d * d) };
      const total = likelihood.observe(targets).evaluate(latent.data, out);
      expectClose(out.perPoint, expected.logDensity, tolerance, "log density");
      expect(total).toBeCloseTo(
        expected.logDensity.reduce((a, b) => a + b, 0),
        8,
      );
      expectClose(out.gradient, expected.gradient, tolerance, "gradient");
      expectClose(out.curvature, expected.negativeHessian, tolerance, "curvature");
      const slope = new Float64Array(n * d);
      likelihood.observe(targets).curvatureSlope(latent.data, Float64Array.from(inputs.S.flat(2)), slope);
      expectClose(slope, expected.thirdContraction, tolerance, "slope");
      if (expected.probabilities) expectClose(likelihood.probabilities!(latent), expected.probabilities, tolerance, "probabilities");
    },
  );
});

/** Central differences of ℓ and of its gradient and curvature, for anything that claims to be a likelihood. */
function checkDerivatives(likelihood: Likelihood, targets: Matrix, latent: Float64Array): void {
  const observation = likelihood.observe(targets);
  const { points, latents: d } = observation;
  const at = (x: Float64Array) => {
    const out = { perPoint: new Float64Array(points), gradient: new Float64Array(points * d), curvature: new Float64Array(points * d * d) };
    observation.evaluate(x, out);
    return out;
  };
  const h = 1e-5;
  const contraction = Float64Array.from({ length: points * d * d }, (_, k) => Math.sin(1 + k));
  for (let p = 0; p < points; p++)
    for (let a = 0; a < d; a++) for (let b = 0; b < a; b++) contraction[(p * d + a) * d + b] = contraction[(p * d + b) * d + a]!;
  const slope = new Float64Array(points * d);
  observation.curvatureSlope(latent, contraction, slope);
  const here = at(latent);
  for (let i = 0; i < latent.length; i++) {
    const up = at(latent.map((value, k) => value + (k === i ? h : 0)));
    const down = at(latent.map((value, k) => value - (k === i ? h : 0)));
    const point = Math.floor(i / d);
    expect((up.perPoint[point]! - down.perPoint[point]!) / (2 * h)).toBeCloseTo(here.gradient[i]!, 7);
    let third = 0;
    for (let a = 0; a < d; a++) {
      const k = point * d + a;
      expect(-(up.gradient[k]! - down.gradient[k]!) / (2 * h)).toBeCloseTo(here.curvature[k * d + (i % d)]!, 7);
      for (let b = 0; b < d; b++) third += (contraction[k * d + b]! * (up.curvature[k * d + b]! - down.curvature[k * d + b]!)) / (2 * h);
    }
    expect(third).toBeCloseTo(slope[i]!, 6);
  }
}

describe("derivatives against differences", () => {
  const f = Float64Array.from([0.3, -1.2, 2.1, 0.05, -0.7, 1.4]);
  it.each(["logistic", "probit"])("%s", (name) => checkDerivatives(likelihoodOf(name, 0.7), labelsOf([1, -1, 1, -1, 1, 1]), f));
  it("poisson", () => checkDerivatives(likelihoodOf("poisson", 1.3), labelsOf([0, 1, 3, 2, 0, 7]), f));
  it("softmax contrasts", () => checkDerivatives(softmaxLikelihood(0.6), labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), f)); // prettier-ignore
  it("gaussian", () => checkDerivatives(gaussianLikelihood(0.3), rows([[1, 2], [0, -1], [3, 0.5]]), f)); // prettier-ignore
});

describe("identities", () => {
  it("contrasts are orthonormal and sum to 0", () => {
    const h = helmertContrasts(5);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        let dot = 0;
        for (let c = 0; c < 5; c++) dot += h.data[i * 5 + c]! * h.data[j * 5 + c]!;
        expect(dot).toBeCloseTo(Number(i === j), 14);
      }
      expect(h.data.subarray(i * 5, (i + 1) * 5).reduce((a, b) => a + b, 0)).toBeCloseTo(0, 14);
    }
  });
  it("softmax of two classes is logistic in (f₁ − f₂)", () => {
    const two = softmaxLikelihood().observe(labelsOf([[1, 0], [0, 1], [1, 0]])); // prettier-ignore
    const one = likelihoodOf("logistic").observe(labelsOf([1, -1, 1]));
    const g = Float64Array.from([0.4, -2, 30]);
    expect(two.evaluate(g)).toBeCloseTo(one.evaluate(g.map((value) => value * Math.SQRT2)), 13);
  });
  it("softmax of latent outputs that are no numbers has no density", () => {
    const observation = softmaxLikelihood().observe(labelsOf([[0, 0, 1], [1, 0, 0]])); // prettier-ignore
    for (const bad of [Number.NaN, Infinity]) expect(observation.evaluate(Float64Array.of(0.1, bad, 0.2, 0.3))).toBeNaN();
  });
  it("mills: the continued fraction meets the direct form, and W = −(log Φ)″ is within (0, 1)", () => {
    const [above, below] = [mills(-4), mills(-4 - 1e-9)];
    expect(below.curvature).toBeCloseTo(above.curvature, 8);
    expect(below.slope).toBeCloseTo(above.slope, 8);
    // dW/dz → 2/z³ far in the tail
    expect((mills(-1e4).slope * 1e12) / -2).toBeCloseTo(1, 6);
    for (const z of [-1e6, -50, -4, 0, 5, 40]) expect(mills(z).curvature).toBeGreaterThanOrEqual(0);
  });
  it.each([-3, -5, -9, -20])("mills at %d by integrals R_n = ∫tⁿ exp(zt − t²/2)dt: h = 1/R_0, u = R_1/R_0", (z) => {
    // the trapezoid in log t is exact to rounding
    const integral = (n: number): number => {
      let sum = 0;
      for (let s = -45; s < 5; s += 0.2) sum += 0.2 * Math.exp((n + 1) * s + z * Math.exp(s) - 0.5 * Math.exp(2 * s));
      return sum;
    };
    const [a, b, c] = [integral(0), integral(1), integral(2)];
    const { ratio, sum, curvature, slope } = mills(z);
    expectClose([ratio, sum, curvature, slope], [1 / a, b / a, b / a ** 2, c / a ** 2 - (2 * b * b) / a ** 3], { relative: 1e-9 });
  });
  it("the list of families has every one of them, and parameters are validated", () => {
    expect(likelihoods.map(({ name }) => name)).toEqual(["gaussian", "logistic", "probit", "softmax", "poisson"]);
    expect(() => likelihoodOf("logistic", 0)).toThrow("likelihood.scale: expected a positive number, got 0");
    expect(() => gaussianLikelihood(-1)).toThrow("likelihood.temperature");
  });
});

describe("class probabilities of latent outputs", () => {
  it("follow the scale; softmax lifts its contrasts to logits", () => {
    const f = [0.8, -3, 700];
    const column = rows(f.map((value) => [value]));
    expectClose(likelihoodOf("logistic", 1.6).probabilities!(column), f.flatMap((value) => [1 / (1 + Math.exp(value / 1.6)), 1 / (1 + Math.exp(-value / 1.6))]), { relative: 1e-12, absolute: 1e-300 }); // prettier-ignore
    expectClose(likelihoodOf("probit", 2).probabilities!(rows([[0], [1.96 * 2], [-1.96 * 2]])), [0.5, 0.5, 0.0249978951, 0.9750021049, 0.9750021049, 0.0249978951], { absolute: 1e-9 }); // prettier-ignore
    const [a, b, tau] = [0.7, -1.3, 0.6];
    // rows (1, −1, 0)/√2 and (1, 1, −2)/√6
    const logits = [a / Math.SQRT2 + b / Math.sqrt(6), -a / Math.SQRT2 + b / Math.sqrt(6), (-2 * b) / Math.sqrt(6)];
    const weights = logits.map((z) => Math.exp(z / tau));
    const total = weights[0]! + weights[1]! + weights[2]!;
    expectClose(softmaxLikelihood(tau).probabilities!(rows([[a, b]])), weights.map((w) => w / total), { relative: 1e-12 }); // prettier-ignore
    expectClose(softmaxLikelihood(tau, { contrasts: false }).probabilities!(rows([logits])), weights.map((w) => w / total), { relative: 1e-12 }); // prettier-ignore
    expect([...softmaxLikelihood(1).probabilities!(rows([[800, 0]])).data].map((p) => p > 0.5)).toEqual([true, false, false]);
  });
  it("labels and targets belong together", () => {
    expect([...likelihoodOf("probit").labels!(labelsOf([1, -1, 1]))]).toEqual([1, 0, 1]);
    expect([...likelihoodOf("logistic").encode!([1, 0, 1], 2).data]).toEqual([1, -1, 1]);
    const oneHot = softmaxLikelihood().encode!([2, 0], 3);
    expect([[...oneHot.data], oneHot.shape]).toEqual([[0, 0, 1, 1, 0, 0], [2, 3]]); // prettier-ignore
    expect([...softmaxLikelihood().labels!(oneHot)]).toEqual([2, 0]);
    const counts = (likelihood: Likelihood, columns: number) => [likelihood.latents(columns), likelihood.classes(columns)];
    expect([counts(softmaxLikelihood(), 4), counts(softmaxLikelihood(1, { contrasts: false }), 4)]).toEqual([[3, 4], [4, 4]]); // prettier-ignore
    expect([counts(likelihoodOf("probit"), 1), counts(likelihoodOf("poisson"), 1), counts(gaussianLikelihood(1), 3)]).toEqual([[1, 2], [1, undefined], [3, undefined]]); // prettier-ignore
  });
});

describe("labels", () => {
  const reject: readonly (readonly [string, Labels, RegExp])[] = [
    ["softmax", [[1, 0, 0], [1, 1, 0]], /targets\[1\]: expected a one-hot row/], // prettier-ignore
    ["softmax", [[1, 0], [0, 0]], /targets\[1\]: expected a one-hot row/], // prettier-ignore
    ["softmax", [[0.5, 0.5], [0, 1]], /targets\[0\]\[0\]: expected 0 or 1/], // prettier-ignore
    ["softmax", [[1], [1]], /targets.*at least 2 columns/],
    ["logistic", [0, 1], /targets\[0\]\[0\]: expected -1 or \+1, got 0/],
    ["probit", [[1, -1], [-1, 1]], /targets.*one column for the probit likelihood/], // prettier-ignore
    ["logistic", [1, null], /targets\[1\]\[0\]: expected -1 or \+1, got NaN/],
    ["poisson", [1, -2], /targets\[1\]\[0\]: expected a count/],
    ["poisson", [1, 0.5], /targets\[1\]\[0\]: expected a count/],
  ];
  it.each(reject)("%s refuses %j", (name, y, message) => {
    const likelihood = likelihoodOf(name);
    expect(() => likelihood.check(labelsOf(y))).toThrow(message);
    expect(() => likelihood.observe(labelsOf(y))).toThrow(message);
  });
  it("a class without a training point is named", () => {
    const missing = labelsOf([[1, 0, 0], [0, 1, 0]]); // prettier-ignore
    expect(() => requireEveryClass(likelihoodOf("softmax"), missing, "targets")).toThrow("targets: class 2 has no training point");
    expect(() => requireEveryClass(likelihoodOf("logistic"), labelsOf([1, 1]), "targets")).toThrow(
      "class of the target -1 has no training point; add some",
    );
  });
});
