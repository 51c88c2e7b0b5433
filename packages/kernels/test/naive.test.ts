import { erf } from "@finitewidth/activations";
import type { Architecture, Matrix, Primitive, RandomLayer } from "@finitewidth/core";
import { symmetricSquareRoot } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  averageMap,
  composition,
  compositionKernels,
  compositionNetwork,
  drawKernels,
  fullKernels,
  identityMap,
  infiniteWidthKernels,
  outputKernel,
  siteMapOfRows,
  type UnitReading,
} from "../src/index.js";
import { meanProduct, naiveKernels, naiveNetwork, readBy, siteMean, sum, table, type Activity } from "./naive.ts";
import { architecture, exact, fields, law, layersOf, mixing, normal, phi, random, scores, size } from "./networks.ts";

describe("real networks against loops", () => {
  const every = layersOf({ ...scores, weights: law }, { weights: law });
  const inputs = normal(4, 6, 1);
  it("fields made of fields", () => {
    const network = compositionNetwork(architecture(fields), inputs, 2);
    const theta = stream(3).normals(new Float64Array(network.parameters));
    const found = naiveNetwork(fields, size, inputs, 2, theta, erf.value);
    const state = network.forward(theta);
    expectClose(state.outputs, found.outputs, exact);
    const gradient = new Float64Array(network.parameters);
    network.pullback(theta, state, { data: new Float64Array(8).fill(1), shape: [4, 2] }, gradient);
    const loss = (at: Float64Array): number =>
      naiveNetwork(fields, size, inputs, 2, at, erf.value)
        .outputs.flat()
        .reduce((a, b) => a + b);
    expectClose(gradient, differences(loss, theta, network.parameters), { relative: 1e-6, absolute: 1e-7 });
  });
  it("refuse readouts that are none", () => {
    const of = (layers: Primitive[]) => () => compositionNetwork(architecture(layers), inputs, 1);
    const first = random(4, 1, 0, [mixing]);
    for (const last of [phi, random(undefined, 1, 0, [mixing], { weights: law }), random(undefined, 1, 0, [], scores)])
      expect(of([first, last])).toThrow("the readout of a real network must be a dense layer of Gaussian weights");
    expect(of([first, random(undefined, 1, 0, [mixing])])).toThrow("network.layers: expected one site at the readout, got 3");
    expect(() => compositionNetwork(architecture(every), normal(4, 5, 1), 1)).toThrow(/2 channels × 3 sites = 6 features per row/);
    const network = compositionNetwork(architecture(every), inputs, 1);
    expect(() => network.forward(new Float64Array(3))).toThrow(`theta: expected ${network.parameters} numbers, got 3`);
  });
  const layers = every;
  for (const unpooled of [false, true]) {
    it(`outputs, features, hidden kernels and gradients of every layer${unpooled ? ", kernels of what is pooled" : ""}`, () => {
      const network = compositionNetwork(architecture(layers), inputs, 2, { unpooled });
      const naive = (at: Float64Array) => naiveNetwork(layers, size, inputs, 2, at, erf.value);
      const cotangent = normal(4, 2, 3);
      // the second run must not remember the first
      for (const seed of [2, 5]) {
        const theta = stream(seed).normals(new Float64Array(network.parameters));
        const state = network.forward(theta);
        const found = naive(theta);
        expectClose(state.outputs, found.outputs, exact, "outputs");
        const readings = found.readings.slice(1);
        // what the layer above the pooling reads is taken before it is pooled where that is asked for
        const before = [...layers.slice(0, 3), random(1, 1, 0, [identityMap(3)])];
        if (unpooled) readings[1] = naiveNetwork(before, size, inputs, 1, theta, erf.value).readings.at(-1)!;
        state.hiddenKernels().forEach((kernel, l) => expectClose(kernel, meanProduct(readings[l]!), exact, `hidden kernel ${l}`));
        expect(state.hiddenKernels()).toHaveLength(readings.length);
        const start = network.offsets.at(-1)!;
        expect(network.parameters - network.readoutParameters).toBe(start);
        const F = state.features.shape[1];
        const fromFeatures = [0, 1, 2, 3].map((p) =>
          [0, 1].map((a) =>
            Array.from({ length: F }, (_, k) => state.features.data[p * F + k]! * theta[start + a * F + k]!).reduce(
              (total, value) => total + value,
              0.5 * theta[start + 2 * F + a]!,
            ),
          ),
        );
        expectClose(fromFeatures, found.outputs, exact, "features");
        if (unpooled || seed === 2) continue;
        const gradient = new Float64Array(network.parameters).fill(9);
        network.pullback(theta, state, cotangent, gradient);
        const loss = (at: Float64Array): number =>
          naive(at)
            .outputs.flat()
            .reduce((total, f, k) => total + f * cotangent.data[k]!, 0);
        expectClose(gradient, differences(loss, theta, network.parameters), { relative: 1e-6, absolute: 1e-7 }, "gradient");
        const onFeatures = normal(4, F, 4);
        const hidden = new Float64Array(network.parameters);
        network.pullbackFeatures(theta, network.forward(theta), onFeatures, hidden);
        const featureLoss = (at: Float64Array): number =>
          network.forward(at).features.data.reduce((total, f, k) => total + f * onFeatures.data[k]!, 0);
        expectClose(hidden.subarray(0, start), differences(featureLoss, theta, start), { relative: 1e-6, absolute: 1e-7 }, "features");
      }
    });
  }
});

