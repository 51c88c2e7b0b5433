import { fit, hiddenWidths, readoutOf, resolveNetworkInput, stackRows, type Matrix, type Prediction } from "@finitewidth/core";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { block, diagonalOf, multiplyTransposedRight } from "@finitewidth/linalg";
import { conditionGaussianProcess, predictGaussianProcess } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, normalMatrix } from "../../../tools/testing.ts";
import { exact } from "../src/index.js";
import { layersOf, testRegistry } from "./registry.js";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number): Matrix => normalMatrix(stream(91, seed), n, m);
const filter = (channels: number, kernelSize: number, padding: "zero" | "circular", dilation = 1) => ({
  channels,
  kernelSize: [kernelSize],
  padding,
  dilation: [dilation],
});

/** Biases of every layer, which targets away from zero ask for, on maps of sites whose rows do not sum to one. */
const networks: readonly (readonly [
  name: string,
  network: { readonly type: string; readonly [field: string]: unknown },
  features: number,
])[] = [
  ["one layer", { type: "fully-connected", activation: "identity", widths: [3], weightVariance: [1.2, 0.8], biasVariance: [0.3, 0.5] }, 2],
  [
    "three layers",
    {
      type: "fully-connected",
      activation: "identity",
      widths: [4, 3, 5],
      weightVariance: [1.2, 0.8, 1.3, 0.9],
      biasVariance: [0.3, 0.5, 0.2, 0.4],
    },
    2,
  ],
  [
    "pooled filters",
    {
      type: "convolutional",
      inputShape: [1, 3],
      layers: [filter(3, 2, "circular"), filter(4, 2, "circular", 2)],
      readout: "global-average",
      activation: "identity",
      weightVariance: [1.4, 1.1, 1.3],
      biasVariance: [0.2, 0.4, 0.3],
    },
    3,
  ],
  [
    "filters, pooled, zeros outside counted",
    {
      type: "sequential",
      inputShape: [1, 4],
      layers: [
        { layer: "convolution", channels: 3, kernelSize: [3], padding: "zero", weightVariance: 1.4, biasVariance: 0.2 },
        { layer: "convolution", channels: 3, kernelSize: [2], padding: "circular", weightVariance: 0.6, biasVariance: 2.5 },
        { layer: "average-pooling", window: [3], stride: [2], padding: "zero" },
        { layer: "flatten" },
        { layer: "dense", weightVariance: 1.3, biasVariance: 0.3 },
      ],
    },
    4,
  ],
  [
    "attention whose rows sum to other numbers",
    {
      type: "sequential",
      inputShape: [2, 2],
      layers: [
        { layer: "dense", width: 3, weightVariance: 1.5, biasVariance: 0.1 },
        {
          layer: "attention",
          matrices: [
            [
              [0.9, 0.4],
              [0.2, 0.5],
            ],
          ],
          width: 3,
          weightVariance: 1.4,
          biasVariance: 0.4,
        },
        { layer: "flatten" },
        { layer: "dense", weightVariance: 1.3, biasVariance: 0.3 },
      ],
    },
    4,
  ],
];
const cases = networks.flatMap(([name, network, features]) =>
  (name.startsWith("filters") ? [1] : [1, 2]).map((outputs) => ({ name: `${name}, ${outputs} outputs`, network, features, outputs })),
);
const points = 3;
/** Draws of the mixing matrices: their errors count beside those of the reference. */
const fewer = { draws: 2000, chainDraws: 400 };

const problemOf = (network: (typeof networks)[number][1], features: number, outputs: number, temperature: number) => ({
  network,
  inputs: rows(1, points, features),
  targets: { data: rows(2, points, outputs).data.map((y, i) => 1.5 + (1 + (i % outputs)) * y), shape: [points, outputs] as const },
  temperature,
});

/**
 * Posterior by networks drawn from the prior with the readout integrated out: log evidence, first and second moments of the outputs at
 * all inputs, hidden kernels; with errors from batches. Nothing of the law of mixing matrices enters.
 */
function byNetworks(problem: ReturnType<typeof problemOf>, testInputs: Matrix, draws: number) {
  const { network, inputs, targets, temperature } = problem;
  const outputs = targets.shape[1];
  const architecture = layersOf(resolveNetworkInput(network, registry));
  const net = realise(architecture, stackRows(inputs, testInputs), outputs);
  const bias = readoutOf(architecture).biasVariance;
  const random = stream(23);
  const theta = new Float64Array(net.parameters);
  const batches = 40;
  const sums = Array.from({ length: batches }, () => ({ weight: 0, terms: new Float64Array(0) }));
  let total = new Float64Array(0);
  for (let k = 0; k < draws; k++) {
    random.normals(theta);
    const state = net.forward(theta);
    const kernel = multiplyTransposedRight(state.features, state.features);
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
    const n = kernel.shape[0];
    const process = conditionGaussianProcess(block(kernel, 0, points, 0, points), targets, temperature);
    const { mean, variance } = predictGaussianProcess(process, block(kernel, 0, points, 0, n), diagonalOf(kernel));
    const terms = [
      ...mean.data,
      ...mean.data.map((value, i) => variance[Math.floor(i / outputs)]! + value * value),
      ...state.hiddenKernels().flatMap((hidden) => [...block(hidden, 0, points, 0, points).data]),
    ];
    const weight = Math.exp(process.logEvidence);
    const batch = sums[k % batches]!;
    if (batch.terms.length === 0) batch.terms = new Float64Array(terms.length);
    if (total.length === 0) total = new Float64Array(terms.length);
    batch.weight += weight;
    terms.forEach((value, i) => (batch.terms[i]! += weight * value));
  }
  const weight = sums.reduce((sum, batch) => sum + batch.weight, 0);
  for (const batch of sums) batch.terms.forEach((value, i) => (total[i]! += value));
  const n = points + testInputs.shape[0];
  const evaluate = (terms: Float64Array, w: number): number[] => {
    const average = terms.map((value) => value / w);
    const means = average.slice(0, n * outputs);
    const variances = average.slice(n * outputs, 2 * n * outputs).map((value, i) => value - means[i]! ** 2);
    return [...means, ...variances, ...average.slice(2 * n * outputs), Math.log(w)];
  };
  const value = evaluate(total, weight);
  const squares = new Float64Array(value.length);
  for (const batch of sums) {
    const without = evaluate(
      total.map((entry, i) => entry - batch.terms[i]!),
      weight - batch.weight,
    );
    without[without.length - 1]! += Math.log(batches / (batches - 1));
    without.forEach((entry, i) => (squares[i]! += (entry - value[i]!) ** 2));
  }
  value[value.length - 1]! -= Math.log(draws);
  const standardError = [...squares].map((sum) => Math.sqrt((sum * (batches - 1)) / batches));
  return { value, standardError };
}

