import { erf, gelu, identity, relu, sign } from "@finitewidth/activations";
import type { Activation, Architecture, Matrix, Primitive } from "@finitewidth/core";
import { gaussLegendre } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  denseChain,
  firstLayerDiagonal,
  fullyConnectedChain,
  fullyConnectedKernels,
  fullyConnectedMixing,
  fullyConnectedOutputKernel,
  identityMap,
  mixingLaw,
  realise,
  type DenseChain,
} from "../src/index.js";
import { meanProduct, naiveKernels, naiveNetwork } from "./naive.ts";

const [weightVariance, biasVariance] = [
  [1.3, 0.8, 1.6, 0.9],
  [0.2, 0, 0.3, 0.15],
];
const chainOf = (activation: Activation, widths: readonly number[] = [4, 3, 5]): DenseChain => ({
  activation,
  widths,
  weightVariance: weightVariance.slice(0, widths.length + 1),
  biasVariance: biasVariance.slice(0, widths.length + 1),
});
const layersOf = ({ activation, widths, ...chain }: DenseChain): Primitive[] =>
  [...widths, undefined].flatMap((width, l): Primitive[] => [
    ...(l > 0 ? [{ kind: "pointwise", activation } as const] : []),
    {
      kind: "random",
      ...(width ? { width } : {}),
      weightVariance: chain.weightVariance[l]!,
      biasVariance: chain.biasVariance[l]!,
      maps: [identityMap(1)],
    },
  ]);
const normals = (rows: number, columns: number, seed: number): Matrix => normalMatrix(stream(41, seed), rows, columns);
const joined = (a: Matrix, b: Matrix): Matrix => ({
  data: Float64Array.of(...a.data, ...b.data),
  shape: [a.shape[0] + b.shape[0], a.shape[1]],
});

describe("dense chains at infinite width", () => {
  it.each([erf, relu, gelu, sign])("$name: every kernel, with others, and the last one alone, few points and many", (activation) => {
    const chain = chainOf(activation);
    expect(denseChain({ layers: layersOf(chain) })).toMatchObject(chain);
    for (const [points, more] of activation === gelu
      ? [[5, 3]]
      : [
          [5, 3],
          [132, 128],
        ]) {
      // prettier-ignore
      const [x, y] = [normals(points!, 3, 1), normals(more!, 3, 2)];
      // a few of each are enough to compare with
      const some = { data: Float64Array.of(...x.data.subarray(0, 9), ...y.data.subarray(0, 6)), shape: [5, 3] } as Matrix;
      const { S, Q } = naiveKernels(layersOf(chain), [3, 1], some, activation.moments.kernel);
      const own = fullyConnectedKernels(chain, x);
      const cross = fullyConnectedKernels(chain, x, y);
      const close = { relative: activation === sign ? 1e-7 : 1e-11, absolute: 1e-12 };
      const at = (k: Matrix, i: number, j: number): number => k.data[i * k.shape[1] + j]!;
      for (const [name, expected] of [
        ["preactivation", S],
        ["hidden", Q.slice(1)],
      ] as const) {
        // prettier-ignore
        expect([own[name].length, cross[name].length]).toEqual([expected.length, expected.length]);
        expected.forEach((k, l) => {
          for (let i = 0; i < 3; i++) {
            for (let j = 0; j < 3; j++) expectClose(at(own[name][l]!, i, j), k[i]![j]!, close, `${name} ${l}`);
            for (let j = 0; j < 2; j++) expectClose(at(cross[name][l]!, i, j), k[i]![3 + j]!, close, `cross ${name} ${l}`);
          }
        });
      }
      expectClose([0, 1].map((j) => cross.othersDiagonal![j]!), [0, 1].map((j) => S.at(-1)![3 + j]![3 + j]!), close); // prettier-ignore
      const [top, between] = [fullyConnectedOutputKernel(chain, x), fullyConnectedOutputKernel(chain, x, y)];
      expectClose(top.kernel, own.preactivation.at(-1)!, { relative: 1e-13, absolute: 1e-14 });
      expectClose(between.kernel, cross.preactivation.at(-1)!, { relative: 1e-13, absolute: 1e-14 });
      expectClose(between.othersDiagonal!, cross.othersDiagonal!, { relative: 1e-13 });
      expect(top).not.toHaveProperty("othersDiagonal");
      expectClose(firstLayerDiagonal(chain, some), S[0]!.map((row, i) => row[i]!), { relative: 1e-13 }); // prettier-ignore
    }
  });

  it("refuses inputs whose kernels leave the range of numbers", () => {
    const huge: Matrix = { data: Float64Array.of(1, 2, 3e200, 1), shape: [2, 2] };
    for (const of of [fullyConnectedKernels, fullyConnectedOutputKernel]) {
      expect(() => of(chainOf(relu), huge)).toThrow(
        /^inputs: expected numbers, and variances of the layers, of a scale .*numbers up to 3\.00e\+200, whose kernels are not/,
      );
      expect(() => of(chainOf(relu), huge, huge)).toThrow(/^inputs/);
    }
  });
});

