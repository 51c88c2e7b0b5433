import { affine, transpose } from "@finitewidth/linalg";
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
