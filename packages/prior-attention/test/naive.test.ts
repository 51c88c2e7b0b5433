import { createRegistry, matrixFromRows, resolveNetworkInput, type Matrix } from "@finitewidth/core";
import { biasCovariance } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  attentionKernels,
  attentionMixing,
  attentionModel,
  attentionPaths,
  finiteAttention,
  headParts,
  headScores,
  keptPaths,
  pathNames,
  plugin,
  softmaxMaps,
  type AttentionModel,
  type AttentionNetwork,
} from "../src/index.js";
import { mapOf } from "../src/maps.js";

// Everything of this file is written out by loops over tokens, heads and units.
const registry = createRegistry([plugin]);
const [T, F, D] = [3, 2, 2];
const model = (network: object): AttentionModel =>
  attentionModel(resolveNetworkInput({ type: "attention", tokens: T, features: F, ...network }, registry) as AttentionNetwork);
const normals = (count: number, ...index: number[]): Float64Array => stream(17, ...index).normals(new Float64Array(count));
const square = (seed: number): number[][] => Array.from({ length: T }, (_, i) => [...normals(T, 90, seed, i)]);
const rowsOf = (of: AttentionModel, count: number, seed: number): Matrix => ({ data: normals(count * of.inputSize, seed), shape: [count, of.inputSize] }); // prettier-ignore
/** Sums to one, as softmax does. */
const average = (seed: number): number[][] => square(seed).map((row) => row.map((v) => Math.abs(v) / row.reduce((sum, w) => sum + Math.abs(w), 0))); // prettier-ignore
const [weightVariance, biasVariance] = [[1.3, 0.7, 1.6, 0.9], [0.2, 0.5, 0.1, 0.3]]; // prettier-ignore
const networks: Record<string, object> = {
  "maps of the inputs, frozen, given": {
    layers: [
      { width: 4, maps: { heads: 4, from: "input" } },
      { width: 2, maps: { heads: 3, keys: 2, scale: 1.7, seed: 5 } },
      { width: 3, maps: { matrices: [average(1), average(2), average(9)] } },
    ],
    readout: [0.5, -1, 0.8],
  },
  "maps of all inputs, no biases in between": {
    layers: [{ width: 2 }, { width: 4, maps: { heads: 2, from: "input" } }, { width: 3, maps: { heads: 3, from: "input" } }],
    readout: 2,
    biasVariance: [0.2, 0, 0, 0.3],
  },
  "common maps whose rows sum to anything": {
    layers: [
      { width: 3, maps: { matrices: [square(3), square(4)] } },
      { width: 4, maps: { matrices: [square(5)] } },
      { width: 2, maps: { matrices: [square(6), square(7), square(8)] } },
    ],
  },
};
const modelOf = (network: object): AttentionModel => model({ weightVariance, biasVariance, ...network });

interface Values {
  /** [head][unit][channel] with σ_w/√(H N), and biases with σ_b, layer by layer; the readout as a layer of one head. */
  readonly weights: number[][][][];
  readonly biases: number[][];
}
/** θ as documented: [unit][head][channel], then the biases of a layer that has any. */
function valuesOf({ network, heads }: AttentionModel, theta: Float64Array): Values {
  let [at, channels] = [0, F];
  const weights: number[][][][] = [];
  const biases: number[][] = [];
  [...network.layers.map(({ width }) => width), D].forEach((width, l) => {
    const H = heads[l] ?? 1;
    const scale = Math.sqrt(network.weightVariance[l]! / (H * channels));
    weights.push(Array.from({ length: H }, (_, h) => Array.from({ length: width }, (_u, u) => Array.from({ length: channels }, (_c, c) => scale * theta[at + (u * H + h) * channels + c]!)))); // prettier-ignore
    at += width * H * channels;
    const own = network.biasVariance[l]!;
    biases.push(Array.from({ length: width }, (_, u) => (own > 0 ? Math.sqrt(own) * theta[at + u]! : 0)));
    if (own > 0) at += width;
    channels = width;
  });
  expect(at).toBe(theta.length);
  return { weights, biases };
}
function forward(of: AttentionModel, inputs: Matrix, { weights, biases }: Values) {
  const { maps } = of.parse(inputs);
  const hidden: number[][][][] = [];
  const read = Array.from({ length: inputs.shape[0] }, (_, mu) => {
    let x = Array.from({ length: T }, (_t, i) => Array.from({ length: F }, (_f, f) => inputs.data[mu * of.inputSize + i * F + f]!));
    of.network.layers.forEach((_layer, l) => {
      x = x.map((_row, i) =>
        biases[l]!.map((b, u) =>
          weights[l]!.reduce(
            (sum, head, h) =>
              sum +
              x.reduce(
                (inner, row, j) =>
                  inner + mapOf(maps[l]!, mu, h)[i * T + j]! * row.reduce((all, value, c) => all + head[u]![c]! * value, 0),
                0,
              ),
            b,
          ),
        ),
      );
      (hidden[l] ??= []).push(x);
    });
    return x[0]!.map((_u, u) => x.reduce((sum, row, i) => sum + of.readout[i]! * row[u]!, 0));
  });
  const outputs = read.map((row) =>
    biases.at(-1)!.map((b, a) => row.reduce((sum, value, c) => sum + weights.at(-1)![0]![a]![c]! * value, b)),
  );
  return { outputs, read, hidden };
}

