import { inlineRun, type Matrix, type Problem } from "@finitewidth/core";
import type { ConvolutionalNetwork } from "@finitewidth/prior-conv";
import type { FullyConnectedNetwork } from "@finitewidth/prior-fc";
import { identity } from "@finitewidth/activations";
import { convolutionalMixing, convolutionGeometry, realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectWithinStandardErrors } from "../../../tools/testing.ts";
import { lawOf, layersOf, testRegistry } from "./registry.js";
import { exact } from "../src/exact/theory.js";
import { fitSiteChain } from "../src/site-chain/index.js";

const registry = testRegistry();
const run = inlineRun({ registry, seed: 3 });
const wave = (rows: number, columns: number, phase: number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, k) => Math.sin(1.3 * k * k + phase)),
  shape: [rows, columns],
});
const combined = (a: ArrayLike<number>, b: ArrayLike<number>): number[] => Array.from(a, (value, i) => Math.hypot(value, b[i]!) + 1e-9);

/** Posterior means of hidden kernels by weighting networks drawn from the prior: slow, right for any network. */
function byNetworks(network: ConvolutionalNetwork, { inputs, targets, temperature }: Problem, draws: number) {
  const net = realise(layersOf(network), inputs, targets.shape[1]);
  const random = stream(17);
  const theta = new Float64Array(net.parameters);
  const depth = network.layers.length;
  const size = inputs.shape[0] ** 2;
  const batches = 50;
  const sums = Array.from({ length: batches }, () => ({ weight: 0, kernels: new Float64Array(depth * size) }));
  for (let n = 0; n < draws; n++) {
    random.normals(theta);
    const state = net.forward(theta);
    const misfit = state.outputs.data.reduce((sum, f, i) => sum + (f - targets.data[i]!) ** 2, 0);
    const weight = Math.exp((-0.5 * misfit) / temperature);
    const batch = sums[n % batches]!;
    batch.weight += weight;
    state.hiddenKernels().forEach((kernel, l) => kernel.data.forEach((value, k) => (batch.kernels[l * size + k]! += weight * value)));
  }
  const total = sums.reduce((sum, { weight }) => sum + weight, 0);
  const mean = Float64Array.from({ length: depth * size }, (_, i) => sums.reduce((sum, { kernels }) => sum + kernels[i]!, 0) / total);
  const error = mean.map((value, i) =>
    Math.sqrt(
      (batches / (batches - 1)) * sums.reduce((sum, { weight, kernels }) => sum + ((kernels[i]! - weight * value) / total) ** 2, 0),
    ),
  );
  return Array.from({ length: depth }, (_, l) => ({
    mean: mean.slice(l * size, (l + 1) * size),
    error: error.slice(l * size, (l + 1) * size),
  }));
}

const layer = (channels: number, kernelSize: number, padding: "zero" | "circular" | "valid", stride = 1) => ({
  channels,
  kernelSize: [kernelSize],
  stride: [stride],
  padding,
  dilation: [1],
});
const networks: readonly (readonly [string, ConvolutionalNetwork, number])[] = [
  [
    "zero padding, strides, biases in all layers",
    {
      type: "convolutional",
      inputShape: [1, 5],
      layers: [layer(3, 3, "zero", 2), layer(2, 2, "zero")],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1.2, 0.9, 1.1],
      biasVariance: [0.2, 0.4, 0.3],
    },
    1,
  ],
  [
    "circular, pooled: one reduced site, more sites in the kernels",
    {
      type: "convolutional",
      inputShape: [2, 3],
      layers: [layer(2, 2, "circular"), layer(3, 2, "circular")],
      readout: "global-average",
      activation: "identity",
      weightVariance: [1.5, 1.4, 1.3],
      biasVariance: [0, 0, 0],
    },
    1,
  ],
  [
    "two outputs, three layers, a bottleneck",
    {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [layer(4, 2, "valid"), layer(1, 2, "valid"), layer(3, 2, "valid")],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1, 1, 1, 1],
      biasVariance: [0, 0, 0, 0],
    },
    2,
  ],
];

describe("hidden kernels over sites", () => {
  it.each(networks)("agree with weighted networks: %s", { timeout: 120_000 }, async (_, network, outputs) => {
    const size = network.inputShape.reduce((product, extent) => product * extent, 1);
    const problem: Problem = { network, inputs: wave(3, size, 1), targets: wave(3, outputs, 2), temperature: 0.5, scaling: "standard" };
    const reference = byNetworks(network, problem, 30_000);
    const { hiddenKernels, standardError } = await fitSiteChain(problem, lawOf(network), { draws: 6000 }, run);
    expect(hiddenKernels?.length).toBe(network.layers.length);
    reference.forEach(({ mean, error }, l) =>
      expectWithinStandardErrors(
        hiddenKernels![l]!,
        mean,
        combined(error, standardError?.hiddenKernels?.[l]?.data ?? new Float64Array(error.length)),
        4.5,
        `layer ${l + 1}`,
      ),
    );
  });

  it("are those of a fully connected network on one site", async () => {
    const network: ConvolutionalNetwork = {
      type: "convolutional",
      inputShape: [3, 1],
      layers: [layer(4, 1, "valid"), layer(3, 1, "valid"), layer(5, 1, "valid")],
      readout: "flatten",
      activation: "identity",
      weightVariance: [1, 0.8, 1.2, 0.9],
      biasVariance: [0, 0, 0, 0],
    };
    const dense: FullyConnectedNetwork = {
      type: "fully-connected",
      widths: [4, 3, 5],
      activation: "identity",
      weightVariance: network.weightVariance,
      biasVariance: network.biasVariance,
    };
    const problem: Problem = { network, inputs: wave(4, 3, 1), targets: wave(4, 1, 2), temperature: 0.3, scaling: "standard" };
    const filters = {
      ...network,
      geometry: convolutionGeometry(network),
      channels: network.layers.map(({ channels }) => channels),
      activation: identity,
    };
    const sites = await fitSiteChain(problem, convolutionalMixing(filters), {}, run);
    const plain = await exact.fit({ ...problem, network: dense }, {}, run);
    expect(lawOf(dense).sites).toBe(1);
    expect(sites.logEvidence).toBeCloseTo(plain.logEvidence!, 2);
    sites.hiddenKernels!.forEach((kernel, l) =>
      expectWithinStandardErrors(
        kernel,
        plain.hiddenKernels![l]!,
        combined(sites.standardError?.hiddenKernels?.[l]?.data ?? new Float64Array(16).fill(2e-3), new Float64Array(16)),
        4.5,
        `layer ${l + 1}`,
      ),
    );
  });
});
