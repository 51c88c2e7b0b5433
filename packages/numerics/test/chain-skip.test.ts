import { zeros, type Matrix, type WishartChain, type WishartLayer } from "@finitewidth/core";
import { cholesky, gram, identity, innerProduct, multiply } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  addCoordinateGradient,
  chainAdjoint,
  chainFactors,
  chainLayout,
  coordinatesToFactors,
  mixingMoments,
  pullBackMixing,
  pushForwardMixing,
  sampleChainFactors,
  sampleCoordinates,
} from "../src/index.js";

const random = stream(23);
const one: Matrix = { data: Float64Array.of(1), shape: [1, 1] };
const draw = (rows: number, columns: number, scale = 1): Matrix => ({
  data: random.normals(new Float64Array(rows * columns)).map((value) => scale * value),
  shape: [rows, columns],
});
const plain = { biasVariance: 0, biasWeights: Float64Array.of(1) };

/** Residual layers on one width, bottom up; the state above the last is read by the outputs. `wide`: a dense layer on top of it all. */
function trunk(width: number, layers: readonly (readonly [number, number])[], readout: number, wide?: number): WishartChain {
  const out: WishartLayer[] = layers.map(([skip, branch]) => ({
    ...plain,
    width,
    sites: 1,
    variance: branch ** 2,
    taps: branch === 0 ? [] : [one],
    skip: { coefficient: skip, tap: one },
  }));
  out.push({ ...plain, width, sites: 1, variance: wide === undefined ? readout : 0.7, taps: wide === undefined ? [] : [one] });
  if (wide !== undefined) out.push({ ...plain, width: wide, sites: 1, variance: readout, taps: [] });
  return { layers: out, readoutBiasVariance: 0 };
}

/** Two heads and a skip over sites: taps e_h ⊗ 1 with the skip as head 0. */
const headTap = (heads: number, h: number, above: number): Matrix => {
  const out = zeros(heads * above, above);
  for (let i = 0; i < above; i++) out.data[(h * above + i) * above + i] = 1;
  return out;
};
const attention: WishartChain = {
  layers: [
    {
      ...plain,
      width: 4,
      sites: 3,
      variance: 0.9,
      taps: [headTap(3, 1, 1), headTap(3, 2, 1)],
      skip: { coefficient: 0.8, tap: headTap(3, 0, 1) },
    },
    { ...plain, width: 4, sites: 1, variance: 1.2, taps: [] },
  ],
  readoutBiasVariance: 0,
};

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
function zScore(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  const error = Math.sqrt(mean(a.map((x) => (x - ma) ** 2)) / a.length + mean(b.map((x) => (x - mb) ** 2)) / b.length);
  return Math.abs(ma - mb) / error;
}