describe.each(Object.entries(networks))("%s", (_, network) => {
  const of = modelOf(network);
  const inputs = rowsOf(of, 3, 1);
  const net = finiteAttention(of, inputs, D);
  const theta = normals(net.parameters, 2);
  const { heads } = of;
  const { width: N } = of.network.layers.at(-1)!;

  it("the finite network: outputs, features, kernels of the hidden layers", () => {
    const state = net.forward(theta);
    const { outputs, read, hidden } = forward(of, inputs, valuesOf(of, theta));
    expectClose(state.outputs, outputs, { relative: 1e-11, absolute: 1e-12 });
    const scale = Math.sqrt(of.network.weightVariance.at(-1)! / N);
    expectClose(state.features, read.map((row) => row.map((value) => scale * value)), { relative: 1e-11, absolute: 1e-12 }); // prettier-ignore
    state.hiddenKernels().forEach((kernel, l) => {
      const width = of.network.layers[l]!.width;
      const expected = hidden[l]!.map((x) =>
        hidden[l]!.map((z) => x.reduce((sum, row, i) => sum + row.reduce((all, value, u) => all + value * z[i]![u]!, 0), 0) / (T * width)),
      );
      expectClose(kernel, expected, { relative: 1e-11, absolute: 1e-12 }, `layer ${l + 1}`);
    });
    expect(net.readoutParameters).toBe(D * N + (of.network.biasVariance[3]! > 0 ? D : 0));
    expect(net.offsets).toHaveLength(4);
    expect(() => net.forward(theta.subarray(1))).toThrow(/^theta: expected \d+ numbers, got \d+/);
  });

  it("derivatives of outputs and features are those of differences", () => {
    const state = net.forward(theta);
    const [cotangent, towards] = [
      { data: normals(3 * D, 3), shape: [3, D] as const },
      { data: normals(3 * N, 4), shape: [3, N] as const },
    ];
    const [gradient, other] = [new Float64Array(net.parameters), new Float64Array(net.parameters)];
    net.pullback(theta, state, cotangent, gradient);
    net.pullbackFeatures(theta, state, towards, other);
    const along = normals(net.parameters, 5);
    const at = (step: number) => {
      const moved = net.forward(theta.map((value, k) => value + step * along[k]!));
      const dot = (a: Matrix, b: { data: Float64Array }): number => a.data.reduce((sum, value, k) => sum + value * b.data[k]!, 0);
      return [dot(moved.outputs, cotangent), dot(moved.features, towards)];
    };
    const [up, down] = [at(1e-5), at(-1e-5)];
    const slope = (g: Float64Array): number => g.reduce((sum, value, k) => sum + value * along[k]!, 0);
    expectClose([slope(gradient), slope(other)], [0, 1].map((k) => (up[k]! - down[k]!) / 2e-5), { relative: 1e-7 }); // prettier-ignore
    // each entry of the first one on its own: a sum along one direction may hide two that are swapped
    for (let k = 0; k < net.parameters; k += 5) {
      const one = (step: number): number => net.forward(theta.map((value, i) => (i === k ? value + step : value))).outputs.data.reduce((sum, value, i) => sum + value * cotangent.data[i]!, 0); // prettier-ignore
      expectClose(gradient[k]!, (one(1e-5) - one(-1e-5)) / 2e-5, { relative: 1e-6, absolute: 1e-8 });
    }
  });

  it("given its upper layers the outputs have the covariance of the law, biases included", () => {
    const law = attentionMixing(of, attentionPaths(heads, of.readout));
    const others = rowsOf(of, 2, 6);
    const values = valuesOf(of, theta);
    // A^l over (output, path) × units of layer l: products of the values along the paths above
    let rows = values.weights.at(-1)![0]!.map((row) => [row]);
    const chain = [rows];
    for (let l = heads.length - 1; l > 0; l--) {
      rows = rows.map((paths) =>
        values.weights[l]!.flatMap((head) =>
          paths.map((path) => head[0]!.map((_v, c) => path.reduce((sum, p, u) => sum + p * head[u]![c]!, 0))),
        ),
      );
      chain.unshift(rows);
    }
    const mixing = chain
      .map((at) => at.flat())
      .map((flat) => matrixFromRows(flat.map((x) => flat.map((z) => x.reduce((sum, v, k) => sum + v * z[k]!, 0)))));
    expect(law.sites).toBe(heads[1]! * heads[2]!);
    expect(mixing[0]!.shape[0]).toBe(D * law.sites);
    // what each parameter of the first layer, and each bias above, changes: outputs are linear in both
    const [here, there] = [net, finiteAttention(of, others, D)];
    const zero = theta.slice();
    const second = here.offsets[1]!;
    zero.fill(0, 0, second);
    const biasAt = heads.slice(1).flatMap((H, k) => {
      const [l, { width }] = [k + 1, of.network.layers[k + 1]!];
      return of.network.biasVariance[l]! > 0 ? Array.from({ length: width }, (_b, u) => here.offsets[l]! + width * H * of.network.layers[k]!.width + u) : []; // prettier-ignore
    });
    const readoutBias = of.network.biasVariance[3]! > 0 ? [0, 1].map((a) => here.parameters - D + a) : [];
    const change = (one: typeof net, k: number): Float64Array => {
      const [a, b] = [zero.slice(), zero.slice()];
      [a[k], b[k]] = [1, 0];
      const [x, y] = [one.forward(a).outputs.data.slice(), one.forward(b).outputs.data];
      return x.map((value, i) => value - y[i]!);
    };
    const covariance = (indices: readonly number[]): number[][] => {
      const moves = indices.map((k) => [change(here, k), change(there, k)] as const);
      const entry = (a: number, mu: number, b: number, nu: number): number =>
        moves.reduce((sum, [x, z]) => sum + x[mu * D + a]! * z[nu * D + b]!, 0);
      return [0, 1].flatMap((a) => [0, 1, 2].map((mu) => [0, 1].flatMap((b) => [0, 1].map((nu) => entry(a, mu, b, nu)))));
    };
    expectClose(law.covariance(D, mixing[0]!, inputs, others), covariance(Array.from({ length: second }, (_k, k) => k)), { relative: 1e-9, absolute: 1e-10 }); // prettier-ignore
    const constant = biasCovariance(law.chain, D, mixing).data;
    const expected = [0, 1].flatMap((a) => [0, 1, 2].map(() => [0, 1].flatMap((b) => [0, 1].map(() => constant[a * D + b]!))));
    expectClose(covariance([...biasAt, ...readoutBias]), expected, { relative: 1e-9, absolute: 1e-10 });
    expect(law.siteNames).toEqual(pathNames(heads));
    expect(law.parts).toEqual(headParts(heads));
  });

  it("infinite width: kernels over tokens layer by layer, averaged and as the readout reads them", () => {
    const others = rowsOf(of, 2, 6);
    const { weightVariance: w, biasVariance: b } = of.network;
    const recursion = (left: Matrix, right: Matrix) => {
      const [ours, theirs] = [of.parse(left).maps, of.parse(right).maps];
      const n = [left.shape[0], right.shape[0]] as const;
      const token = (m: Matrix, mu: number, i: number, f: number): number => m.data[mu * of.inputSize + i * F + f]!;
      let K = Array.from({ length: n[0] }, (_m, mu) => Array.from({ length: n[1] }, (_n, nu) => Array.from({ length: T }, (_i, i) => Array.from({ length: T }, (_j, j) => (token(left, mu, i, 0) * token(right, nu, j, 0) + token(left, mu, i, 1) * token(right, nu, j, 1)) / F)))); // prettier-ignore
      const hidden: number[][][] = [];
      heads.forEach((H, l) => {
        K = K.map((row, mu) => row.map((block, nu) => block.map((line, i) => line.map((_v, j) => {
          let sum = 0;
          for (let h = 0; h < H; h++) for (let p = 0; p < T; p++) for (let q = 0; q < T; q++) sum += mapOf(ours[l]!, mu, h)[i * T + p]! * block[p]![q]! * mapOf(theirs[l]!, nu, h)[j * T + q]!;
          return (w[l]! * sum) / H + b[l]!;
        })))); // prettier-ignore
        hidden.push(K.map((row) => row.map((block) => block.reduce((sum, line, i) => sum + line[i]! / T, 0))));
      });
      const top = K.map((row) =>
        row.map(
          (block) =>
            w[3]! *
              block.reduce((sum, line, i) => sum + line.reduce((all, value, j) => all + of.readout[i]! * of.readout[j]! * value, 0), 0) +
            b[3]!,
        ),
      );
      return { hidden, top };
    };
    for (const [left, right] of [
      [inputs, undefined],
      [inputs, others],
      [others, inputs],
    ] as const) {
      // prettier-ignore
      const found = attentionKernels(of, left, right);
      const { hidden, top } = recursion(left, right ?? left);
      expectClose(found.preactivation.at(-1)!, top, { relative: 1e-10, absolute: 1e-12 });
      hidden.forEach((kernel, l) => {
        expectClose(found.hidden[l]!, kernel, { relative: 1e-10, absolute: 1e-12 });
        expectClose(found.preactivation[l]!, kernel, { relative: 1e-10, absolute: 1e-12 });
      });
      if (right === undefined) expect(found.othersDiagonal).toBeUndefined();
      else expectClose(found.othersDiagonal!, recursion(right, right).top.map((row, nu) => row[nu]!), { relative: 1e-10 }); // prettier-ignore
    }
  });
});

