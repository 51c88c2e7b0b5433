import { type Architecture, type Matrix, type MixingLaw } from "@finitewidth/core";
import { composition, compositionKernels, compositionMixing, mixingLaw, realise } from "@finitewidth/kernels";
import { affine, identity, multiplyTransposedRight } from "@finitewidth/linalg";
import { pullBackMixing } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { built, someInputs } from "./helpers.js";

const dense = (width?: number, weightVariance = 1.3, biasVariance = 0) => ({
  layer: "dense",
  ...(width ? { width } : {}),
  weightVariance,
  biasVariance,
});
const filter = (channels: number, more: object = {}) => ({ layer: "convolution", channels, kernelSize: [3], weightVariance: 1.5, ...more });
const pooling = (window: number, stride = window) => ({ layer: "average-pooling", window: [window], stride: [stride] });
const attention = (width: number, matrices: number[][][]) => ({
  layer: "attention",
  matrices,
  width,
  weightVariance: 1.4,
  biasVariance: 0,
});
const residual = (body: object[], skip: number, branch: number) => ({ layer: "residual", body, skip, branch });
const flatten = { layer: "flatten" };
const global = { layer: "global-average-pooling" };
const heads = [
  [
    [0.8, 0.1, 0.1],
    [0.2, 0.5, 0.3],
    [0, 0.4, 0.6],
  ],
  [
    [1, 0, 0],
    [0.3, 0.3, 0.4],
    [0.5, 0.5, 0],
  ],
];

const networks: Record<string, readonly [number[], object[]]> = {
  "dense layers": [[3], [dense(3), dense(4, 0.7), dense()]],
  "filters and flatten": [
    [2, 4],
    [filter(3), filter(2, { padding: "zero" }), flatten, dense()],
  ],
  "pooling between filters": [
    [2, 6],
    [filter(3), pooling(2), filter(2), flatten, dense()],
  ],
  "overlapping pooling before flatten": [
    [2, 4],
    [filter(3), pooling(2, 1), flatten, dense()],
  ],
  "more outputs of pooling than sites": [
    [2, 3],
    [filter(4), { layer: "average-pooling", window: [3], stride: [1], padding: [2] }, flatten, dense()],
  ],
  "fixed attention and a mean": [
    [2, 3],
    [dense(4), attention(3, heads), global, dense()],
  ],
  "flatten in the middle": [
    [2, 4],
    [filter(3, { stride: [2] }), flatten, dense(3, 0.8), dense(2, 1.7), dense()],
  ],
  "pooled inputs": [
    [2, 6],
    [pooling(3), dense(3), flatten, dense()],
  ],
  "skips over dense layers": [[3], [dense(4), residual([dense(4)], 0.9, 0.5), residual([dense(4)], -1.1, 0.7), dense(2), dense()]],
  "a sum of branches": [
    [2],
    [dense(3), { layer: "sum", branches: [[dense(3, 0.5)], [], [dense(3, 2)], []], coefficients: [0.7, 0.3, 1.2, 0.5] }, dense()],
  ],
  "filters with a skip": [
    [2, 4],
    [filter(3), residual([filter(3)], 0.8, 0.6), global, dense()],
  ],
  "attention with a skip": [
    [2, 3],
    [dense(3), residual([attention(3, heads)], 1, 0.8), flatten, dense()],
  ],
};
const withBiases = (layers: readonly object[]): object[] =>
  layers.map((layer, l) => {
    if ("body" in layer) return { ...layer, body: withBiases(layer.body as object[]) };
    return "weightVariance" in layer ? { ...layer, biasVariance: 0.1 + 0.05 * l } : layer;
  });

/** E M_l of every layer of a chain, D = 1. */
function meanMixing({ chain }: MixingLaw): Matrix[] {
  const out: Matrix[] = [];
  for (const layer of chain.layers.toReversed())
    out.unshift(out[0] === undefined ? affine(layer.variance, identity(layer.sites)) : pullBackMixing(layer, 1, out[0]));
  return out;
}

const quadratic = ({ data, shape: [n] }: Matrix, v: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum += v[i]! * data[i * n + j]! * v[j]!;
  return sum;
};

