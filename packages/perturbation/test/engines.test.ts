import {
  createProblem,
  fit,
  generalizationError,
  generalizationStandardError,
  inlineRun,
  matrixFromRows,
  type Fitted,
  type Matrix,
  type PriorResult,
} from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors } from "../../../tools/testing.ts";
import { correctNetworkObservable, perturbative, vertexOnPairs } from "../src/index.js";
import { sampledContraction } from "../src/sampled/chain-sampler.js";
import { conditionalFactor, sampleActivations } from "../src/sampled/joint-sampler.js";
import { contractVertex, fullyConnectedChain } from "../src/index.js";
import { activation, firstKernel, registry } from "./networks.js";

const inputs = [
  [1, 0.2, -0.5, 0.3],
  [-0.4, 1.1, 0.6, -0.2],
  [0.8, -0.3, 0.2, 0.9],
  [0.1, 0.7, -0.8, 0.5],
];
const targets = [
  [1, -0.3],
  [-0.7, 0.8],
  [0.4, 0.5],
  [0.2, -0.6],
];
const test = [
  [0.1, 0.9, -0.7, 0.4],
  [1.2, -0.6, 0.3, -0.5],
];
const network = {
  type: "fully-connected",
  widths: [40, 60],
  activation: "erf",
  weightVariance: [1.3, 1.7, 1.5],
  biasVariance: [0.1, 0.05, 0.05],
};
const fitWith = (options: Record<string, unknown>, changes: Record<string, unknown> = {}): Promise<Fitted> =>
  fit(perturbative, { network: { ...network, ...changes }, inputs, targets, temperature: 0.1 }, { registry, options });

const priorAt = async (described: { readonly type: string }): Promise<PriorResult> => {
  const problem = createProblem({ network: described, inputs, targets, temperature: 1 }, registry);
  return perturbative.prior!(
    { ...problem, outputs: 1, evaluateAt: [], samples: 1 },
    { engine: "exact", samples: 64 },
    inlineRun({ registry }),
  );
};

const testTargets = matrixFromRows([
  [0.7, 0.2],
  [-0.4, 0.9],
]);

/** Standard errors come from 16 batches: 6 of them are exceeded with probability 2e-5 (Student t with 15 degrees of freedom). */
const z = 6;

/** Sampled answers within sampling error of the exact ones. */
async function expectAgreement(sampled: Fitted, exact: Fitted, covariance = false): Promise<void> {
  const [s, e] = [sampled.posterior, exact.posterior];
  expectWithinStandardErrors(s.logEvidence!, e.logEvidence!, s.standardError!.logEvidence!, z, "log evidence");
  e.hiddenKernels!.forEach((kernel, l) =>
    expectWithinStandardErrors(s.hiddenKernels![l]!, kernel, s.standardError!.hiddenKernels![l]!, z, `hidden kernel ${l + 1}`),
  );
  expectWithinStandardErrors(s.train!.mean, e.train!.mean, s.train!.standardError!.mean, z, "train mean");
  expectWithinStandardErrors(s.train!.variance, e.train!.variance, s.train!.standardError!.variance, z, "train variance");
  const [p, q] = await Promise.all([sampled.predict(test, { covariance }), exact.predict(test, { covariance })]);
  expectWithinStandardErrors(p.mean, q.mean, p.standardError!.mean, z, "mean");
  expectWithinStandardErrors(p.variance, q.variance, p.standardError!.variance, z, "variance");
  const replicates = p.replicates!;
  const average = (of: (one: (typeof replicates)[number]) => Matrix): Float64Array =>
    p.mean.data.map((_, i) => replicates.reduce((sum, one) => sum + of(one).data[i]! / replicates.length, 0));
  expectClose(
    average((one) => one.mean),
    p.mean.data,
    { relative: 1e-11, absolute: 1e-13 },
    "average of the replicates, mean",
  );
  expectClose(
    average((one) => one.variance),
    p.variance.data,
    { relative: 1e-11, absolute: 1e-13 },
    "average of the replicates, variance",
  );
  // errors of an average over points, correlated as they are
  const truth = generalizationError(q, testTargets);
  const found = generalizationError(p, testTargets);
  const own = generalizationStandardError(p, testTargets)!;
  for (const part of ["bias", "variance", "total"] as const) expect(Math.abs(found[part] - truth[part]), part).toBeLessThan(z * own[part]);
}