describe("infinite-width kernels against loops", () => {
  const layers = layersOf(scores);
  const net = architecture(layers);
  // more than 256 pairs of points: whole blocks
  const [P, others] = [18, 16];
  const both = normal(P + others, 6, 11);
  const inputs: Matrix = { data: both.data.slice(0, P * 6), shape: [P, 6] };
  const right: Matrix = { data: both.data.slice(P * 6), shape: [others, 6] };
  const { S, Q } = naiveKernels(layers, size, both);
  const means = (kernels: number[][][]): number[][][] => kernels.map((kernel) => siteMean(kernel, P + others));
  const [preactivation, hidden] = [means(S), means(Q.slice(1))];
  const cut = (k: number[][], rows: readonly [number, number], columns: readonly [number, number]): number[][] =>
    k.slice(...rows).map((row) => row.slice(...columns));

  for (const count of [3, P]) {
    const few = (m: Matrix, n: number): Matrix => ({ data: m.data.slice(0, n * 6), shape: [n, 6] });
    it(`${count} points, with themselves and with others`, () => {
      const own = infiniteWidthKernels(net, few(inputs, count));
      const cross = infiniteWidthKernels(net, few(inputs, count), few(right, count - 2));
      for (const [name, expected] of Object.entries({ preactivation, hidden }) as ["preactivation" | "hidden", number[][][]][]) {
        expect(own[name]).toHaveLength(expected.length);
        expected.forEach((kernel, l) => {
          expectClose(own[name][l]!, cut(kernel, [0, count], [0, count]), exact, `${name} ${l}`);
          expectClose(cross[name][l]!, cut(kernel, [0, count], [P, P + count - 2]), exact, `cross ${name} ${l}`);
        });
      }
      const diagonal = Array.from({ length: count - 2 }, (_, i) => preactivation.at(-1)![P + i]![P + i]!);
      expectClose(cross.othersDiagonal!, diagonal, exact);
      expect(own.othersDiagonal).toBeUndefined();
      const top = outputKernel(net, few(inputs, count), few(right, count - 2));
      expectClose(top.kernel, cut(preactivation.at(-1)!, [0, count], [P, P + count - 2]), exact);
      expectClose(top.othersDiagonal!, diagonal, exact);
    });
  }

  it("of fields made of fields, at the pairs of sites that outputs need and over all of them", () => {
    const some: Matrix = { data: both.data.slice(0, 7 * 6), shape: [7, 6] };
    const of = (from: number, to: number): Matrix => ({ data: both.data.slice(from * 6, to * 6), shape: [to - from, 6] });
    const own = naiveKernels(fields, size, some);
    const full = fullKernels(composition(architecture(fields)), some);
    full.layers.forEach((kernel, v) => expectClose(kernel, own.S[v]!, exact, `S ${v}`));
    composition(architecture(fields)).layers.forEach(({ reading }, v) => expectClose(full.second(reading), own.Q[v]!, exact, `Q ${v}`));
    const cross = infiniteWidthKernels(architecture(fields), of(0, 4), of(4, 7));
    own.S.forEach((kernel, v) => expectClose(cross.preactivation[v]!, cut(siteMean(kernel, 7), [0, 4], [4, 7]), exact, `K ${v}`));
    own.Q.slice(1).forEach((kernel, v) => expectClose(cross.hidden[v]!, cut(siteMean(kernel, 7), [0, 4], [4, 7]), exact, `G ${v}`));
  });

  it("over all sites: layers, norms, attention and second moments", () => {
    const some = normal(3, 6, 12);
    const own = naiveKernels(layers, size, some);
    const graph = composition(net);
    const full = fullKernels(graph, some);
    full.layers.forEach((kernel, v) => expectClose(kernel, own.S[v]!, exact, `S ${v}`));
    graph.layers.forEach(({ reading }, v) => expectClose(full.second(reading), own.Q[v]!, exact, `Q ${v}`));
    const normed = graph.norms[1]!.field;
    expectClose(
      full.norms[1]!,
      own.S[2]!.map((row, i) => row[i]!),
      exact,
    );
    expectClose(
      full.scales[1]!,
      own.S[2]!.map((row, i) => 1 / Math.sqrt(row[i]! + 0.05)),
      exact,
    );
    expectClose(full.between(normed, normed), own.S[2]!, exact);
    // softmax of 0.9 Q at the last point
    const omega = full.attention.get(2)!;
    expect(omega.shape).toEqual([6, 2]);
    const last = own.Q[2]!.slice(4).map((row) => row.slice(4).map((q) => Math.exp(0.9 * q)));
    expectClose(
      omega.data.slice(8),
      last.map(([a, b]) => [a! / (a! + b!), b! / (a! + b!)]),
      exact,
    );
    const [below, above] = [graph.layers[1]!, graph.layers[2]!].map(({ reading }) => (reading as UnitReading).field);
    // K of a sum with the units that it adds to: coefficients of these, norm included
    const scale = own.S[0]!.map((row, i) => 0.7 + 1.2 / Math.sqrt(row[i]! + 0.2));
    const expected = own.S[0]!.map((row, i) => row.map((value) => scale[i]! * value));
    expectClose(full.between(above!, below!), expected, exact);
    expectClose(full.between(below!, above!), expected[0]!.map((_, j) => expected.map((row) => row[j]!)), exact); // prettier-ignore
  });

  it("points with themselves are computed block by block too", () => {
    // 400² pairs of sites of three quantities: 34 points fill a block
    const [sites, n] = [400, 40];
    const layers = [sites, sites].map((count) => random(2, 1.2, 0.1, [identityMap(count)]));
    const pooled = [{ kind: "site-map", map: averageMap(sites) } as const, random(undefined, 1.5, 0.2, [identityMap(1)])];
    const wide = composition({ input: { channels: 1, sites }, layers: [...layers, ...pooled] });
    const many = normal(n, sites, 15);
    const rows = (from: number, to: number): Matrix => ({ data: many.data.slice(from * sites, to * sites), shape: [to - from, sites] });
    const { othersDiagonal } = compositionKernels(wide, rows(0, 1), many);
    for (const [from, to] of [
      [0, 2],
      [33, 36],
      [38, 40],
    ] as const)
      // prettier-ignore
      expectClose(othersDiagonal!.slice(from, to), compositionKernels(wide, rows(0, 1), rows(from, to)).othersDiagonal!, exact);
  });

  it("many sites of many points are computed block by block", () => {
    // 30² pairs of sites of five quantities: blocks of 61 × 61 pairs of points
    const sites = 30;
    const far: Architecture = {
      input: { channels: 1, sites },
      layers: [
        random(2, 1.2, 0, [identityMap(sites)]),
        phi,
        random(2, 2, 0.1, [identityMap(sites)]),
        { kind: "site-map", map: averageMap(sites) },
        random(undefined, 1.5, 0.2, [identityMap(1)]),
      ],
    };
    const n = 66;
    const many = normal(n, sites, 14);
    const found = compositionKernels(composition(far), many);
    const picked = [0, 60, 61, 65];
    const rows: Matrix = {
      data: Float64Array.from(picked.flatMap((i) => Array.from(many.data.subarray(i * sites, (i + 1) * sites)))),
      shape: [4, sites],
    };
    const few = compositionKernels(composition(far), rows);
    const twice = compositionKernels(composition(far), many, rows);
    for (const name of ["preactivation", "hidden"] as const) {
      few[name].forEach((kernel, l) => {
        const at = (k: Matrix, i: number, j: number): number => k.data[i * k.shape[1] + j]!;
        picked.forEach((i, a) =>
          picked.forEach((j, b) => {
            expectClose([at(found[name][l]!, i, j), at(twice[name][l]!, i, b)], [at(kernel, a, b), at(kernel, a, b)], exact);
          }),
        );
      });
    }
  });
});

