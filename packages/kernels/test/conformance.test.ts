import { erf, identity } from "@finitewidth/activations";
import type { Architecture, ArchitectureOverrides, FiniteNetwork, InfiniteWidthKernels, Matrix, MixingLaw } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { architectureChecks } from "../src/conformance/index.js";
import { identityMap, infiniteWidthKernels, mixingLaw, realise } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

const inputs: Matrix = normalMatrix(stream(2), 4, 2);
const layersOf = (activation = erf, biasVariance = 0): Architecture => ({
  input: { channels: 2, sites: 1 },
  layers: [
    { kind: "random", width: 3, weightVariance: 1.3, biasVariance, maps: [identityMap(1)] },
    { kind: "pointwise", activation },
    { kind: "random", weightVariance: 0.8, biasVariance: 2 * biasVariance, maps: [identityMap(1)] },
  ],
});
/** What the suite says about a network with these in place of its own. */
function complaints(architecture: Architecture, overrides: ArchitectureOverrides): string[] {
  const checks = architectureChecks(() => ({ ...architecture, overrides }), inputs, 2, stream);
  const messages: string[] = [];
  for (const check of checks) {
    try {
      void check.run();
    } catch (error) {
      messages.push((error as Error).message);
    }
  }
  return messages;
}
const biased = layersOf(erf, 0.3);
const linear = layersOf(identity);
const kernels =
  (change: (found: InfiniteWidthKernels, others?: Matrix) => InfiniteWidthKernels, of = biased) =>
  (rows: Matrix, others?: Matrix): InfiniteWidthKernels =>
    change(infiniteWidthKernels(of, rows, others), others);
/** Every kernel with the entry at row i, column j put in its place. */
const entries = (list: readonly Matrix[], entry: (value: number, i: number, j: number, n: number) => number): Matrix[] =>
  list.map(({ data, shape }) => ({ data: data.map((value, k) => entry(value, Math.floor(k / shape[1]), k % shape[1], shape[1])), shape }));
const network =
  (change: (net: FiniteNetwork, count: number) => Partial<FiniteNetwork>, of = biased) =>
  () => {
    let count = 0;
    return (rows: Matrix, outputs: number): FiniteNetwork => {
      const net = realise(of, rows, outputs);
      return { ...net, ...change(net, count++) };
    };
  };
const scaled = ({ data, shape }: Matrix, factor: number): Matrix => ({ data: data.map((value) => factor * value), shape });
/** Outputs times what `factor` makes of θ. */
const outputs = (factor: (theta: Float64Array) => number) =>
  network((net) => ({
    forward: (theta) => {
      const state = net.forward(theta);
      return { ...state, outputs: scaled(state.outputs, factor(theta)) };
    },
  }));