it("frozen queries and keys are drawn from their seed, layer, kind and head, with variance 1/features", () => {
  const of = modelOf(networks["maps of the inputs, frozen, given"]!);
  const { sequences, maps } = of.parse(rowsOf(of, 2, 1));
  const drawn = (kind: number): Matrix[] =>
    [0, 1, 2].map((h) => ({ data: stream(5, 1, kind, h).normals(new Float64Array(4)).map((v) => v / Math.SQRT2), shape: [2, F] })); // prettier-ignore
  expectClose(maps[1]!.data, softmaxMaps(sequences, drawn(0), drawn(1), 1.7 / Math.SQRT2).data, { relative: 1e-13 });
  const bad = rowsOf(of, 2, 1);
  bad.data[of.inputSize + 3] = Number.NaN;
  expect(() => of.parse(bad)).toThrow(/^inputs\[1\]: expected finite numbers/);
  expect(() => of.parse(matrixFromRows([[1]]), "others")).toThrow(
    /^others: expected rows of 42 numbers \(3 tokens × 2 features and attention maps\)/,
  );
});

it("scores count every pair of paths once for each head that it touches, and removed heads of any layer take their paths", () => {
  const heads = [3, 2, 1, 3];
  const paths = [0, 1].flatMap((a) => [0, 1, 2].map((c) => [a, 0, c]));
  const weights: Matrix = { data: normals(36, 8), shape: [6, 6] };
  const expected = [2, 1, 3].map((count, k) =>
    Array.from({ length: count }, (_, h) => {
      let sum = 0;
      for (let p = 0; p < 6; p++)
        for (let q = 0; q < 6; q++) if (paths[p]![k] === h || paths[q]![k] === h) sum += Math.abs(weights.data[6 * p + q]!);
      return sum;
    }),
  );
  headScores(weights, heads).forEach((row, k) => expectClose(row, expected[k]!, { relative: 1e-13 }));
  expect(pathNames(heads)).toEqual(["1·1·1", "1·1·2", "1·1·3", "2·1·1", "2·1·2", "2·1·3"]);
  for (const removed of [
    [[2, 1]],
    [
      [4, 0],
      [4, 2],
    ],
    [
      [2, 0],
      [4, 1],
    ],
    [],
  ] as [number, number][][])
    // prettier-ignore
    expect([...keptPaths(heads, removed)]).toEqual(paths.map((path) => (removed.some(([l, h]) => path[l - 2] === h) ? 0 : 1)));
});