describe("networks drawn without weights", () => {
  const other = layersOf({ maps: [siteMapOfRows(2, [[[0, 0.9], [1, 0.4]], [[1, 1.2]]])] }); // prettier-ignore
  const inputs = normal(3, 6, 21);

  it.each([
    ["every primitive", other],
    ["fields made of fields", fields],
  ] as const)("kernels given the units, units from the square root of their kernel, one draw for all that read them: %s", (_, layers) => {
    const found = drawKernels(composition(architecture(layers)), inputs, stream(5));
    const numbers = stream(5);
    let v = 0;
    const draw = ({ maps, width, weightVariance, biasVariance }: RandomLayer, z: Activity): Activity => {
      const read = readBy(z, maps).map((part) => part.flat());
      const [n, N] = [read[0]!.length, z[0]![0]!.length];
      const kernel = table(
        n,
        n,
        (i, j) =>
          biasVariance + (weightVariance / (N * maps.length)) * sum(maps.length, (k) => sum(N, (c) => read[k]![i]![c]! * read[k]![j]![c]!)),
      );
      const own = found[v++]!;
      expectClose(own, kernel, exact, `layer ${v - 1}`);
      if (width === undefined) return z;
      const normals = numbers.normals(new Float64Array(n * width));
      const root = symmetricSquareRoot(own).data;
      const units = table(n, width, (i, c) => sum(n, (m) => root[i * n + m]! * normals[m * width + c]!));
      return z.map((_point, p) => units.slice((p * n) / z.length, ((p + 1) * n) / z.length));
    };
    naiveNetwork(layers, size, inputs, 1, new Float64Array(), erf.value, draw);
    expect(found).toHaveLength(v);
  });
});

function differences(loss: (at: Float64Array) => number, theta: Float64Array, count: number): Float64Array {
  const h = 1e-5;
  return Float64Array.from({ length: count }, (_, i) => {
    const at = (step: number): number => loss(theta.map((value, k) => (k === i ? value + step : value)));
    return (at(h) - at(-h)) / (2 * h);
  });
}