describe("Wishart chains with skips", () => {
  it("fixture: exact second moments of residual networks", () => {
    const { inputs, expected } = readFixture<{
      inputs: { cases: { width: number; alphas: number[]; betas: number[]; readoutVariance: number }[] };
      expected: { cases: { secondMoment: [number, number] }[] };
    }>("attention-residual/residual-density");
    for (const [k, { width, alphas, betas, readoutVariance }] of inputs.cases.entries()) {
      const moments = mixingMoments(
        trunk(
          width,
          alphas.map((a, l) => [a, betas[l]!] as const),
          readoutVariance,
        ),
        2,
      );
      const [a, b] = expected.cases[k]!.secondMoment;
      const second = (p: number, q: number): number => moments.covariance.data[p * 4 + q]! + moments.mean.data[p]! * moments.mean.data[q]!;
      expectClose([second(0, 3), second(1, 1), second(0, 0)], [a, b, a + 2 * b], { relative: 1e-9, absolute: 1e-12 }, `case ${k}`);
    }
  });

  it("have the law of explicit products of weights: bottlenecks, fewer units than outputs, equal, none left over", () => {
    for (const [width, outputs, wide] of [
      [5, 2],
      [3, 3],
      [2, 3],
      [1, 2],
      [4, 3, 2],
    ] as const) {
      const layers = [
        [0.9, 0.8],
        [1.1, 0],
        [-0.7, 1.2],
      ] as const;
      const chain = trunk(width, layers, 1.3, wide);
      const layout = chainLayout(chain, outputs);
      const statistics = (q: Matrix): number[] => {
        const shifted = identity(outputs);
        for (let i = 0; i < shifted.data.length; i++) shifted.data[i]! += q.data[i]!;
        return [
          Math.exp(-innerProduct(q, identity(outputs))),
          Math.exp(-q.data[1]!),
          Math.exp(-cholesky(shifted).logDeterminant),
          1 / (1 + q.data[0]!),
        ];
      };
      const n = 6000;
      const explicit = Array.from({ length: n }, () => {
        let a = wide === undefined ? draw(outputs, width, Math.sqrt(1.3 / width)) : draw(outputs, wide, Math.sqrt(1.3 / wide));
        if (wide !== undefined) a = multiply(a, draw(wide, width, Math.sqrt(0.7 / width)));
        for (const [skip, branch] of layers.toReversed()) {
          const moved = multiply(a, draw(width, width, branch / Math.sqrt(width)));
          a = { data: a.data.map((value, i) => skip * value + moved.data[i]!), shape: a.shape };
        }
        return statistics(gram(a));
      });
      const chained = Array.from({ length: n }, () => statistics(gram(sampleChainFactors(layout, random)[0]!.f)));
      const coordinates = new Float64Array(layout.dimension);
      const fromCoordinates = Array.from({ length: n }, () => {
        sampleCoordinates(layout, random, coordinates);
        return statistics(gram(chainFactors(layout, coordinatesToFactors(layout, coordinates).z)[0]!.f));
      });
      for (let s = 0; s < 4; s++) {
        const column = (rows: number[][]): number[] => rows.map((row) => row[s]!);
        expect(zScore(column(explicit), column(chained)), `N = ${width}, D = ${outputs}, statistic ${s}`).toBeLessThan(4);
        expect(zScore(column(explicit), column(fromCoordinates)), `coordinates, N = ${width}, D = ${outputs}, statistic ${s}`).toBeLessThan(
          4,
        );
      }
    }
  });

  it("over sites: moments against sampled chains and explicit heads", () => {
    const outputs = 2;
    const layout = chainLayout(attention, outputs);
    const exact = mixingMoments(attention, outputs);
    const n = 30_000;
    const d2 = 36;
    const sums = {
      chain: new Float64Array(d2),
      square: new Float64Array(d2),
      fourth: new Float64Array(d2),
      explicit: new Float64Array(d2),
    };
    for (let k = 0; k < n; k++) {
      const m = gram(sampleChainFactors(layout, random)[0]!.f);
      const a = draw(outputs, 4, Math.sqrt(1.2 / 4));
      const heads = [1, 2].map(() => multiply(a, draw(4, 4, Math.sqrt(0.9 / 8))));
      // rows (output, site): the skip first, then the heads
      const rows = zeros(6, 4);
      for (let o = 0; o < outputs; o++)
        for (let j = 0; j < 4; j++) {
          rows.data[o * 3 * 4 + j] = 0.8 * a.data[o * 4 + j]!;
          heads.forEach((head, h) => (rows.data[(o * 3 + h + 1) * 4 + j] = head.data[o * 4 + j]!));
        }
      const e = gram(rows);
      for (let i = 0; i < d2; i++) {
        const [x, y] = [m.data[i]! - exact.mean.data[i]!, e.data[i]! - exact.mean.data[i]!];
        sums.chain[i]! += x / n;
        sums.square[i]! += (x * x) / n;
        sums.fourth[i]! += x ** 4 / n;
        sums.explicit[i]! += (y * y) / n;
      }
    }
    for (let i = 0; i < d2; i++) {
      const variance = exact.covariance.data[i * d2 + i]!;
      const error = Math.sqrt((sums.fourth[i]! - variance ** 2) / n) + 1e-12;
      expect(Math.abs(sums.chain[i]!), `mean ${i}`).toBeLessThan(4.5 * Math.sqrt(variance / n) + 1e-12);
      expect(Math.abs(sums.square[i]! - variance), `variance ${i}`).toBeLessThan(4.5 * error);
      expect(Math.abs(sums.explicit[i]! - variance), `explicit ${i}`).toBeLessThan(4.5 * error);
    }
  });

  it("carry gradients back: single sites and several, compressed or not", () => {
    const cases: [WishartChain, number][] = [
      [
        trunk(
          5,
          [
            [0.9, 0.8],
            [1, 0],
            [1.1, 0.6],
          ],
          1.2,
        ),
        2,
      ],
      [
        trunk(
          2,
          [
            [0.9, 0.8],
            [-1.1, 0.6],
          ],
          1.2,
        ),
        3,
      ],
      [
        trunk(
          4,
          [
            [0.9, 0.8],
            [1.1, 0.6],
          ],
          1.2,
          2,
        ),
        3,
      ],
      [attention, 1],
      [{ ...attention, layers: attention.layers.map((layer) => ({ ...layer, width: 9 })) }, 2],
    ];
    for (const [k, [chain, outputs]] of cases.entries()) {
      const layout = chainLayout(chain, outputs);
      const x = new Float64Array(layout.dimension);
      sampleCoordinates(layout, random, x);
      const weights = layout.layers.map(({ rows }) => gram(draw(rows, rows + 1)));
      const loss = (at: Float64Array): number =>
        chainFactors(layout, coordinatesToFactors(layout, at).z).reduce((sum, { f }, l) => sum + innerProduct(gram(f), weights[l]!), 0);
      const coordinates = coordinatesToFactors(layout, x);
      const gradient = new Float64Array(layout.dimension);
      addCoordinateGradient(layout, coordinates, chainAdjoint(layout, chainFactors(layout, coordinates.z), weights), gradient);
      const size = Math.max(...gradient.map(Math.abs));
      for (let i = 0; i < x.length; i++) {
        const at = (h: number): number => loss(x.map((value, j) => (j === i ? value + h : value)));
        expectClose(gradient[i]!, (at(1e-5) - at(-1e-5)) / 2e-5, { absolute: 3e-8 * (1 + size) }, `case ${k}, coordinate ${i}`);
      }
    }
  });

  it("move mixing matrices down and gradients up by adjoint maps", () => {
    const layer = attention.layers[0]!;
    const [above, below] = [gram(draw(2, 3)), gram(draw(6, 7))];
    expect(innerProduct(pullBackMixing(layer, 2, above), below)).toBeCloseTo(innerProduct(above, pushForwardMixing(layer, 2, below)), 9);
  });

  it("are refused between different widths", () => {
    const chain = trunk(4, [[1, 1]], 1);
    expect(() => chainLayout({ ...chain, layers: [{ ...chain.layers[0]!, width: 3 }, chain.layers[1]!] }, 1)).toThrow(
      /chain.layers\[0\].width/,
    );
  });
});
