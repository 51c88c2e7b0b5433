import { affine, transpose } from "@finitewidth/linalg";
import { digamma, trigamma } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.js";
import {
  correctMixture,
  expectationPropagationMixture,
  importanceEvidence,
  kernelRoot,
  laplaceScalar,
  meanOuterOverScale,
  mixingVariable,
  predictMixture,
  quantileNodes,
  scaleMixture,
  type SiteApproximation,
} from "../src/index.js";
import { labelsOf, likelihoodOf, rows, type FixtureFile } from "./fixtures.js";

interface Inputs {
  readonly likelihood: string;
  readonly tau: number;
  readonly K: number[][];
  readonly Kcross: number[][];
  readonly ktest: number[];
  readonly y: number[];
  readonly widths: number[];
  readonly variances: number[];
}
interface Numbers {
  readonly logEvidence: number;
  readonly meanQ: number;
  readonly meanLogQ: number;
  readonly sdLogQ: number;
  readonly probabilities: number[][];
  /** With one hidden layer. */
  readonly hiddenKernel?: number[][];
}
interface Sampled<T> {
  readonly estimate: T;
  readonly standardError: T;
}
interface Expected {
  readonly ep: Numbers;
  readonly laplace: Numbers;
  readonly exact: { readonly [K in "logEvidence" | "meanLogQ"]: Sampled<number> } & {
    readonly probabilities: Sampled<number[][]>;
    readonly hiddenKernel: Sampled<number[][]>;
  };
}

describe("mixture over log q", () => {
  const { cases, tolerance } = readFixture<FixtureFile<Inputs, Expected>>("classification/mixture-scalar");
  it.each(cases.map((entry, i) => [i, entry.inputs.likelihood, entry] as const))("case %i, %s", (_i, _name, { inputs, expected }) => {
    const likelihood = likelihoodOf(inputs.likelihood, inputs.tau ?? 1);
    const kernel = rows(inputs.K);
    const observation = likelihood.observe(labelsOf(inputs.y));
    const law = mixingVariable(inputs.widths, inputs.variances);
    const at = (q: number) => affine(q, kernel);
    const mixtures = {
      ep: expectationPropagationMixture(law, at, observation, { scale: likelihood.scale }),
      laplace: scaleMixture(law, (q, [near]: readonly SiteApproximation[]) =>
        laplaceScalar(at(q), observation, near ? { start: near.alpha } : {}),
      ),
    };
    for (const inner of ["ep", "laplace"] as const) {
      const mixture = mixtures[inner];
      const want = expected[inner];
      expectClose(mixture.logEvidence, want.logEvidence, tolerance, `${inner} log Z`);
      expectClose(mixture.meanQ, want.meanQ, tolerance, `${inner} E q`);
      expectClose(mixture.meanLogQ, want.meanLogQ, tolerance, `${inner} E log q`);
      expectClose(mixture.deviationLogQ, want.sdLogQ, tolerance, `${inner} sd`);
      // that of twice the step: the error of the step itself is its square
      expect(mixture.residual).toBeLessThan(1e-5);
      const prior = Float64Array.from(inputs.ktest);
      const { probabilities } = predictMixture(likelihood, mixture, (q) => ({
        train: at(q),
        cross: affine(q, transpose(rows(inputs.Kcross))),
        prior: prior.map((value) => q * value),
      }));
      expectClose(probabilities!, want.probabilities, tolerance, `${inner} probabilities`);
      const outer = meanOuterOverScale(kernel, mixture);
      const n = inputs.widths[0]!;
      const hidden = outer.data.map((value, i) => (1 - 1 / n) * kernel.data[i]! + value / n);
      if (want.hiddenKernel) expectClose(hidden, want.hiddenKernel, tolerance, `${inner} hidden kernel`);
      if (inner === "laplace") continue;
      // the inner error, measured by importance sampling at a few nodes, taken away
      const nodes = quantileNodes(mixture);
      const root = kernelRoot(kernel);
      const corrections = nodes.map((k, index) => {
        const q = Math.exp(mixture.logQ[k]!);
        const node = mixture.nodes[k]!;
        const sampled = importanceEvidence(affine(Math.sqrt(q), root), observation, node.weights, node.alpha, {
          draws: 20_000,
          seed: 3,
          indices: [index],
        });
        return { value: sampled.logEvidence - node.logEvidence, standardError: sampled.standardError };
      });
      const corrected = correctMixture(mixture, nodes, corrections);
      const { estimate, standardError } = expected.exact.logEvidence;
      expectWithinStandardErrors(corrected.logEvidence, estimate, Math.hypot(standardError, corrected.standardError), 3.5, "exact log Z");
      expect(corrected.standardError).toBeLessThan(0.003);
    }
  });

  it("is the plain kernel when the widths are very large, and does not depend on their order", () => {
    const { inputs } = cases[0]!;
    const kernel = rows(inputs.K);
    const observation = likelihoodOf("logistic").observe(labelsOf(inputs.y));
    const mixture = (widths: number[]) => scaleMixture(mixingVariable(widths), (q) => laplaceScalar(affine(q, kernel), observation));
    const infinite = laplaceScalar(kernel, observation).logEvidence;
    const errors = [1000, 4000].map((n) => mixture([n]).logEvidence - infinite);
    // first order in 1/N
    expect(errors[0]! / errors[1]!).toBeCloseTo(4, 1);
    expect(mixture([2, 5]).logEvidence).toBeCloseTo(mixture([5, 2]).logEvidence, 9);
  });
});