describe("engines agree", () => {
  it.each(["erf", "relu", "quadratic"])("sampled and exact, %s", async (name) => {
    const changes = { activation: name, weightVariance: name === "quadratic" ? [1, 0.3, 0.3] : network.weightVariance };
    const [sampled, exact] = await Promise.all([fitWith({ engine: "sampled" }, changes), fitWith({ engine: "exact" }, changes)]);
    await expectAgreement(sampled, exact);
    await expectAgreement(sampled, exact, true);
  });

  it("sampled and closed form for linear units", async () => {
    const [sampled, closed, exact] = await Promise.all(
      ["sampled", "auto", "exact"].map((engine) => fitWith({ engine }, { activation: "identity" })),
    );
    expect(closed!.posterior.diagnostics["engine"]).toBe("closed-form");
    await expectAgreement(sampled!, closed!);
    expectClose(exact!.posterior.logEvidence!, closed!.posterior.logEvidence!, { relative: 1e-12 });
    const [p, q] = await Promise.all([exact!.predict(test), closed!.predict(test)]);
    expectClose(p.mean, q.mean, { relative: 1e-10 });
    expectClose(p.variance, q.variance, { relative: 1e-10 });
  });

  it("kernels of drawn networks, up to the second order", async () => {
    const widths = { widths: [60, 80] };
    const [drawn, exact] = await Promise.all([fitWith({ engine: "networks", samples: 512 }, widths), fitWith({ engine: "exact" }, widths)]);
    expect(drawn.posterior.diagnostics["engine"]).toBe("networks");
    await expectAgreement(drawn, exact);
  });

  it("the sampled contraction converges to the vertex", () => {
    const kernel = firstKernel(inputs, 1.3, 0.1);
    const chain = fullyConnectedChain({ activation: activation("relu"), widths: [1], weightVariance: [1], biasVariance: [0] }, kernel);
    const b = matrixFromRows([
      [0.3, 0.1, -0.2, 0],
      [0.1, -0.5, 0.4, 0.2],
      [-0.2, 0.4, 0.6, 0.1],
      [0, 0.2, 0.1, -0.4],
    ]);
    const phi = sampleActivations(chain.activation, conditionalFactor(kernel, 4, 1, false), 14, 1, 0);
    const [sampled, exact] = [sampledContraction(phi, b), contractVertex(chain, 0, b)];
    const scale = Math.max(...exact.data.map(Math.abs));
    expectClose(sampled, exact, { absolute: 0.05 * scale });
  });

  it("refuses what does not fit, with the bytes", () => {
    const kernel = firstKernel(
      Array.from({ length: 220 }, (_, i) => [Math.sin(i), Math.cos(i)]),
      1,
      0,
    );
    expect(() => vertexOnPairs(activation("erf"), kernel, kernel)).toThrow(/needs 1 × \d+ bytes/);
  });
});

