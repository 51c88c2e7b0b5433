import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, type ProblemInput } from "@finitewidth/core";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { logGamma } from "@finitewidth/numerics";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.js";
import { effectiveAction, forwardBackward, plugin } from "../src/index.js";

const registry = createRegistry([activations, likelihoods, priorConv, priorFc, plugin]);

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
  it("two layers with biases: the evidence and the probabilities as plain sums over both factors and the outputs", async () => {
    const [widths, w, b] = [
      [3, 5],
      [1.3, 1.7, 0.9],
      [0.2, 0, 0.5],
    ];
    const network = { type: "fully-connected", widths, activation: "identity", weightVariance: w, biasVariance: b };
    const inputs = [
      [0.8, -0.5],
      [0.3, 1.4],
    ];
    const test = [1.1, 0.6];
    const run = await fit(effectiveAction, { network, inputs, targets: [1, -1], likelihood: { type: "logistic" } }, { registry });
    const points = [...inputs, test];
    const kernel = points.map((x) => points.map((z) => w[1]! * w[2]! * ((w[0]! * (x[0]! * z[0]! + x[1]! * z[1]!)) / 2 + b[0]!)));
    const gamma = (N: number) =>
      Array.from({ length: 60 }, (_, i) => {
        const u = -6 + 0.14 * i;
        return { q: Math.exp(u), weight: 0.14 * Math.exp(0.5 * N * (Math.log(N / 2) + u - Math.exp(u)) - logGamma(N / 2)) };
      });
    const normal = Array.from({ length: 31 }, (_, i) => ({
      z: 0.4 * (i - 15),
      weight: (0.4 / Math.sqrt(2 * Math.PI)) * Math.exp(-0.5 * (0.4 * (i - 15)) ** 2),
    }));
    const sigmoid = (f: number): number => 1 / (1 + Math.exp(-f));
    let [evidence, positive] = [0, 0];
    for (const one of gamma(3))
      for (const two of gamma(5)) {
        const factor = one.weight * two.weight;
        if (factor < 1e-9) continue;
        const k = kernel.map((row) => row.map((value) => one.q * two.q * value + b[2]!));
        // Cholesky of three points by hand
        const l00 = Math.sqrt(k[0]![0]!);
        const [l10, l20] = [k[1]![0]! / l00, k[2]![0]! / l00];
        const l11 = Math.sqrt(k[1]![1]! - l10 ** 2);
        const l21 = (k[2]![1]! - l20 * l10) / l11;
        const l22 = Math.sqrt(Math.max(k[2]![2]! - l20 ** 2 - l21 ** 2, 0));
        for (const x of normal)
          for (const y of normal) {
            const likelihood = factor * x.weight * y.weight * sigmoid(l00 * x.z) * sigmoid(-(l10 * x.z + l11 * y.z));
            if (likelihood < 1e-10) continue;
            evidence += likelihood;
            const mean = l20 * x.z + l21 * y.z;
            // the logistic of a normal, by seven nodes
            for (let j = -3; j <= 3; j++)
              positive += (likelihood * sigmoid(mean + l22 * j) * Math.exp(-0.5 * j * j)) / Math.sqrt(2 * Math.PI);
          }
      }
    const found = run.posterior.diagnostics["approximateLogEvidence"] as number;
    expectClose(found, Math.log(evidence), { absolute: 5e-3 }, "log evidence");
    const { probabilities } = await run.predict([test]);
    expectClose(probabilities!.data[1]!, positive / evidence, { absolute: 5e-3 }, "probability");
    expect(run.posterior.warnings.join()).toMatch(/product closure/);
    expect(run.posterior.warnings.join()).not.toMatch(/mean of the activation/);
    const relu = { network: { ...network, activation: "relu", widths: [3], weightVariance: [1, 1], biasVariance: [0, 0] } };
    const other = await fit(effectiveAction, { ...relu, inputs, targets: [1, -1], likelihood: { type: "logistic" } }, { registry });
    expect(other.posterior.warnings.join()).toMatch(/mean of the activation counts as part of the fluctuating kernel/);
    expect(other.posterior.warnings.join()).not.toMatch(/product closure/);
  });
  it("options of Gaussian noise and networks that are not fully connected are refused; forward–backward needs Gaussian noise", async () => {
    await expect(fit(effectiveAction, problem, { registry, options: { mode: "saddle" } })).rejects.toThrow(
      /integrated over the order parameter/,
    );
    await expect(fit(effectiveAction, problem, { registry, options: { correction: "cumulant" } })).rejects.toThrow(/leave out "mode"/);
    const filters = {
      type: "convolutional",
      inputShape: [1, inputs.X[0]!.length],
      layers: [{ channels: 3, kernelSize: [2] }],
      activation: "erf",
    };
    await expect(fit(effectiveAction, { ...problem, network: filters }, { registry })).rejects.toThrow(/fully connected networks only/);
    await expect(fit(forwardBackward, problem, { registry })).rejects.toThrow(
      /forward-backward.*needs Gaussian noise, not the logistic likelihood; use "effective-action", or squared loss/,
    );
  });
});