describe("quadrature over log q", () => {
  it("of e^(−λq) has the moments of a Gamma law of rate b + λ", () => {
    const [width, variance, lambda] = [5, 1.7, 0.9];
    const law = mixingVariable([width], [variance]);
    const [a, b] = [width / 2, width / (2 * variance)];
    expect(law).toEqual({ shapes: [a], rates: [b] });
    const found = scaleMixture(law, (q) => ({ logEvidence: -lambda * q }));
    expectClose(found.logEvidence, a * Math.log(b / (b + lambda)), { relative: 1e-9 });
    expectClose(found.meanQ, a / (b + lambda), { relative: 1e-9 });
    expectClose([found.meanLogQ, found.deviationLogQ ** 2], [digamma(a) - Math.log(b + lambda), trigamma(a)], { relative: 1e-8 });
    expectClose(found.weights.reduce((sum, w) => sum + w, 0), 1, { relative: 1e-12 }); // prettier-ignore
    expect(found.residual).toBeLessThan(1e-5);
    const coarse = scaleMixture(law, (q) => ({ logEvidence: -lambda * q }), { step: 1.2 });
    const error = Math.abs(coarse.logEvidence - found.logEvidence);
    expect(error).toBeLessThan(coarse.residual);
    expect(found.logQ[1]! - found.logQ[0]!).toBeCloseTo(Math.min(0.25, Math.sqrt(trigamma(a)) / 4), 12);
    // of two layers, without data: E q is the product of the variances
    const prior = scaleMixture(mixingVariable([3, 7], [1.4, 0.6]), () => ({ logEvidence: 0 }));
    expectClose([prior.logEvidence, prior.meanQ], [0, 1.4 * 0.6], { relative: 1e-6, absolute: 1e-8 });
    expectClose(prior.deviationLogQ ** 2, trigamma(1.5) + trigamma(3.5), { relative: 1e-6 });
  });

  it("nodes at quantiles of the posterior, each once", () => {
    expect(quantileNodes({ weights: Float64Array.of(0.1, 0.2, 0.3, 0.25, 0.15) }, 3)).toEqual([0, 2, 4]);
    expect(quantileNodes({ weights: Float64Array.of(0.001, 0.5, 0.498, 0.001) })).toEqual([1, 2]);
    const even = quantileNodes({ weights: new Float64Array(100).fill(0.01) });
    expect(even).toEqual(Array.from({ length: 12 }, (_, k) => Math.ceil(100 * (0.003 + (0.994 * k) / 11) - 1e-9) - 1));
  });

  it("a quadratic correction is found exactly, and goes on as a constant", () => {
    const logQ = Float64Array.from({ length: 9 }, (_, k) => -2 + 0.5 * k);
    const weights = Float64Array.of(0.02, 0.05, 0.13, 0.2, 0.25, 0.15, 0.1, 0.07, 0.03);
    const meanLogQ = logQ.reduce((sum, u, k) => sum + weights[k]! * u, 0);
    const mixture = { logQ, weights, meanLogQ, deviationLogQ: 0.9, logEvidence: -4 } as never;
    const c = (u: number): number => 0.3 - 0.2 * u + 0.15 * u * u;
    const nodes = [2, 3, 5, 7];
    const errors = [0.01, 0.02, 0.03, 0.04];
    const found = correctMixture(mixture, nodes, nodes.map((k, i) => ({ value: c(logQ[k]!), standardError: errors[i]! }))); // prettier-ignore
    const terms = [...logQ].map((u, k) => weights[k]! * Math.exp(c(Math.min(Math.max(u, logQ[2]!), logQ[7]!))));
    expectClose(found.logEvidence, -4 + Math.log(terms.reduce((a, b) => a + b, 0)), { relative: 1e-10 });
    expectClose(found.standardError, (1.3 * Math.sqrt(0.003 / 4)) / 2, { relative: 1e-12 });
    // one that is no parabola is fitted where it is known best
    const bent = correctMixture(mixture, nodes, nodes.map((k, i) => ({ value: c(logQ[k]!) + (i === 3 ? 0.1 : 0), standardError: i === 3 ? 1e3 : 1e-3 }))); // prettier-ignore
    expectClose(bent.logEvidence, found.logEvidence, { absolute: 1e-6 });
    // errors of very different sizes, as where q is so small at one node that all draws weigh the same
    const uneven = correctMixture(mixture, nodes, nodes.map((k, i) => ({ value: c(logQ[k]!), standardError: i === 0 ? 1e-13 : errors[i]! }))); // prettier-ignore
    expectClose(uneven.logEvidence, found.logEvidence, { absolute: 1e-8 });
  });
});
