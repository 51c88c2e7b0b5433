import { erf, identity, relu } from "@finitewidth/activations";
import type { Architecture, Matrix, MixingLaw, Primitive, RandomLayer } from "@finitewidth/core";
import { identity as eye, multiplyTransposedLeft } from "@finitewidth/linalg";
import { expandSites, mixingMoments, type SiteGeometry } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  averageMap,
  compositionMixing,
  convolutionChain,
  convolutionGeometry,
  denseChain,
  filterMaps,
  flatteningMaps,
  infiniteWidthKernels,
  mixingLaw,
  realise,
  siteBlocks,
  siteSubspaces,
} from "../src/index.js";
import { orthonormalBasis } from "../src/convolution/site-subspaces.js";
import { geometry, naiveKernels, naiveNetwork, siteMean, sum, table } from "./naive.ts";

const [channels, space] = [2, [3, 6]] as const;
const size = [channels, 18] as const;
const tables = convolutionGeometry({
  inputShape: [channels, ...space],
  layers: [geometry([2, 3], [1, 2], [1, 0]), geometry([2, 1], [2, 1], "zero")],
}).layers;
const filter = (l: number, width: number, weightVariance: number, biasVariance: number): RandomLayer => ({
  kind: "random",
  width,
  weightVariance,
  biasVariance,
  maps: filterMaps(tables[l]!),
});
type Readout = "flatten" | "global-average";
/** Two layers of filters, or the first alone. */
function network(readout: Readout, activation: typeof erf, biased: boolean, depth = 2): Architecture {
  const phi: Primitive[] = activation === identity ? [] : [{ kind: "pointwise", activation }];
  const sites = tables[depth - 1]!.outputSites;
  const [a, b, c] = biased ? [0.3, 0.2, 0.4] : [0, 0, 0];
  const layers: Primitive[] = [filter(0, 3, 1.3, a!), ...phi, ...(depth === 2 ? [filter(1, 4, 0.8, b!), ...phi] : [])];
  if (readout === "global-average") layers.push({ kind: "site-map", map: averageMap(sites) });
  const maps = readout === "flatten" ? flatteningMaps(sites) : [{ inputSites: 1, outputSites: 1, sources: Int32Array.of(0) }];
  layers.push({ kind: "random", weightVariance: 1.7, biasVariance: c!, maps });
  return { input: { channels, sites: 18 }, layers };
}
const P = 3;
const all: Matrix = normalMatrix(stream(31), 5, 36);
const [inputs, others]: [Matrix, Matrix] = [
  { data: all.data.slice(0, P * 36), shape: [P, 36] },
  { data: all.data.slice(P * 36), shape: [2, 36] },
];
const cut = (k: number[][], columns: readonly [number, number]): number[][] => k.slice(0, P).map((row) => row.slice(...columns));
const exact = { relative: 1e-12, absolute: 1e-13 };
const readouts: readonly Readout[] = ["flatten", "global-average"];