describe("the conformance suite of architectures", () => {
  it("has nothing against networks that are right", () => {
    expect(complaints(biased, {})).toEqual([]);
    expect(complaints(linear, {})).toEqual([]);
  });

  const wrongKernels: Record<string, readonly [ReturnType<typeof kernels>, RegExp]> = {
    "no hidden layer": [kernels((found) => ({ ...found, hidden: [] })), /^at least one hidden layer must be read/],
    "one kernel short": [
      kernels((found) => ({ ...found, preactivation: found.preactivation.slice(1) })),
      /^preactivation: expected 2 kernels \(K¹ … K\^\{L\+1\}\), got 1/,
    ],
    "a wrong shape": [
      kernels((found) => ({ ...found, hidden: found.hidden.map(({ data }): Matrix => ({ data, shape: [2, data.length / 2] })) })),
      /^hidden\[0\]: expected 4 × 4, got 2 × 8/,
    ],
    "what is not a number": [
      kernels((found) => ({ ...found, hidden: entries(found.hidden, (value, i, j) => (i === 3 && j === 3 ? NaN : value)) })),
      /^hidden\[0\]/,
    ],
    "what is not symmetric": [
      kernels((found) => ({ ...found, preactivation: entries(found.preactivation, (value, i, j) => (i > j ? 1.01 * value : value)) })),
      /^preactivation\[0\] must be symmetric: entry \(1, 0\)/,
    ],
    "what is not positive": [
      kernels((found) => ({ ...found, hidden: entries(found.hidden, (value, i, j) => (i === j ? value : 9 * value)) })),
      /^hidden\[0\] is not positive semidefinite in the pair \(1, 0\)/,
    ],
    "another kernel between blocks": [
      kernels((found, others) => (others ? { ...found, preactivation: found.preactivation.map((k) => scaled(k, 1.001)) } : found)),
      /^cross preactivation\[0\]/,
    ],
    "no variances of the others": [
      kernels(({ preactivation, hidden }) => ({ preactivation, hidden })),
      /^othersDiagonal must be present when `others` is given/,
    ],
    "wrong variances of the others": [
      kernels((found) => (found.othersDiagonal ? { ...found, othersDiagonal: found.othersDiagonal.toReversed() } : found)),
      /^othersDiagonal/,
    ],
    "a hidden kernel twice as large": [
      kernels((found) => ({ ...found, hidden: found.hidden.map((kernel) => scaled(kernel, 2)) })),
      /^hidden\[0\]\[0\] is .* sampled networks give .* a variance or a fan-in is off/,
    ],
  };
  it.each(Object.entries(wrongKernels))("complains about kernels with %s", (_, [infinite, message]) => {
    const found = complaints(biased, { infiniteWidthKernels: infinite });
    expect(found).toContainEqual(expect.stringMatching(message));
    expect(found.length).toBeLessThanOrEqual(message.source.includes("hidden layer must") ? 9 : 3);
  });

  const pullback = (change: (gradient: Float64Array) => void) =>
    network((net) => ({
      pullback: (theta, state, cotangent, gradient) => {
        net.pullback(theta, state, cotangent, gradient);
        change(gradient);
      },
    }));
  let runs = 0;
  const wrongNetworks: Record<string, readonly [ReturnType<typeof network>, RegExp]> = {
    "that remember the last run": [outputs(() => 1 + 1e-9 * runs++), /forward must depend on θ only/],
    "not linear in the readout": [outputs((theta) => 1 + 0.1 * theta.at(-1)! ** 2), /^outputs at three times the readout parameters/],
    "with other features": [
      network((net) => ({
        forward: (theta) => {
          const state = net.forward(theta);
          return { ...state, features: scaled(state.features, 1.01) };
        },
      })),
      /^variance of the first output over the readout/,
    ],
    "with a gradient twice as large": [
      pullback((gradient) => gradient.forEach((g, i) => (gradient[i] = 2 * g))),
      /^directional derivative by pullback\b/,
    ],
    "with a gradient without its readout": [pullback((gradient) => gradient.fill(0, 9)), /^directional derivative by pullback\b/],
    "with another gradient of features": [
      network((net) => ({ pullbackFeatures: (theta, state, c, gradient) => net.pullbackFeatures(theta, state, scaled(c, 1.1), gradient) })),
      /^directional derivative by pullbackFeatures/,
    ],
    "of one's own each time": [
      network((net, count) => ({
        forward: (theta) => {
          const state = net.forward(theta);
          return { ...state, outputs: scaled(state.outputs, 1 + 1e-3 * count) };
        },
      })),
      /^outputs of a second network|realise must be pure/,
    ],
    "of another hidden kernel": [
      network((net) => ({
        forward: (theta) => {
          const state = net.forward(theta);
          return { ...state, hiddenKernels: () => state.hiddenKernels().map((kernel) => scaled(kernel, 0.8)) };
        },
      })),
      /^hidden\[0\]\[0\] is /,
    ],
  };
  it.each(Object.entries(wrongNetworks))("complains about networks %s", (name, [make, message]) => {
    const found = complaints(biased, { realise: make() });
    expect(found).toContainEqual(expect.stringMatching(message));
    expect(found.length).toBeLessThanOrEqual(name.includes("remember") ? 5 : 3);
  });

  it("complains about a readout kernel and a law that linear networks do not have", () => {
    const double = kernels(
      ({ preactivation: [first, last], othersDiagonal, ...rest }) => ({
        ...rest,
        preactivation: [first!, scaled(last!, 1.5)],
        ...(othersDiagonal ? { othersDiagonal: othersDiagonal.map((value) => 1.5 * value) } : {}),
      }),
      linear,
    );
    const found = complaints(linear, { infiniteWidthKernels: double });
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^preactivation\[1\]\[0\] is /);
    expect(found[1]).toMatch(/^mean covariance\[0\] = .* differs from the infinite-width kernel/);
    const law = (): MixingLaw => {
      const own = mixingLaw(linear)!;
      return { ...own, covariance: (...of) => scaled(own.covariance(...of), 1.3) };
    };
    expect(complaints(linear, { mixingLaw: law })).toEqual([expect.stringMatching(/^mean covariance\[0\]/)]);
    // with biases the covariance is not all of the kernel
    const withBias = layersOf(identity, 0.3);
    expect(complaints(withBias, {})).toEqual([]);
  });
});
