import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, inlineRun, matrixFromRows, type ProblemInput, type Theory } from "@finitewidth/core";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.js";
import { exact, nngp, plugin as posterior } from "../src/index.js";

const registry = createRegistry([activations, likelihoods, priorFc, priorConv, posterior]);

interface Digits {
  readonly cases: readonly {
    readonly inputs: { X: number[][]; y: number[]; Xtest: number[][]; ytest: number[]; sw2: number[]; width: number };
    readonly expected: {
      readonly nngpLaplaceLogEvidence: number;
      readonly nngpEpLogEvidence: number;
      readonly nngpEpProbabilities: number[];
    };
  }[];
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

describe("digits 3 and 8", () => {
  const { cases, tolerance } = readFixture<Digits>("classification/digits");
  const { inputs, expected } = cases[0]!;
  const problem: ProblemInput = {
    network: { type: "fully-connected", widths: [inputs.width], activation: "erf", weightVariance: inputs.sw2 },
    inputs: inputs.X,
    targets: inputs.y,
    likelihood: { type: "logistic" },
  };
  it("nngp: expectation propagation, log Z by importance sampling around it", async () => {
    const { posterior: solved, predict } = await fit(nngp, problem, { registry });
    expectClose(solved.diagnostics["approximateLogEvidence"] as number, expected.nngpEpLogEvidence, tolerance, "log Z");
    const { probabilities, mean } = await predict(inputs.Xtest);
    expectClose(
      inputs.Xtest.map((_, i) => probabilities!.data[2 * i + 1]!),
      expected.nngpEpProbabilities,
      tolerance,
      "probabilities",
    );
    expect(mean.shape).toEqual([inputs.Xtest.length, 1]);
    expect(Math.abs(solved.logEvidence! - expected.nngpEpLogEvidence)).toBeLessThan(0.2);
    expect(solved.standardError!.logEvidence).toBeLessThan(0.03);
    expect(solved.train!.probabilities!.shape).toEqual([inputs.y.length, 2]);
  });
  it("nngp: Laplace on request", async () => {
    const { posterior: solved } = await fit(nngp, problem, { registry, options: { inference: "laplace" } });
    expectClose(solved.logEvidence!, expected.nngpLaplaceLogEvidence, tolerance, "log Z");
    expect(solved.warnings.join()).toMatch(/Laplace approximations move class probabilities/);
  });
  it("exact: wide linear networks are the infinitely wide one; hidden kernels learn at finite width", async () => {
    const linear = (widths: number[]): ProblemInput => ({ ...problem, network: { ...problem.network, activation: "identity", widths } });
    const [wide, limit, narrow] = [
      await fit(exact, linear([100_000]), { registry }),
      await fit(nngp, linear([100_000]), { registry }),
      await fit(exact, linear([4]), { registry }),
    ];
    const test = inputs.Xtest.slice(0, 8);
    const [p, q] = [(await wide.predict(test)).probabilities!, (await limit.predict(test)).probabilities!];
    expectClose(p, q, { absolute: 1e-4 });
    expect(wide.posterior.diagnostics["approximateLogEvidence"] as number).toBeCloseTo(
      limit.posterior.diagnostics["approximateLogEvidence"] as number,
      3,
    );
    const n = inputs.y.length;
    const along = (kernel: { readonly data: Float64Array }): number =>
      inputs.y.reduce((sum, a, i) => sum + inputs.y.reduce((inner, b, j) => inner + a * b * kernel.data[i * n + j]!, 0), 0);
    expect(along(narrow.posterior.hiddenKernels![0]!)).toBeGreaterThan(1.1 * along(limit.posterior.hiddenKernels![0]!));
    expect(narrow.posterior.orderParameter).toBeGreaterThan(0);
  });
});

describe("problems with a likelihood of their own", () => {
  const base = { network: { type: "fully-connected", widths: [3], activation: "identity" }, inputs: [[1, 0], [0, 1], [1, 1]] }; // prettier-ignore
  it("targets are checked", async () => {
    const solve = (targets: number[] | number[][], type: string) => fit(nngp, { ...base, targets, likelihood: { type } }, { registry });
    await expect(solve([0, 1, 1], "logistic")).rejects.toThrow("targets[0][0]: expected -1 or +1, got 0");
    await expect(solve([1, 1, 1], "probit")).rejects.toThrow("targets: class of the target -1 has no training point");
    await expect(solve([1, 2, 1], "no-such")).rejects.toThrow(
      /likelihood.type: expected one of "gaussian", "logistic", "probit", "softmax", "poisson"/,
    );
    await expect(solve([[1, 0], [0, 1], [1, 1]], "softmax")).rejects.toThrow("targets[2]: expected a one-hot row"); // prettier-ignore
  });
  it('"gaussian" is the temperature, bit for bit', async () => {
    const targets = [1, -1, 0.5];
    const [a, b] = [
      await fit(exact, { ...base, targets, temperature: 0.2 }, { registry }),
      await fit(exact, { ...base, targets, likelihood: { type: "gaussian", temperature: 0.2 } }, { registry }),
    ];
    expect(a.posterior.logEvidence).toBe(b.posterior.logEvidence);
  });
  it("counts: log Z within 0.01 of sampling, no probabilities", async () => {
    const counts = { ...base, targets: [0, 3, 1], likelihood: { type: "poisson" } };
    const [ep, sampled] = [
      await fit(exact, counts, { registry }),
      await fit(exact, counts, { registry, options: { inference: "sampling", posteriorDraws: 2000 } }),
    ];
    const { logEvidence, standardError } = sampled.posterior;
    expect(Math.abs(ep.posterior.logEvidence! - logEvidence!)).toBeLessThan(3.5 * standardError!.logEvidence! + 0.01);
    expect((await ep.predict([[1, 0]])).probabilities).toBeUndefined(); // prettier-ignore
  });
  it.each([
    ["nngp, expectation propagation", nngp, {}],
    ["nngp, sampling", nngp, { inference: "sampling", evidence: false }],
    ["exact, quadrature", exact, {}],
    ["exact, sampling", exact, { inference: "sampling", evidence: false }],
  ] as const)("predictions of %s read the state alone, after a file", async (_name, theory, options) => {
    const problem = { ...base, targets: [1, -1, 1], likelihood: { type: "logistic" } };
    const { posterior: solved, predict } = await fit(theory as Theory, problem, { registry, options });
    const restored = { ...posteriorFromNpz(posteriorToNpz(solved)), diagnostics: {} };
    const inputs = matrixFromRows([[0.3, 0.4], [-1, 2]]); // prettier-ignore
    const [a, b] = [await predict(inputs), await theory.predict(restored as never, inputs, { covariance: false }, inlineRun({ registry }))];
    expectClose(b.probabilities!, a.probabilities!, {});
    expectClose(b.variance, a.variance, {});
  });
  it("exact refuses convolutions, and names what does not", async () => {
    const network = {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [{ channels: 2, kernelSize: [3] }],
      activation: "identity",
      readout: "flatten",
    };
    const problem = { network, inputs: [[1, 0, 0, 1], [0, 1, 1, 0]], targets: [1, -1], likelihood: { type: "logistic" } }; // prettier-ignore
    await expect(fit(exact, problem, { registry })).rejects.toThrow(/fully connected networks without skip connections only; use "nngp"/);
    await expect(fit(nngp, problem, { registry })).resolves.toBeDefined();
  });
});