const rowsOf = (at: Prediction | undefined, field: "mean" | "variance"): number[] => [...at![field].data];
const errorsOf = (at: Prediction | undefined, field: "mean" | "variance"): number[] =>
  at?.standardError ? [...at.standardError[field].data] : rowsOf(at, field).map(() => 0);

describe("biases of every layer", () => {
  it.each(cases)("$name: the posterior is that of networks drawn from the prior", { timeout: 60_000 }, async (one) => {
    const problem = problemOf(one.network, one.features, one.outputs, 0.4);
    const testInputs = rows(3, 2, one.features);
    const reference = byNetworks(problem, testInputs, 8000);
    const { posterior, predict } = await fit(exact, problem, { registry, seed: 5, options: fewer });
    const prediction = await predict(testInputs, { covariance: false });
    const { train, hiddenKernels, logEvidence, standardError } = posterior;
    const layers = hiddenWidths(layersOf(resolveNetworkInput(problem.network, registry))).length;
    expect(hiddenKernels).toHaveLength(layers);
    const claimed = [
      ...(["mean", "variance"] as const).flatMap((field) => [...rowsOf(train, field), ...rowsOf(prediction, field)]),
      ...hiddenKernels!.flatMap((kernel) => [...kernel.data]),
      logEvidence!,
    ];
    const errors = [
      ...(["mean", "variance"] as const).flatMap((field) => [...errorsOf(train, field), ...errorsOf(prediction, field)]),
      ...hiddenKernels!.flatMap((kernel, l) => [...(standardError?.hiddenKernels?.[l]?.data ?? kernel.data.map(() => 0))]),
      standardError?.logEvidence ?? 0,
    ];
    // some 30 numbers each with an error from 40 batches: |t₃₉| > 5 once in 10⁵
    expectWithinStandardErrors(
      claimed,
      reference.value,
      reference.standardError.map((error, i) => Math.hypot(error, errors[i]!)),
      5,
      "means, variances, hidden kernels, log evidence",
    );
  });

  it.each(cases)(
    "$name: without data worth having, the posterior is the prior, whose covariance is that of infinite width",
    async (one) => {
      const problem = problemOf(one.network, one.features, one.outputs, 1e7);
      const testInputs = rows(3, 2, one.features);
      const architecture = layersOf(resolveNetworkInput(problem.network, registry));
      const { preactivation, hidden } = infiniteWidthKernels(architecture, stackRows(problem.inputs, testInputs));
      const spread = [...diagonalOf(preactivation.at(-1)!)].flatMap((value) => Array.from({ length: one.outputs }, () => value));
      const { posterior, predict } = await fit(exact, problem, { registry, seed: 5, options: fewer });
      const prediction = await predict(testInputs, { covariance: false });
      const variance = [...rowsOf(posterior.train, "variance"), ...rowsOf(prediction, "variance")];
      const errors = [...errorsOf(posterior.train, "variance"), ...errorsOf(prediction, "variance")];
      expectWithinStandardErrors(
        variance,
        spread,
        spread.map((value, i) => Math.hypot(errors[i]!, 2e-6 * value)),
        5,
        "variance",
      );
      posterior.hiddenKernels!.forEach((kernel, l) => {
        const expected = block(hidden[l]!, 0, points, 0, points);
        const own = posterior.standardError?.hiddenKernels?.[l]?.data ?? expected.data.map(() => 0);
        const scale = Math.max(...expected.data.map(Math.abs));
        expectWithinStandardErrors(
          kernel,
          expected,
          own.map((error) => Math.hypot(error, 2e-6 * scale)),
          5,
          `hidden kernel ${l + 1}`,
        );
      });
      const prior = await exact.prior!(
        {
          network: resolveNetworkInput(problem.network, registry),
          inputs: problem.inputs,
          outputs: one.outputs,
          evaluateAt: [],
          samples: 2,
        },
        posterior.options as never,
        { registry, seed: 1 } as never,
      );
      expectClose(prior.secondMoment!, block(preactivation.at(-1)!, 0, points, 0, points), { relative: 1e-10, absolute: 1e-12 }, "prior");
    },
  );
});
