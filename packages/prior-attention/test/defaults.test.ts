import { createRegistry, hiddenWidths, randomLayers, resolveArchitecture, resolveNetworkInput, type Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { attention, attentionKernels, attentionModel, plugin, type AttentionNetwork } from "../src/index.js";
import { mapOf, softmaxMaps } from "../src/maps.js";
import { headParts } from "../src/scores.js";

const registry = createRegistry([plugin]);
const [tokens, features] = [3, 2];
const resolve = (network: object): AttentionNetwork =>
  resolveNetworkInput({ type: "attention", tokens, features, ...network }, registry) as AttentionNetwork;
const inputs: Matrix = normalMatrix(stream(4), 2, tokens * features);
const kernel = (network: object): Float64Array => attentionKernels(attentionModel(resolve(network)), inputs).preactivation.at(-1)!.data;

test("softmax maps: row i weighs the keys of token j by q_i·k_j, scaled by the root of the number of keys", () => {
  const [queries, keys] = [1, 2].map((kind) => [0, 1].map((h): Matrix => normalMatrix(stream(9, kind, h), 4, features))) as [
    Matrix[],
    Matrix[],
  ];
  const x = (mu: number, i: number, f: number) => inputs.data[mu * tokens * features + i * features + f]!;
  const project = (w: Matrix, mu: number, i: number) =>
    Array.from({ length: 4 }, (_, g) => w.data[g * features]! * x(mu, i, 0) + w.data[g * features + 1]! * x(mu, i, 1));
  for (const scale of [undefined, 0.3]) {
    const maps = softmaxMaps({ examples: 2, tokens, features, data: inputs.data }, queries, keys, scale);
    expect([maps.heads, maps.tokens, maps.sets]).toEqual([2, tokens, 2]);
    for (const mu of [0, 1])
      for (const h of [0, 1])
        for (let i = 0; i < tokens; i++) {
          const scores = Array.from({ length: tokens }, (_, j) =>
            Math.exp((scale ?? 0.5) * project(queries[h]!, mu, i).reduce((sum, q, g) => sum + q * project(keys[h]!, mu, j)[g]!, 0)),
          );
          const total = scores.reduce((a, b) => a + b, 0);
          expectClose(mapOf(maps, mu, h).subarray(i * tokens, (i + 1) * tokens), scores.map((s) => s / total), { relative: 1e-12 }); // prettier-ignore
        }
  }
});

describe("what is left out of an attention network", () => {
  it("is the mean over tokens, scale and seed 1, variances 1 and biases 0, tokenwise layers without maps", () => {
    const short = { layers: [{ width: 4 }, { width: 5, maps: { heads: 2, keys: 3 } }] };
    const identity = Array.from({ length: tokens }, (_, i) => Array.from({ length: tokens }, (_j, j) => (i === j ? 1 : 0)));
    const long = {
      layers: [
        { width: 4, maps: { matrices: [identity] } },
        { width: 5, maps: { heads: 2, keys: 3, scale: 1, seed: 1 } },
      ],
      readout: [1 / 3, 1 / 3, 1 / 3],
      weightVariance: [1, 1, 1],
      biasVariance: [0, 0, 0],
    };
    expect([...kernel(short)]).toEqual([...kernel(long)]);
    const [, second] = long.layers;
    for (const change of [
      { readout: 1 },
      { biasVariance: 0.1 },
      { weightVariance: 2 },
      { layers: [long.layers[0], { ...second, maps: { ...second!.maps, scale: 2 } }] },
      { layers: [long.layers[0], { ...second, maps: { ...second!.maps, seed: 2 } }] },
      { layers: [{ width: 4, maps: { matrices: [identity.toReversed()] } }, second] },
    ])
      expect([...kernel({ ...long, ...change })], JSON.stringify(change)).not.toEqual([...kernel(long)]);
  });
  it("a token read out is the one that is counted from 0", () => {
    const layers = [{ width: 4 }];
    // tokenwise: the kernel of token 2 alone
    const token = (mu: number) => inputs.data.subarray((mu * tokens + 2) * features, (mu * tokens + 3) * features);
    const dot = (a: number, b: number) => (token(a)[0]! * token(b)[0]! + token(a)[1]! * token(b)[1]!) / features;
    expectClose(kernel({ layers, readout: 2 }), [dot(0, 0), dot(0, 1), dot(1, 0), dot(1, 1)], { relative: 1e-13 });
  });
});

test("widths and variances of every layer are told to other theories, and vary layer by layer", () => {
  const network = resolve({
    layers: [{ width: 4 }, { width: 7, maps: { heads: 2, keys: 2 } }],
    weightVariance: [1.1, 0.9, 1.4],
    biasVariance: [0.1, 0.2, 0.3],
  });
  const told = (of: AttentionNetwork) => {
    const architecture = resolveArchitecture(registry, of);
    return [hiddenWidths(architecture), randomLayers(architecture.layers).map((layer) => [layer.weightVariance, layer.biasVariance])];
  };
  expect(told(network)).toEqual([[4, 7], [[1.1, 0.1], [0.9, 0.2], [1.4, 0.3]]]); // prettier-ignore
  const varied = attention.vary(network, { width: (n, l) => n + 10 * l, weightVariance: (w, l) => w + l, biasVariance: (b, l) => b + 2 * l }, registry); // prettier-ignore
  expect(told(varied)).toEqual([[4, 17], [[1.1, 0.1], [1.9, 2.2], [3.4, 4.3]]]); // prettier-ignore
  expect(varied.layers[1]!.maps).toEqual(network.layers[1]!.maps);
});

test("parts of heads: the paths that pass through each, of layers with more than one, layers and heads counted from 1", () => {
  // paths (h₂, h₃, h₄) of 3 · 1 · 2 heads, the last fastest
  expect(headParts([5, 3, 1, 2])).toEqual([
    { label: "2.1", sites: [0, 1] },
    { label: "2.2", sites: [2, 3] },
    { label: "2.3", sites: [4, 5] },
    { label: "4.1", sites: [0, 2, 4] },
    { label: "4.2", sites: [1, 3, 5] },
  ]);
});
