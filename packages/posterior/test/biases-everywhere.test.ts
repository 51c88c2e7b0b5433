import { fit, hiddenWidths, resolveNetworkInput, stackRows, type Prediction } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { block, diagonalOf } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors } from "../../../tools/testing.ts";
import { exact } from "../src/index.js";
import { byNetworks, fewer, points, problemOf, registry, rows, type NetworkInput } from "./by-networks.js";
import { layersOf } from "./registry.js";

const filter = (channels: number, kernelSize: number, padding: "zero" | "circular", dilation = 1) => ({
  channels,
  kernelSize: [kernelSize],
  padding,
  dilation: [dilation],
});

/** Biases of every layer, which targets away from zero ask for, on maps of sites whose rows do not sum to one. */
const networks: readonly (readonly [name: string, network: NetworkInput, features: number])[] = [
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
