import { readFileSync } from "node:fs";
import { matrix, matrixFromRows, type Matrix } from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  advanceGaps,
  crossInfiniteWidthRecursion,
  infiniteWidthRecursion,
  inputGaps,
  kernelGaps,
  kernelMap,
  plugin,
} from "../src/index.js";

const named = (name: string) => plugin.activations!.find((candidate) => candidate.name === name)!;

/** K^{L+1} from the inputs, all pairs. */
function readoutKernel(name: string, inputs: Matrix, weightVariance: readonly number[], biasVariance: readonly number[]): Matrix {
  const [first, scale] = [multiplyTransposedRight(inputs, inputs), weightVariance[0]! / inputs.shape[1]];
  const n = inputs.shape[0];
  const kernel = matrix(
    n,
    n,
    first.data.map((value) => scale * value + biasVariance[0]!),
  );
  const variances = Float64Array.from({ length: n }, (_, i) => kernel.data[i * n + i]!);
  const gaps = inputGaps(inputs, inputs, kernel, { rows: variances, columns: variances }, { scale, bias: biasVariance[0]! });
  const [weights, biases] = [weightVariance.slice(1), biasVariance.slice(1)];
  const own = infiniteWidthRecursion(named(name), kernel, weights, biases, gaps).preactivation.at(-1)!;
  const cross = crossInfiniteWidthRecursion(named(name), variances, kernel, variances, weights, biases, gaps).preactivation.at(-1)!;
  expectClose(cross.data, own.data, { relative: 1e-14 });
  return own;
}

describe("kernels of nearly parallel inputs", () => {
  interface Case {
    readonly activation: string;
    readonly inputs: number[][];
    readonly weightVariance: number[];
    readonly biasVariance: number[];
    readonly firstAngle: number;
    readonly kernel: [number, number, number];
  }
  const { cases } = JSON.parse(readFileSync(new URL("goldens/nearly-parallel.json", import.meta.url), "utf8")) as { cases: Case[] };
  it.each(cases.map((one) => [one.activation, one.weightVariance.length - 1, one.firstAngle, one] as const))(
    "%s, %i layers, angle %d: sixty digits agree",
    (_, depth, angle, one) => {
      const { data } = readoutKernel(one.activation, matrixFromRows(one.inputs), one.weightVariance, one.biasVariance);
      const [a, c, b] = one.kernel;
      // The angle of float64 inputs is computed to 1e-15; each sign layer takes the root of angles, which scales relative errors by ½.
      const noise = Math.min(1, 2e-15 / angle) * Math.sqrt(a * b) * 0.5 ** Math.max(0, depth - 1);
      expectClose([data[0]!, data[1]!, data[3]!], [a, c, b], { relative: 3e-14, absolute: noise });
      expect(data[2]).toBe(data[1]);
    },
  );

  it.each([
    ["one feature", matrixFromRows([[0.1], [0.3], [0.7], [-1.3]])],
    ["random multiples of one vector", multiples(3)],
    ["of many features", multiples(300)],
  ])("sign: inputs on one line stay at correlation ±1 through six layers (%s)", (_, inputs) => {
    const n = inputs.shape[0];
    const signs = Array.from({ length: n }, (_, i) => Math.sign(inputs.data[i * inputs.shape[1]]! * inputs.data[0]!));
    const expected = signs.flatMap((s) => signs.map((t) => s * t));
    expect([...readoutKernel("sign", inputs, [1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0]).data]).toEqual(expected);
    // Theories that see a kernel only, layer by layer
    let kernel = multiplyTransposedRight(inputs, inputs);
    for (let l = 0; l < 6; l++) kernel = kernelMap(named("sign"), kernel);
    expect([...kernel.data]).toEqual(expected);
  });
});

it.each([
  ["a positive correlation", 0.995, 0.7, 0.4],
  ["a negative one that stays", -0.995, 0.7, 1e-3],
  ["a negative one that the bias turns", -0.995, 1e-3, 0.9],
])("the gap of weight·G + bias is that of its numbers, unequal variances included (%s)", (_, rho, weight, bias) => {
  // φ(h) = h, but as an activation that has a gap
  const identity = named("identity");
  const linear = {
    ...identity,
    smooth: false,
    moments: { ...identity.moments, gap: (_a: number, _c: number, _b: number, gap: number) => gap },
  };
  const [a, b] = [1.3, 1.9];
  const c = rho * Math.sqrt(a * b);
  const kernel = matrixFromRows([[c]]);
  const layer = { rows: [a], kernel, columns: [b] };
  const gaps = advanceGaps(linear, layer, kernelGaps([a], kernel, [b]), matrixFromRows([[c]]), { weight, bias });
  const [a2, b2] = [weight * a + bias, weight * b + bias];
  expectClose(gaps.get(0)!, Math.sqrt(a2 * b2) - Math.abs(weight * c + bias), { relative: 1e-10 });
});

/** Six multiples, positive and negative, of one random vector. */
function multiples(features: number): Matrix {
  const random = stream(11, features);
  const direction = random.normals(new Float64Array(features));
  return matrixFromRows(Array.from({ length: 6 }, (_, i) => direction.map((x) => (i % 2 === 0 ? 1 : -1) * (0.3 + i) * 1.1 ** i * x)));
}