describe("convolutional networks against loops over sites", () => {
  for (const readout of readouts) {
    it.each([
      ["erf", erf],
      ["linear", identity],
    ] as const)(`kernels of every layer, ${readout}, %s`, (_, activation) => {
      for (const biased of [true, false]) {
        const net = network(readout, activation, biased);
        expect(convolutionChain(net)!.readout).toBe(readout);
        const { S, Q } = naiveKernels(net.layers, size, all);
        const expected = S.map((kernel) => siteMean(kernel, 5));
        // hidden kernels are those of the filters' sites, before they are pooled
        const unpooled = net.layers.filter(({ kind }) => kind !== "site-map");
        const before =
          readout === "flatten"
            ? Q
            : naiveKernels(
                [
                  ...unpooled.slice(0, -1),
                  { ...filter(0, 1, 1, 0), maps: [{ inputSites: 4, outputSites: 4, sources: Int32Array.of(0, 1, 2, 3) }] },
                ],
                size,
                all,
              ).Q;
        const hidden = before.slice(1).map((kernel) => siteMean(kernel, 5));
        const [own, cross] = [infiniteWidthKernels(net, inputs), infiniteWidthKernels(net, inputs, others)];
        expect([own.preactivation.length, own.hidden.length]).toEqual([3, 2]);
        const linear = activation === identity;
        expected.forEach((kernel, l) => {
          // a linear network's kernels of hidden layers are those of their units, which are what is read
          const wanted = linear && l < 2 ? hidden[l]! : kernel;
          expectClose(own.preactivation[l]!, cut(wanted, [0, P]), exact, `K${l + 1}`);
          expectClose(cross.preactivation[l]!, cut(wanted, [P, 5]), exact, `cross K${l + 1}`);
        });
        hidden.forEach((kernel, l) => {
          expectClose(own.hidden[l]!, cut(kernel, [0, P]), exact, `G${l + 1}`);
          expectClose(cross.hidden[l]!, cut(kernel, [P, 5]), exact, `cross G${l + 1}`);
        });
        expectClose(cross.othersDiagonal!, [expected[2]![3]![3]!, expected[2]![4]![4]!], exact);
        expect(own).not.toHaveProperty("othersDiagonal");
      }
    });

    it(`the law of the mixing matrix, ${readout}: covariance, kernels between sites and mean, biases included`, () => {
      for (const biased of [true, false]) {
        const net = network(readout, identity, biased);
        const { S } = naiveKernels(net.layers, size, all);
        for (const law of [mixingLaw(net), compositionMixing(net)] as (MixingLaw & SiteGeometry)[]) {
          const [outputs, sites] = [2, law.sites];
          const value = law.sample(outputs, stream(7));
          expect(value.shape).toEqual([outputs * sites, outputs * sites]);
          const basis = law.siteBases![0]!;
          expectClose(multiplyTransposedLeft(basis, basis), eye(sites), { absolute: 1e-12 });
          const whole = expandSites(basis, value);
          const n = basis.shape[0];
          const K = (p: number, i: number, q: number, j: number): number => S[0]![p * n + i]![q * n + j]!;
          const covariance = table(outputs * P, outputs * 2, (r, c) => {
            const [a, p, b, q] = [Math.floor(r / P), r % P, Math.floor(c / 2), P + (c % 2)];
            return sum(n, (i) => sum(n, (j) => whole.data[(a * n + i) * outputs * n + b * n + j]! * K(p, i, q, j)));
          });
          expectClose(law.covariance(outputs, value, inputs, others), covariance, { relative: 1e-11, absolute: 1e-12 });
          law.siteKernels(inputs, others).forEach((kernel, rs) => {
            const [r, s] = [Math.floor(rs / sites), rs % sites];
            const reduced = table(P, 2, (p, q) =>
              sum(n, (i) => sum(n, (j) => basis.data[i * sites + r]! * basis.data[j * sites + s]! * K(p, i, P + q, j))),
            );
            expectClose(kernel, reduced, { relative: 1e-11, absolute: 1e-12 }, `sites ${r}, ${s}`);
          });
          expectClose(law.siteKernels(inputs)[1 % sites ** 2]!, law.siteKernels(inputs, inputs)[1 % sites ** 2]!, exact);
          const { mean, biasMean } = mixingMoments(law.chain, 1);
          const top = law.covariance(1, mean, inputs).data.map((value) => value + biasMean.data[0]!);
          expectClose(top, cut(S.at(-1)!, [0, P]), { relative: 1e-11, absolute: 1e-12 });
          expect(() => law.covariance(1, value, inputs)).toThrow(/^value: expected .*outputs × sites/);
          expect(() => law.covariance(2, value, others.shape[0] === 2 ? { data: new Float64Array(4), shape: [2, 2] } : others)).toThrow(
            /36 features/,
          );
        }
      }
    });

    it(`blocks between sites, ${readout}: one hidden layer, means and the others with themselves`, () => {
      const net = network(readout, relu, true, 1);
      const { S, Q } = naiveKernels(network("flatten", relu, true, 1).layers, size, all, relu.moments.kernel);
      const n = tables[0]!.outputSites;
      const pooled = readout === "global-average";
      const sites = pooled ? 1 : n;
      const block = (i: number, j: number, p: number, q: number): number =>
        pooled ? (1.7 / n ** 2) * sum(n, (a) => sum(n, (b) => Q[1]![p * n + a]![q * n + b]!)) : (1.7 / n) * Q[1]![p * n + i]![q * n + j]!;
      const mean = (i: number, p: number): number => {
        const at = (a: number): number => Math.sqrt(S[0]![p * n + a]![p * n + a]! / (2 * Math.PI));
        return pooled ? (Math.sqrt(1.7) / n) * sum(n, at) : Math.sqrt(1.7 / n) * at(i);
      };
      const [own, cross] = [siteBlocks(net)!(inputs), siteBlocks(net)!(inputs, others)];
      expect([own.sites, own.blocks.length, cross.blocks.length]).toEqual([sites, sites ** 2, sites ** 2]);
      for (const ij of [0, sites ** 2 - 1, Math.min(1, sites ** 2 - 1)]) {
        const [i, j] = [Math.floor(ij / sites), ij % sites];
        // kernels of relu at equal sites of equal points are known to rounding of arcs only
        expectClose(own.blocks[ij]!, table(P, P, (p, q) => block(i, j, p, q)), { relative: 1e-7 }); // prettier-ignore
        expectClose(cross.blocks[ij]!, table(P, 2, (p, q) => block(i, j, p, P + q)), { relative: 1e-11 }); // prettier-ignore
      }
      expectClose(own.means!, table(sites, P, (i, p) => mean(i, p)), exact); // prettier-ignore
      expectClose(cross.means!, table(sites, 2, (i, q) => mean(i, P + q)), exact); // prettier-ignore
      expectClose(
        cross.own!,
        table(2, sites ** 2, (q, ij) => block(Math.floor(ij / sites), ij % sites, P + q, P + q)),
        { relative: 1e-7 },
      );
      expect(siteBlocks(network(readout, relu, true))).toBeUndefined();
    });

    it(`real networks, ${readout}`, () => {
      const net = network(readout, erf, true);
      const real = realise(net, inputs, 2);
      const theta = stream(9).normals(new Float64Array(real.parameters));
      expectClose(real.forward(theta).outputs, naiveNetwork(net.layers, size, inputs, 2, theta, erf.value).outputs, exact);
    });
  }

  it("a step between single directions of the sites keeps the squares of its taps: one pixel, seen by every filter", () => {
    const filters = geometry([3], [1], [2]);
    const own = convolutionGeometry({ inputShape: [channels, 1], layers: [filters, filters] }).layers;
    expect(own.map(({ outputSites }) => outputSites)).toEqual([3, 5]);
    const layers: Primitive[] = [
      { ...filter(0, 3, 1.3, 0), maps: filterMaps(own[0]!) },
      { ...filter(0, 4, 0.8, 0), maps: filterMaps(own[1]!) },
      { kind: "site-map", map: averageMap(5) },
      { kind: "random", weightVariance: 1.7, biasVariance: 0, maps: [{ inputSites: 1, outputSites: 1, sources: Int32Array.of(0) }] },
    ];
    const pixels: Matrix = { data: all.data.slice(0, 2 * P), shape: [P, channels] };
    const expected = naiveKernels(layers, [channels, 1], pixels).S.at(-1)!;
    for (const law of [mixingLaw, compositionMixing].map((of) => of({ input: { channels, sites: 1 }, layers })!)) {
      expect(law.sites).toBe(1);
      expectClose(law.covariance(1, mixingMoments(law.chain, 1).mean, pixels), expected, exact);
    }
  });

  it("sites that only padding reaches, or that nothing reads, have no part in the law", () => {
    const found = siteSubspaces({ channels: 1, inputSites: 18, layers: tables }, "flatten");
    // 2 × 2 outputs of a filter of two rows by one: it reads all four rows of the layer below
    expect(found.bases.map(({ shape }) => shape)).toEqual([
      [8, 8],
      [4, 4],
    ]);
    const pooled = siteSubspaces({ channels: 1, inputSites: 18, layers: tables }, "global-average");
    expect(pooled.bases[1]!.shape).toEqual([4, 1]);
    expect([...pooled.bases[1]!.data]).toEqual([0.5, 0.5, 0.5, 0.5]);
    const live = [Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 0), Uint8Array.of(1, 0, 1, 1)];
    expect(siteSubspaces({ channels: 1, inputSites: 18, layers: tables }, "flatten", live).bases.map(({ shape }) => shape)).toEqual([
      [8, 4],
      [4, 3],
    ]);
    // one direction twice and a combination of two others
    const columns: Matrix = { data: Float64Array.of(1, 2, 0, 1, 1, 2, 1, 2, 0, 0, 1, 1, 0, 0, 0, 0), shape: [4, 4] };
    const basis = orthonormalBasis([columns]);
    expect(basis.shape).toEqual([4, 2]);
    expectClose(multiplyTransposedLeft(basis, basis), eye(2), { absolute: 1e-14 });
    expect(orthonormalBasis([{ data: Float64Array.of(0, 0, 3, 0, 0, -2, 0, 0), shape: [4, 2] }])).toEqual({
      data: Float64Array.of(0, 0, 1, 0, 0, 1, 0, 0),
      shape: [4, 2],
    });
  });

  it("chains are known by their layers: what is none goes another way", () => {
    const of = (layers: readonly Primitive[], sites = 18): Architecture => ({ input: { channels, sites }, layers });
    const net = network("flatten", erf, true);
    const [first, phi, second, other, top] = net.layers as [RandomLayer, Primitive, RandomLayer, Primitive, RandomLayer];
    expect(convolutionChain(net)).toMatchObject({
      channels: [3, 4],
      readout: "flatten",
      weightVariance: [1.3, 0.8, 1.7],
      biasVariance: [0.3, 0.2, 0.4],
      activation: erf,
    });
    expect(denseChain(net)).toBeUndefined();
    const none: Primitive[][] = [
      [first, phi, second, { kind: "pointwise", activation: relu }, top],
      [first, second, other, top],
      [first, phi, phi, second, other, top],
      [first, phi, { ...second, weights: { value: (x) => x, derivative: () => 1 } }, other, top],
      [first, phi, { kind: "normalise", epsilon: 0 }, second, other, top],
      [first, phi, second, other, { ...top, maps: top.maps.toReversed() }],
      [first, phi, second, other, { ...top, maps: top.maps.slice(1) }],
      [
        { ...first, maps: first.maps.map((map) => ({ ...map, weights: new Float64Array(map.sources.length).fill(1) })) },
        phi,
        second,
        other,
        top,
      ],
    ];
    for (const layers of none) expect(convolutionChain(of(layers))).toBeUndefined();
    const half = { ...averageMap(4), weights: new Float64Array(4).fill(0.2) };
    expect(
      convolutionChain(
        of([...net.layers.slice(0, 4), { kind: "site-map", map: half }, network("global-average", erf, true).layers.at(-1)!]),
      ),
    ).toBeUndefined();
    const one = { inputSites: 1, outputSites: 1, sources: Int32Array.of(0) };
    const dense: Primitive[] = [{ ...first, maps: [one] }, phi, { ...top, maps: [one] }];
    expect(denseChain(of(dense, 1))).toMatchObject({ widths: [3], weightVariance: [1.3, 1.7], biasVariance: [0.3, 0.4], activation: erf });
    expect([
      convolutionChain(of(dense, 1)),
      denseChain(of(dense.slice(0, 2), 1)),
      denseChain(of([dense[0]!, dense[2]!], 1))!.activation,
    ]).toEqual([undefined, undefined, identity]);
  });
});