describe("dense networks of finite width", () => {
  it.each([
    ["three layers", [4, 3, 5]],
    ["one", [2]],
    ["none", []],
  ] as const)("outputs, kernels, features and gradients against loops: %s", (_, widths) => {
    const chain = chainOf(gelu, widths);
    const layers = layersOf(chain);
    const architecture: Architecture = { layers };
    const x = normals(3, 2, 5);
    const network = realise(architecture, x, 2);
    const naive = (at: Float64Array) => naiveNetwork(layers, [2, 1], x, 2, at, gelu.value);
    const cotangent = normals(3, 2, 6);
    const sizes = [2, ...widths, 2];
    const starts = [...widths, 2].map((_width, l) =>
      sizes.slice(0, l).reduce((at, n, k) => at + sizes[k + 1]! * (n + (biasVariance[k]! > 0 ? 1 : 0)), 0),
    );
    expect([...network.offsets]).toEqual(starts);
    expect(network.readoutParameters).toBe(network.parameters - starts.at(-1)!);
    for (const seed of [7, 8]) {
      const theta = stream(seed).normals(new Float64Array(network.parameters));
      const state = network.forward(theta);
      const found = naive(theta);
      expectClose(state.outputs, found.outputs, { relative: 1e-12, absolute: 1e-13 });
      const kernels = state.hiddenKernels();
      expect(kernels).toHaveLength(widths.length);
      kernels.forEach((kernel, l) => expectClose(kernel, meanProduct(found.readings[l + 1]!), { relative: 1e-12, absolute: 1e-13 }));
      const loss = (at: Float64Array): number =>
        naive(at)
          .outputs.flat()
          .reduce((sum, f, k) => sum + f * cotangent.data[k]!, 0);
      const numeric = differences(loss, theta, network.parameters);
      // twice: slopes are worked out by the first
      for (let run = 0; run < 2; run++) {
        const gradient = new Float64Array(network.parameters).fill(5);
        network.pullback(theta, state, cotangent, gradient);
        expectClose(gradient, numeric, { relative: 1e-6, absolute: 1e-8 });
      }
      const onFeatures = normals(...state.features.shape, 9);
      const hidden = new Float64Array(network.parameters);
      network.pullbackFeatures(theta, network.forward(theta), onFeatures, hidden);
      const featureLoss = (at: Float64Array): number =>
        network.forward(at).features.data.reduce((sum, f, k) => sum + f * onFeatures.data[k]!, 0);
      expectClose(hidden.subarray(0, starts.at(-1)), differences(featureLoss, theta, starts.at(-1)!), { relative: 1e-6, absolute: 1e-8 });
    }
    expect(() => network.forward(new Float64Array(1))).toThrow(`theta: expected ${network.parameters} numbers, got 1`);
  });
});

