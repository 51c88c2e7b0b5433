import {
  createLikelihood,
  createProblem,
  fit,
  inlineRun,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  rowsOf,
  type ProblemInput,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { plugin as likelihoods, softmaxLikelihood } from "@finitewidth/likelihoods";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";
import { networkTarget } from "../src/likelihood/network-target.js";
import { monteCarlo, referee } from "../src/index.js";
import { registryWith } from "./helpers.js";

const registry = registryWith(likelihoods);
type Labels = readonly (number | readonly number[])[];
const labelsOf = (y: Labels) => matrixFromRows(y.map((row) => (typeof row === "number" ? [row] : row)));

describe("log likelihood over all weights", () => {
  interface Inputs {
    readonly kind: string;
    readonly X: number[][];
    readonly Xtest: number[][];
    readonly Y: Labels;
    readonly activation: string;
    readonly likelihood: string;
    readonly widths: number[];
    readonly sw2: number[];
    readonly sb2: number[];
    readonly theta: number[];
  }
  interface Expected {
    readonly dimension: number;
    readonly latent: number[][];
    readonly latentTest: number[][];
    readonly logLikelihood: number;
    readonly gradient: number[];
  }
  const { cases, tolerance } = readFixture<{
    readonly cases: readonly { readonly inputs: Inputs; readonly expected: Expected }[];
    readonly tolerance: { readonly relative: number; readonly absolute: number };
  }>("classification/targets");
  it.each(cases.filter(({ inputs }) => inputs.kind === "network").map((entry) => [entry.inputs.activation, entry] as const))(
    "%s",
    (_name, { inputs, expected }) => {
      const { widths, activation, sw2, sb2 } = inputs;
      const network = { type: "fully-connected", widths, activation, weightVariance: sw2, biasVariance: sb2 };
      const architecture = resolveArchitecture(registry, resolveNetworkInput(network, registry));
      const likelihood = createLikelihood(registry, { type: inputs.likelihood });
      const targets = labelsOf(inputs.Y);
      const d = likelihood.latents(targets.shape[1]);
      const real = realise(architecture, matrixFromRows(inputs.X), d);
      const target = networkTarget(real, likelihood.observe(targets));
      expect(target.dimension).toBe(expected.dimension);
      const theta = fromFixture(inputs.theta, inputs, d, real.parameters);
      const gradient = new Float64Array(theta.length);
      expectClose(target.evaluate(theta, gradient), expected.logLikelihood, tolerance, "log likelihood");
      expectClose(real.forward(theta).outputs, expected.latent, tolerance, "latent");
      // the gradient, in the order of the fixture
      const order = fromFixture(
        inputs.theta.map((_, i) => i),
        inputs,
        d,
        real.parameters,
      );
      const reordered = new Float64Array(theta.length);
      order.forEach((at, i) => (reordered[at] = gradient[i]!));
      expectClose(reordered, expected.gradient, tolerance, "gradient");
      expectClose(realise(architecture, matrixFromRows(inputs.Xtest), d).forward(theta).outputs, expected.latentTest, tolerance, "test");
    },
  );

  /** The fixture has every unit's weights and then its bias; a finite network has the weights of a layer and then its biases. */
  function fromFixture(theta: readonly number[], { X, widths, sb2 }: Inputs, d: number, parameters: number): Float64Array {
    const out: number[] = [];
    let at = 0;
    [...widths, d].forEach((units, l) => {
      const size = l === 0 ? X[0]!.length : widths[l - 1]!;
      const biased = sb2[l]! > 0;
      const weights: number[] = [];
      const biases: number[] = [];
      for (let u = 0; u < units; u++) {
        weights.push(...theta.slice(at, at + size));
        at += size;
        if (biased) biases.push(theta[at++]!);
      }
      out.push(...weights, ...biases);
    });
    expect(out.length).toBe(parameters);
    return Float64Array.from(out);
  }
});

describe("small networks against draws from the prior", () => {
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
  const { cases, tolerance } = readFixture<{
    readonly cases: readonly { readonly inputs: Inputs; readonly expected: Expected }[];
    readonly tolerance: { readonly z: number };
  }>("classification/sampled-small");
  it.each(cases.map((entry) => [`${entry.inputs.architecture} ${entry.inputs.likelihood} ${entry.inputs.widths.join()}`, entry] as const))(
    "%s",
    async (_name, { inputs, expected }) => {
      const activation = inputs.architecture === "linear" ? "identity" : inputs.architecture;
      const problem: ProblemInput = {
        network: { type: "fully-connected", widths: inputs.widths, activation, weightVariance: inputs.sw2 },
        inputs: inputs.X,
        targets: labelsOf(inputs.Y),
        likelihood: { type: inputs.likelihood },
      };
      const { posterior, predict } = await fit(monteCarlo, problem, { registry, options: { evidence: true } });
      const { logEvidence, probabilities, hiddenKernel1 } = expected;
      const z = tolerance.z;
      const combined = Math.hypot(posterior.standardError!.logEvidence!, logEvidence.standardError);
      expectWithinStandardErrors(posterior.logEvidence!, logEvidence.estimate, combined, z, "log Z");
      const prediction = await predict(inputs.Xtest);
      const error = prediction.standardError!.probabilities!.data.map((e, i) => Math.hypot(e, probabilities.standardError.flat()[i]!));
      expectWithinStandardErrors(prediction.probabilities!, probabilities.estimate, error, z, "probabilities");
      expect(Math.max(...error)).toBeLessThan(0.03);
      if (hiddenKernel1 === undefined) return;
      const own = posterior.standardError!.hiddenKernels![0]!.data.map((e, i) => Math.hypot(e, hiddenKernel1.standardError.flat()[i]!));
      expectWithinStandardErrors(posterior.hiddenKernels![0]!, hiddenKernel1.estimate, own, z, "hidden kernel");
    },
  );
});

describe("refusals and shapes", () => {
  const inputs = [[1, 0], [0, 1], [1, 1]]; // prettier-ignore
  const network = { type: "fully-connected", widths: [3], activation: "erf" };
  it("samplers other than hmc, gradients of the evidence and step functions are refused", async () => {
    const problem = { network, inputs, targets: [1, -1, 1], likelihood: { type: "logistic" } };
    await expect(fit(monteCarlo, problem, { registry, options: { sampler: "langevin" } })).rejects.toThrow(/sampled by "sampler": "hmc"/);
    await expect(fit(monteCarlo, problem, { registry, options: { gradients: true } })).rejects.toThrow(/gradients of the evidence/);
    const step = { ...problem, network: { ...network, activation: "sign" } };
    await expect(fit(monteCarlo, step, { registry })).rejects.toThrow(/piecewise constant/);
  });
  it("softmax has D − 1 latent outputs and logits that sum to 0", async () => {
    const targets = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]; // prettier-ignore
    const { predict, posterior } = await fit(monteCarlo, { network, inputs, targets, likelihood: { type: "softmax" } }, { registry });
    const { mean, probabilities } = await predict([[1, 0.5]]);
    expect(mean.shape).toEqual([1, 3]);
    expect(mean.data.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 10);
    expect(probabilities!.data.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
    expect(softmaxLikelihood().latents(3)).toBe(2);
    expect(posterior.train!.probabilities!.shape).toEqual([3, 3]);
  });
});

describe("referee of class probabilities", () => {
  interface Digits {
    readonly cases: readonly {
      readonly inputs: { X: number[][]; y: number[]; Xtest: number[][]; sw2: number[]; width: number };
      readonly expected: {
        readonly networkProbabilities: { readonly estimate: number[]; readonly standardError: number[] };
        readonly networkLogEvidence: { readonly estimate: number; readonly standardError: number };
        readonly nngpLaplaceLogEvidence: number;
      };
    }[];
  }
  const { inputs, expected } = readFixture<Digits>("classification/digits").cases[0]!;
  const problem = createProblem(
    {
      network: { type: "fully-connected", widths: [inputs.width], activation: "erf", weightVariance: inputs.sw2 },
      inputs: inputs.X,
      targets: inputs.y,
      likelihood: { type: "logistic" },
    },
    registry,
  );
  const binary = (positive: readonly number[]) => matrixFromRows(positive.map((p) => [1 - p, p]));
  const method = (positive: readonly number[], logEvidence: number) => {
    const mean = matrixFromRows(positive.map(() => [0]));
    return { predictive: { mean, variance: mean, probabilities: binary(positive) }, logEvidence };
  };
  it("confirms the network's own probabilities, contradicts them moved towards ½ and an evidence two nats off", async () => {
    const { estimate, standardError } = expected.networkProbabilities;
    const logEvidence = expected.networkLogEvidence.estimate;
    const timid = estimate.map((p) => 0.5 + 0.8 * (p - 0.5));
    const methods = { network: method(estimate, logEvidence), timid: method(timid, logEvidence - 3) };
    const tests = { inputs: matrixFromRows(inputs.Xtest) };
    const { verdicts, referee: own } = await referee(problem, methods, tests, {}, inlineRun({ registry, seed: 3 }));
    expect(verdicts["network"]!.predictive!.status).toBe("confirmed");
    expect(verdicts["network"]!.logEvidence!.status).not.toBe("contradicted");
    expect(verdicts["timid"]!.predictive!.status).toBe("contradicted");
    expect(verdicts["timid"]!.logEvidence!.status).toBe("contradicted");
    // the referee's own evidence against a long run of the reference
    const combined = Math.hypot(own["logEvidenceStandardError"] as number, expected.networkLogEvidence.standardError);
    expect(Math.abs((own["logEvidence"] as number) - logEvidence) / combined).toBeLessThan(3.5);
    expect(standardError.length).toBe(estimate.length);
  });
  it("the chains of the method agree with the fixture", async () => {
    const { predict } = await fit(
      monteCarlo,
      {
        network: { type: "fully-connected", widths: [inputs.width], activation: "erf", weightVariance: inputs.sw2 },
        inputs: inputs.X,
        targets: inputs.y,
        likelihood: { type: "logistic" },
      },
      { registry },
    );
    const { probabilities, standardError } = await predict(inputs.Xtest);
    const { estimate, standardError: theirs } = expected.networkProbabilities;
    const error = estimate.map((_, i) => Math.hypot(theirs[i]!, standardError!.probabilities!.data[2 * i + 1]!));
    expectWithinStandardErrors(
      estimate.map((_, i) => probabilities!.data[2 * i + 1]!),
      estimate,
      error,
      3.5,
      "probabilities",
    );
  });
  it("without time it says so", async () => {
    const { verdicts } = await referee(problem, { a: method(inputs.Xtest.map(() => 0.5), -10) }, { inputs: matrixFromRows(inputs.Xtest) }, { seconds: 1e-6 }, inlineRun({ registry })); // prettier-ignore
    expect(verdicts["a"]!.predictive!.status).toBe("unchecked");
    expect(verdicts["a"]!.predictive!.how).toMatch(/more than the .* seconds allowed/);
  });
  it("ten classes: confirms what weighed draws from the prior say, contradicts what is further off than its own noise", async () => {
    const network = { type: "fully-connected", widths: [3], activation: "erf", weightVariance: [1, 2] };
    const points = Array.from({ length: 10 }, (_, c) => [Math.cos(0.6 * c), Math.sin(0.6 * c)]);
    const targets = matrixFromRows(points.map((_, label) => points.map((__, c) => Number(c === label))));
    const tests = matrixFromRows([[0.9, 0.1], [0, 0.8], [-1, 0], [0.5, -0.5], [-0.2, -1.2]]); // prettier-ignore
    const ten = createProblem({ network, inputs: points, targets, likelihood: { type: "softmax" } }, registry);
    const softmax = softmaxLikelihood();
    const architecture = resolveArchitecture(registry, resolveNetworkInput(network, registry));
    const both = realise(architecture, matrixFromRows([...points, ...rowsOf(tests)]), 9);
    const random = stream(5, 0);
    const [sum, total] = [new Float64Array(50), { weight: 0 }];
    for (let k = 0; k < 40_000; k++) {
      const { data } = softmax.probabilities!(both.forward(random.normals(new Float64Array(both.parameters))).outputs);
      const weight = points.reduce((product, _, i) => product * data[11 * i]!, 1);
      total.weight += weight;
      for (let j = 0; j < 50; j++) sum[j]! += weight * data[100 + j]!;
    }
    const mean = { data: new Float64Array(50), shape: [5, 10] as const };
    const truth = sum.map((value) => value / total.weight);
    const shifted = truth.map((p, j) => p + (j % 2 === 0 ? 0.04 : -0.04));
    const error = { mean, variance: mean, probabilities: { data: new Float64Array(50).fill(0.04), shape: [5, 10] as const } };
    const theory = (data: Float64Array) => ({ mean, variance: mean, probabilities: { data, shape: [5, 10] as const } });
    const methods = {
      network: { predictive: theory(truth) },
      off: { predictive: theory(shifted) },
      noisy: { predictive: { ...theory(shifted), standardError: error } },
    };
    const { verdicts } = await referee(ten, methods, { inputs: tests }, {}, inlineRun({ registry, seed: 4 }));
    const status = (name: keyof typeof methods) => verdicts[name]!.predictive!.status;
    expect([status("network"), status("off"), status("noisy")]).toEqual(["confirmed", "contradicted", "doubtful"]);
  });
});
