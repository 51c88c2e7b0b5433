import { zeros } from "@finitewidth/core";
import { likelihoodChecks, type LikelihoodSubject } from "@finitewidth/core/conformance";
import { describe, expect, it } from "vitest";
import { gaussianLikelihood, logisticLikelihood, poissonLikelihood, probitLikelihood, softmaxLikelihood } from "../src/index.js";
import { labelsOf } from "./fixtures.js";

const signs = labelsOf([1, -1, 1]);
const oneHot = labelsOf([[1, 0, 0], [0, 0, 1], [0, 1, 0]]); // prettier-ignore
const subjects: readonly LikelihoodSubject[] = [
  { likelihood: gaussianLikelihood(0.3), targets: oneHot },
  { likelihood: logisticLikelihood(0.7), targets: signs, refused: [labelsOf([0, 1]), oneHot] },
  { likelihood: probitLikelihood(1.4), targets: signs, refused: [labelsOf([2, 1])] },
  { likelihood: softmaxLikelihood(0.6), targets: oneHot, refused: [signs, zeros(2, 3)] },
  { likelihood: softmaxLikelihood(1.2, { contrasts: false }), targets: oneHot },
  { likelihood: poissonLikelihood(2), targets: labelsOf([0, 4, 1]), refused: [labelsOf([-1])] },
];

describe.each(subjects.map((subject) => [subject.likelihood.name, subject] as const))("%s", (_name, subject) => {
  for (const check of likelihoodChecks(subject)) it(check.name, () => check.run());
});

describe("the suite finds what is wrong", () => {
  const logistic = logisticLikelihood();
  const wrong = (change: (gradient: number) => number): LikelihoodSubject => ({
    targets: signs,
    likelihood: {
      ...logistic,
      observe: (targets) => {
        const observation = logistic.observe(targets);
        return {
          ...observation,
          evaluate: (latent, out = {}) => {
            const value = observation.evaluate(latent, out);
            out.gradient?.forEach((g, i) => (out.gradient![i] = change(g)));
            return value;
          },
        };
      },
    },
  });
  it("a gradient off by a factor", () => {
    const check = likelihoodChecks(wrong((g) => 1.01 * g)).find(({ name }) => name.startsWith("gradient"))!;
    expect(() => check.run()).toThrow(/gradient of output 0/);
  });
});