describe("the law of a dense linear chain", () => {
  const chain = chainOf(identity, [4, 6]);
  const law = fullyConnectedMixing(chain);
  const [x, y] = [normals(3, 2, 11), normals(2, 2, 12)];

  it("is a chain of Wishart layers, one site each, with the factors above and the biases", () => {
    expect(fullyConnectedChain(chain)).toMatchObject({
      layers: [
        { width: 4, sites: 1, variance: 0.8, biasVariance: 0, taps: [{ shape: [1, 1] }] },
        { width: 6, sites: 1, variance: 1.6, biasVariance: 0, taps: [] },
      ],
      readoutBiasVariance: 0.3,
    });
    expect(fullyConnectedChain(chainOf(identity, [4, 6, 5])).layers[2]!.biasVariance).toBe(0.3);
  });

  it("covariances are Q ⊗ K¹, output first, and K¹ is linear in the inputs", () => {
    const value: Matrix = { data: Float64Array.of(2, 0.3, 0.3, 1.1), shape: [2, 2] };
    const first = fullyConnectedKernels(chain, joined(x, y)).preactivation[0]!;
    const found = law.covariance(2, value, x, y);
    expect(found.shape).toEqual([6, 4]);
    for (let r = 0; r < 6; r++)
      for (let c = 0; c < 4; c++)
        expect(found.data[4 * r + c]).toBeCloseTo(
          value.data[2 * Math.floor(r / 3) + Math.floor(c / 2)]! * first.data[5 * (r % 3) + 3 + (c % 2)]!,
          13,
        );
    expect(law.linearKernel!(x)).toEqual({ weight: 1.3 / 2, bias: 0.2 });
    expectClose(
      law.siteKernels(x, y)[0]!,
      [0, 1, 2].map((i) => [3, 4].map((j) => first.data[5 * i + j]!)),
      { relative: 1e-13 },
    );
    expect(() => law.covariance(3, value, x)).toThrow("value: expected 3 × 3, got 2 × 2");
    expect(mixingLaw({ layers: layersOf(chain) })!.linearKernel!(x)).toEqual(law.linearKernel!(x));
    expect(mixingLaw({ layers: layersOf(chainOf(erf)) })).toBeUndefined();
  });

  it("densities: of log q by integrating over one layer, of a matrix by the Wishart law", () => {
    // q = g₁g₂, g_l ~ Gamma(N_l/2, mean s_l): density of u = ∫ p₁(u − v) p₂(v) dv
    const gamma = (u: number, width: number, mean: number): number => {
      const rate = width / (2 * mean);
      const factorial = [1, 1, 2][width / 2 - 1]!;
      return Math.exp((width / 2) * (u + Math.log(rate)) - rate * Math.exp(u)) / factorial;
    };
    const rule = gaussLegendre(200, -25, 6);
    for (const q of [0.2, 1.3, 6]) {
      const expected = rule.nodes.reduce((sum, v, k) => sum + rule.weights[k]! * gamma(Math.log(q) - v, 4, 0.8) * gamma(v, 6, 1.6), 0);
      expect(law.logDensity!(1, { data: Float64Array.of(q), shape: [1, 1] })).toBeCloseTo(Math.log(expected), 8);
    }
    const one = fullyConnectedMixing(chainOf(identity, [5]));
    const [a, c, b] = [1.2, -0.3, 0.7];
    const [n, scale] = [5, 0.8 / 5];
    const determinant = a * b - c * c;
    // |Q|^{(n−3)/2} e^{−tr Q/2s} / ((2s)^n √π Γ(n/2) Γ((n−1)/2)), Γ(5/2) = ¾√π
    const normaliser = (2 * scale) ** n * Math.sqrt(Math.PI) * (0.75 * Math.sqrt(Math.PI)) * 1;
    const expected = (determinant ** ((n - 3) / 2) * Math.exp(-(a + b) / (2 * scale))) / normaliser;
    expect(one.logDensity!(2, { data: Float64Array.of(a, c, c, b), shape: [2, 2] })).toBeCloseTo(Math.log(expected), 10);
    expect(() => one.logDensity!(3, { data: Float64Array.of(a, c, c, b), shape: [2, 2] })).toThrow("value: expected 3 × 3, got 2 × 2");
    expect(() => law.logDensity!(2, { data: Float64Array.of(a, c, c, b), shape: [2, 2] })).toThrow(/sample it instead/);
    expect(() => fullyConnectedMixing(chainOf(identity, [1])).logDensity!(2, { data: Float64Array.of(a, c, c, b), shape: [2, 2] })).toThrow(
      /at least as wide/,
    );
  });
});

function differences(loss: (at: Float64Array) => number, theta: Float64Array, count: number): Float64Array {
  const h = 1e-5;
  return Float64Array.from({ length: count }, (_, i) => {
    const at = (step: number): number => loss(theta.map((value, k) => (k === i ? value + step : value)));
    return (at(h) - at(-h)) / (2 * h);
  });
}