/** Covariance of one output in the mean over the mixing variable, biases included. */
function meanCovariance(law: MixingLaw, inputs: Matrix): number[] {
  const means = meanMixing(law);
  const biases = law.chain.layers.reduce(
    (sum, layer, l) => sum + layer.biasVariance * quadratic(means[l]!, layer.biasWeights),
    law.chain.readoutBiasVariance,
  );
  return [...law.covariance(1, means[0]!, inputs).data].map((value) => value + biases);
}

/** E f_a f_b f_c f_d of one output by its mean given the covariance K of a draw, some quadruples of three points, with errors. */
function fourthMoments(draw: () => Float64Array, count: number) {
  const quadruples = [
    [0, 0, 0, 0],
    [0, 0, 0, 1],
    [0, 0, 1, 1],
    [0, 1, 1, 2],
    [2, 2, 2, 2],
  ] as const;
  const sums = quadruples.map(() => [0, 0] as [number, number]);
  for (let s = 0; s < count; s++) {
    const k = draw();
    const at = (i: number, j: number): number => k[3 * i + j]!;
    quadruples.forEach(([a, b, c, d], p) => {
      const value = at(a, b) * at(c, d) + at(a, c) * at(b, d) + at(a, d) * at(b, c);
      sums[p]![0] += value / count;
      sums[p]![1] += value ** 2 / count;
    });
  }
  return sums.map(([mean, square]) => ({ mean, error: Math.sqrt((square - mean ** 2) / count) }));
}

function expectSameLaw(law: MixingLaw, net: Architecture, inputs: Matrix): void {
  const draws = 4000;
  const random = stream(11);
  const network = realise(net, inputs, 1);
  const theta = new Float64Array(network.parameters);
  const real = fourthMoments(() => {
    const { features } = network.forward(random.normals(theta));
    return multiplyTransposedRight(features, features).data;
  }, draws);
  const drawn = fourthMoments(() => law.covariance(1, law.sample(1, random), inputs).data, draws);
  real.forEach(({ mean, error }, p) => {
    const z = Math.abs(mean - drawn[p]!.mean) / Math.hypot(error, drawn[p]!.error);
    expect(z, `${p}: ${mean} ± ${error} of real networks, ${drawn[p]!.mean} ± ${drawn[p]!.error} of the law`).toBeLessThan(4);
  });
}

describe("exact laws of linear chains", () => {
  for (const [name, [shape, layers]] of Object.entries(networks)) {
    const inputs = someInputs(
      3,
      shape.reduce((a, b) => a * b, 1),
    );
    it(`${name}: the mean over the mixing variable is the infinite-width kernel, biases included`, () => {
      for (const list of [layers, withBiases(layers)]) {
        const net = built(shape, list);
        const kernel = compositionKernels(composition(net), inputs).preactivation.at(-1)!;
        for (const law of [compositionMixing(net)!, mixingLaw(net)!])
          expectClose(meanCovariance(law, inputs), kernel, { relative: 1e-12, absolute: 1e-14 });
      }
    });
    it(`${name}: kernels between sites and the covariance belong together`, () => {
      const law = compositionMixing(built(shape, layers))!;
      const [one, other] = [someInputs(2, inputs.shape[1]), inputs];
      const value = law.sample(1, stream(2));
      const sum = new Float64Array(6);
      law.siteKernels(one, other).forEach((kernel, rs) => kernel.data.forEach((entry, k) => (sum[k]! += value.data[rs]! * entry)));
      expectClose(law.covariance(1, value, one, other), sum, { relative: 1e-12, absolute: 1e-14 });
    });
    it(`${name}: fourth moments of outputs are those of real networks`, () => {
      const net = built(shape, layers);
      expectSameLaw(compositionMixing(net)!, net, inputs);
    });
  }

  it("no law for activations, skips over several layers, norms and random scores", () => {
    const erf = { layer: "activation", name: "erf" };
    const lists: object[][] = [
      [dense(3), erf, dense()],
      [dense(3), { layer: "residual", body: [dense(4), dense(3)] }, dense()],
      [dense(3), { layer: "layer-normalization" }, dense()],
    ];
    for (const list of lists) expect(mixingLaw(built([2], list))).toBeUndefined();
    expect(mixingLaw(built([2, 2], [dense(3), { layer: "attention", scores: "softmax", width: 3 }, global, dense()]))).toBeUndefined();
    expect(mixingLaw(built([2], [dense(3), { layer: "activation", name: "identity" }, dense()]))).toBeDefined();
  });
});