describe("other architectures", () => {
  const conv = (activationName: string, layers: number, padding = "circular") => ({
    network: {
      type: "convolutional",
      inputShape: [1, 4],
      layers: Array.from({ length: layers }, (_, l) => ({ channels: 40 + 20 * l, kernelSize: [3], stride: [1], padding })),
      readout: "flatten",
      activation: activationName,
      weightVariance: [1.3, 1.7, 1.5].slice(0, layers + 1),
      biasVariance: 0.05,
    },
    inputs,
    targets,
    temperature: 0.1,
  });

  it.each([
    ["identity", "closed-form", 2],
    ["relu", "exact", 1],
  ])("convolution of %s units: %s against drawn networks", async (name, engine, layers) => {
    const problem = conv(name, layers);
    const [analytic, drawn] = await Promise.all([
      fit(perturbative, problem, { registry }),
      fit(perturbative, problem, { registry, options: { engine: "networks", samples: 512 } }),
    ]);
    expect(analytic.posterior.diagnostics["engine"]).toBe(engine);
    await expectAgreement(drawn, analytic);
  });

  it("convolution: exact and sampled engines agree on one nonlinear layer", async () => {
    const [sampled, exact] = await Promise.all([
      fit(perturbative, conv("erf", 1), { registry, options: { engine: "sampled" } }),
      fit(perturbative, conv("erf", 1), { registry, options: { engine: "exact" } }),
    ]);
    await expectAgreement(sampled, exact);
  });

  it("says why other engines do not apply, and draws networks where nothing else does", async () => {
    const options = (engine: string) => ({ registry, options: { engine, samples: 128 } });
    await expect(fit(perturbative, conv("identity", 1, "valid"), options("sampled"))).rejects.toThrow(/changes the number of sites/);
    await expect(fit(perturbative, conv("relu", 2), options("sampled"))).rejects.toThrow(/four sites/);
    const kinked = await fit(perturbative, conv("hinge", 2), options("auto"));
    expect(kinked.posterior.diagnostics["engine"]).toBe("networks");
    await expect(fit(perturbative, conv("hinge", 2), options("exact"))).rejects.toThrow(/"hinge" has kinks.*use "engine": "networks"/);
  });

  const layers = {
    "residual branches, layer normalisation": [
      { layer: "dense", width: 60 },
      { layer: "residual", body: [{ layer: "layer-normalization" }, { layer: "activation", name: "relu" }, { layer: "dense", width: 60 }] },
      { layer: "activation", name: "relu" },
      { layer: "dense" },
    ],
    "filters, pooling": [
      { layer: "convolution", channels: 60, kernelSize: [3], padding: "circular" },
      { layer: "activation", name: "erf" },
      { layer: "convolution", channels: 50, kernelSize: [2], stride: [2], padding: "valid" },
      { layer: "activation", name: "erf" },
      { layer: "global-average-pooling" },
      { layer: "dense" },
    ],
  };
  const lists = Object.entries(layers).map(([name, list], i) => ({
    name,
    problem: { ...conv("erf", 1), network: { type: "sequential", inputShape: i ? [1, 4] : [4], layers: list } },
  }));
  it.each([
    { name: "two layers of filters", problem: conv("relu", 2) },
    { name: "filters that lose sites", problem: conv("erf", 1, "valid") },
    ...lists,
  ])("$name: exact against drawn networks", { timeout: 120_000 }, async ({ problem }) => {
    const [exact, drawn] = await Promise.all([
      fit(perturbative, problem, { registry, options: { engine: "exact" } }),
      fit(perturbative, problem, { registry, options: { engine: "networks", samples: 2048 } }),
    ]);
    expect(exact.posterior.diagnostics["engine"]).toBe("exact");
    await expectAgreement(drawn, exact);
    // a training point, predicted from outside, is the training point (correlation 1 is an ordinary input); kinks keep 4 digits
    const again = await exact.predict(problem.inputs);
    expectClose(again.mean, exact.posterior.train!.mean, { absolute: 1e-4 });
    expectClose(again.variance, exact.posterior.train!.variance, { absolute: 1e-4 });
  });

  it("a chain written as a residual that adds nothing is that chain, in fit, predictions and prior", async () => {
    const dense = (width?: number) => ({ layer: "dense", ...(width ? { width } : {}), weightVariance: 1.3, biasVariance: 0.1 });
    const act = { layer: "activation", name: "erf" };
    const of = (list: unknown[]) => ({ network: { type: "sequential", inputShape: [4], layers: list }, inputs, targets, temperature: 0.1 });
    const chain = of([dense(40), act, dense(30), act, dense()]);
    const disguised = of([dense(40), act, dense(30), { layer: "residual", body: [act, dense(30)], branch: 0 }, act, dense()]);
    const [a, b] = await Promise.all(
      [chain, disguised].map((problem) => fit(perturbative, problem, { registry, options: { engine: "exact" } })),
    );
    expectClose(b!.posterior.logEvidence!, a!.posterior.logEvidence!, { relative: 1e-9 });
    expectClose(b!.posterior.hiddenKernels!.at(-1)!, a!.posterior.hiddenKernels!.at(-1)!, { relative: 1e-9 });
    const [p, q] = await Promise.all([a!.predict(test, { covariance: true }), b!.predict(test, { covariance: true })]);
    expectClose(q.mean, p.mean, { relative: 1e-9 });
    expectClose(q.covariance!, p.covariance!, { relative: 1e-8, absolute: 1e-12 });
    const [r, s] = await Promise.all([chain, disguised].map(({ network: described }) => priorAt(described)));
    expectClose(s!.kernelCovariance!, r!.kernelCovariance!, { relative: 1e-9, absolute: 1e-14 });
    expectClose(s!.secondMoment!, r!.secondMoment!, { relative: 1e-9 });
    expectClose(s!.excessKurtosis!, r!.excessKurtosis!, { relative: 1e-9 });
  });

  it("zero padding keeps the chain of kernels: drawn networks agree", async () => {
    const chain = await fit(perturbative, conv("erf", 1, "zero"), { registry, options: { engine: "exact" } });
    const drawn = await fit(perturbative, conv("erf", 1, "zero"), { registry, options: { engine: "networks", samples: 2 ** 13 } });
    expect(chain.posterior.diagnostics["engine"]).toBe("exact");
    expectWithinStandardErrors(
      drawn.posterior.hiddenKernels![0]!,
      chain.posterior.hiddenKernels![0]!,
      drawn.posterior.standardError!.hiddenKernels![0]!,
      z,
    );
  });

  it("any observable of any prior model: hidden kernels again", async () => {
    const problem = createProblem({ network: { ...network, widths: [60, 80] }, inputs, targets, temperature: 0.1 }, registry);
    const result = correctNetworkObservable(problem, (state) => state.hiddenKernels()[0]!.data, { registry, samples: 512 });
    const exact = await fitWith({ engine: "exact" }, { widths: [60, 80] });
    expectWithinStandardErrors(result.posterior, exact.posterior.hiddenKernels![0]!, result.standardError.posterior, z);
  });
});
