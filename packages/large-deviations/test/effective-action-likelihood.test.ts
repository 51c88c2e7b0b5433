import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, type ProblemInput } from "@finitewidth/core";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.js";
import { effectiveAction, forwardBackward, plugin } from "../src/index.js";

const registry = createRegistry([activations, likelihoods, priorFc, plugin]);

interface Digits {
  readonly cases: readonly {
    readonly inputs: { X: number[][]; y: number[]; Xtest: number[][]; sw2: number[]; width: number };
    readonly expected: { readonly effectiveActionEpLogEvidence: number; readonly effectiveActionEpProbabilities: number[] };
  }[];
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

describe("effective action of digits under other likelihoods", () => {
  const { cases, tolerance } = readFixture<Digits>("classification/digits");
  const { inputs, expected } = cases[0]!;
  const problem: ProblemInput = {
    network: { type: "fully-connected", widths: [inputs.width], activation: "erf", weightVariance: inputs.sw2 },
    inputs: inputs.X,
    targets: inputs.y,
    likelihood: { type: "logistic" },
  };
  it("one hidden layer, two classes: quadrature over q with expectation propagation inside", async () => {
    const { posterior, predict } = await fit(effectiveAction, problem, { registry });
    expectClose(posterior.diagnostics["approximateLogEvidence"] as number, expected.effectiveActionEpLogEvidence, tolerance, "log Z");
    const { probabilities } = await predict(inputs.Xtest);
    const positive = inputs.Xtest.map((_, i) => probabilities!.data[2 * i + 1]!);
    expectClose(positive, expected.effectiveActionEpProbabilities, tolerance, "probabilities");
    expect(posterior.hiddenKernels).toBeUndefined();
  });
  it("softmax of two classes, sampled, agrees with logistic of twice the readout variance", async () => {
    const oneHot = inputs.y.map((y) => (y > 0 ? [0, 1] : [1, 0]));
    const options = { inference: "sampling", posteriorDraws: 4000, evidence: false };
    const softmax = await fit(effectiveAction, { ...problem, targets: oneHot, likelihood: { type: "softmax" } }, { registry, options });
    const doubled = { ...problem.network, weightVariance: [inputs.sw2[0]!, 2 * inputs.sw2[1]!] };
    const logistic = await fit(effectiveAction, { ...problem, network: doubled }, { registry });
    const [p, q] = [await softmax.predict(inputs.Xtest), await logistic.predict(inputs.Xtest)];
    // expectation propagation inside is off by up to 0.006
    const error = p.standardError!.probabilities!.data.map((e) => Math.hypot(e, 0.006 / 3.5));
    expectWithinStandardErrors(p.probabilities!, q.probabilities!, error, 3.5, "probabilities");
  });
  it("options of Gaussian noise and networks that are not fully connected are refused; forward–backward needs Gaussian noise", async () => {
    await expect(fit(effectiveAction, problem, { registry, options: { mode: "saddle" } })).rejects.toThrow(
      /integrated over the order parameter/,
    );
    await expect(fit(forwardBackward, problem, { registry })).rejects.toThrow(
      /forward-backward.*needs Gaussian noise, not the logistic likelihood; use "effective-action", or squared loss/,
    );
  });
});
