import { erf, identity, relu } from "@finitewidth/activations";
import { matrixFromRows, type Architecture, type Matrix, type Primitive, type RandomLayer } from "@finitewidth/core";
import { innerProduct, multiply, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { mixingMoments } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  applyMap,
  applyTransposed,
  averageMap,
  composeMaps,
  composition,
  compositionMixing,
  everywhere,
  flatteningMaps,
  fullKernels,
  identityMap,
  isIdentityMap,
  lift,
  linearSteps,
  sandwich,
  siteMapOfRows,
  type PointMap,
  type UnitReading,
} from "../src/index.js";
import { naiveKernels, siteMean } from "./naive.ts";

const dense = (width?: number, sites = 1): RandomLayer => ({
  kind: "random",
  ...(width ? { width } : {}),
  weightVariance: 1.3,
  biasVariance: 0.1,
  maps: [identityMap(sites)],
});
const phi = (activation = relu): Primitive => ({ kind: "pointwise", activation });
const norm: Primitive = { kind: "normalise", epsilon: 0.2 };
const merge = (branches: Primitive[][], coefficients: number[]): Primitive => ({ kind: "merge", branches, coefficients });
const network = (layers: Primitive[], sites = 1): Architecture => ({ input: { channels: 2, sites }, layers });
const exact = { relative: 1e-13, absolute: 1e-14 };
const random = (rows: number, columns: number, seed = 1): Matrix => normalMatrix(stream(seed), rows, columns);
const pooling = siteMapOfRows(3, [
  [
    [0, 0.5],
    [1, 0.5],
  ],
  [
    [1, 0.5],
    [2, 0.5],
  ],
]);

describe("maps between sites", () => {
  it("compose like matrices", () => {
    const x = random(6, 4);
    const after = averageMap(2);
    const both = composeMaps(after, pooling);
    expectClose(applyMap(everywhere(both), x), applyMap(everywhere(after), applyMap(everywhere(pooling), x)), exact);
    expect([...both.sources]).toEqual([0, 1, 2]);
    expect([...both.weights!]).toEqual([0.25, 0.5, 0.25]);
  });

  it("zeros outside stay zeros", () => {
    const shifted = { inputSites: 3, outputSites: 3, sources: Int32Array.of(-1, 0, 1) };
    expectClose(applyMap({ ...composeMaps(shifted, shifted), perPoint: false }, matrixFromRows([[1], [2], [3]])), [0, 0, 1], exact);
    expect(isIdentityMap(shifted)).toBe(false);
    expect(isIdentityMap({ ...identityMap(3), weights: Float64Array.of(1, 1, 1) })).toBe(true);
  });

  it("the transposed map is the adjoint", () => {
    const map = { ...pooling, perPoint: true, weights: random(2, 4, 5).data };
    const [x, y] = [random(6, 3), random(4, 3, 2)];
    expect(innerProduct(applyMap(map, x), y)).toBeCloseTo(innerProduct(x, applyTransposed(map, y)), 12);
  });
});

describe("a list of layers as streams", () => {
  it("a residual reads the units that it adds to: one stream", () => {
    const { layers, streams, statistics } = composition(network([dense(5), merge([[], [phi(), dense(5)]], [1, 0.5]), phi(erf), dense()]));
    expect(layers.map(({ stream: of }) => of)).toEqual([0, 0, -1]);
    expect(streams).toEqual([{ width: 5 }]);
    expect(statistics).toEqual([0, 1, 2].map((index) => ({ kind: "layer", index })));
    const [, second, readout] = layers;
    expect(second!.reading).toMatchObject({ kind: "units", stream: 0, activation: relu, field: { kind: "units", layer: 0 } });
    expect(readout!.reading).toMatchObject({ kind: "units", stream: 0, activation: erf, field: { kind: "sum", coefficients: [1, 0.5] } });
  });

  it("layers one above the other have streams of their own, branches document order", () => {
    const branch = (width: number): Primitive[] => [phi(), dense(width)];
    const { layers, streams } = composition(network([dense(3), ...branch(4), merge([branch(6), [norm, ...branch(6)]], [1, 1]), dense()]));
    expect(layers.map(({ stream: of }) => of)).toEqual([0, 1, 2, 2, -1]);
    expect(streams.map(({ width }) => width)).toEqual([3, 4, 6]);
  });

  it("pooling above an activation is Π, below it part of A", () => {
    const { layers } = composition(
      network(
        [dense(4, 3), phi(), { kind: "site-map", map: pooling }, dense(4, 2), { kind: "site-map", map: averageMap(2) }, phi(), dense()],
        3,
      ),
    );
    expect(layers[1]!.reading).toMatchObject({ map: pooling, sites: 2, field: { kind: "units", sites: 3 } });
    expect(layers[2]!.reading).toMatchObject({ sites: 1, field: { kind: "mapped", sites: 1, below: { kind: "units", layer: 1 } } });
    expect((layers[2]!.reading as UnitReading).map).toBeUndefined();
  });

  it("what does not fit together is refused", () => {
    const refuse = (layers: Primitive[], message: RegExp): void => expect(() => composition(network(layers))).toThrow(message);
    refuse([dense(3), phi(), phi(), dense()], /an activation on units that are Gaussian/);
    refuse([phi(), dense()], /an activation on units that are Gaussian/);
    refuse([dense(3), phi(), norm, dense()], /a normalisation on units that are Gaussian/);
    refuse([merge([[], [dense(2)]], [1, 1]), dense()], /a sum on units that are Gaussian/);
    refuse([dense(3), merge([[], [dense(4)]], [1, 1]), dense()], /branches with as many units and sites/);
    refuse([dense(3), merge([[]], [1, 1]), dense()], /one coefficient for each branch/);
    refuse([dense(3), { kind: "site-map", map: pooling }, dense()], /a map of 1 sites/);
    refuse([dense(3), { ...dense(3), maps: [identityMap(2)] }, dense()], /maps of 1 sites/);
    refuse([dense(3)], /a layer of weights without a width/);
    refuse([dense(3), { ...dense(), maps: [{ inputSites: 1, outputSites: 2, sources: Int32Array.of(0, 0) }] }], /over one site at the end/);
    const law = { value: (x: number) => x, derivative: () => 1 };
    refuse([{ ...dense(3), weights: law }, dense()], /weights that are not Gaussian on the inputs/);
  });
});

describe("kernels over all sites", () => {
  const x = random(2, 6, 9);
  const layers: Primitive[] = [
    dense(4, 3),
    merge([[], [norm], [phi(), dense(4, 3)]], [0.7, -0.4, 1.2]),
    { kind: "site-map", map: pooling },
    phi(erf),
    { ...dense(), maps: flatteningMaps(2) },
  ];
  const graph = composition(network(layers, 3));
  const full = fullKernels(graph, x);

  it("a sum on one stream: every source by its own map", () => {
    const [first, second] = full.layers as [Matrix, Matrix];
    const { field } = graph.layers[2]!.reading as UnitReading;
    const T = matrixFromRows([
      [0.5, 0.5, 0, 0, 0, 0],
      [0, 0.5, 0.5, 0, 0, 0],
      [0, 0, 0, 0.5, 0.5, 0],
      [0, 0, 0, 0, 0.5, 0.5],
    ]);
    const scaled: Matrix = { data: new Float64Array(36), shape: [6, 6] };
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b < 6; b++) {
        const weight = (i: number): number => 0.7 - 0.4 / Math.sqrt(first.data[7 * i]! + 0.2);
        scaled.data[6 * a + b] = weight(a) * weight(b) * first.data[6 * a + b]! + 1.44 * second.data[6 * a + b]!;
      }
    }
    expectClose(full.between(field, field), multiplyTransposedRight(multiply(T, scaled), T), exact);
    expectClose(
      full.norms[0]!,
      [0, 1, 2, 3, 4, 5].map((i) => first.data[7 * i]!),
      exact,
    );
  });

  it("fields with nothing in common are independent", () => {
    const [first, second] = [graph.layers[1]!.reading as UnitReading, graph.layers[2]!.reading as UnitReading];
    expect(full.between(first.field, first.field)).toEqual(full.layers[0]);
    expect(full.between(first.field, second.field).shape).toEqual([6, 4]);
    const apart = composition(network([dense(3), phi(), dense(3), phi(), dense()]));
    const [below, above] = apart.layers.slice(1).map(({ reading }) => (reading as UnitReading).field);
    expect(
      fullKernels(apart, random(2, 2))
        .between(below!, above!)
        .data.every((value) => value === 0),
    ).toBe(true);
  });

  it("lift and sandwich have the adjoints of their maps", () => {
    const adjoint = (map: PointMap, b: Matrix): Matrix => transpose(applyTransposed(map, transpose(applyTransposed(map, b))));
    const layer = graph.layers[2]!;
    const [X, B] = [random(4, 4, 3), random(2, 2, 4)];
    const pulled = layer.random.maps.reduce((sum, map) => sum + innerProduct(X, adjoint(everywhere(map), B)), 0);
    expect(innerProduct(lift(layer, X), B)).toBeCloseTo(layer.coefficient * pulled, 12);
    const { field } = layer.reading as UnitReading;
    for (const map of full.maps(field).values()) {
      const [Y, C] = [random(6, 6, 5), random(4, 4, 6)];
      expect(innerProduct(sandwich(map, Y), C)).toBeCloseTo(innerProduct(Y, adjoint(map, C)), 12);
    }
  });
});

describe("linear networks as steps", () => {
  const mixing = siteMapOfRows(3, [
    [
      [0, 0.8],
      [2, -0.3],
    ],
    [[1, 1.1]],
    [
      [0, 0.4],
      [1, 0.2],
    ],
  ]);
  const shifted = { inputSites: 3, outputSites: 3, sources: Int32Array.of(-1, 0, 1) };
  const weights = (width: number | undefined, weightVariance: number, biasVariance: number, maps: RandomLayer["maps"]): RandomLayer => ({
    kind: "random",
    ...(width ? { width } : {}),
    weightVariance,
    biasVariance,
    maps,
  });
  const first = weights(4, 1.3, 0.2, [mixing, shifted]);
  const top = (sites: number): RandomLayer => weights(undefined, 0.9, 0.25, flatteningMaps(sites));
  const pool: Primitive = { kind: "site-map", map: pooling };
  const lists: Record<string, Primitive[]> = {
    "a skip and two branches of unequal strength": [
      first,
      merge([[], [weights(4, 0.7, 0.3, [shifted, identityMap(3)])], [weights(4, 1.6, 0.1, [mixing])]], [0.7, -0.4, 1.2]),
      top(3),
    ],
    "maps in the branches and above": [
      first,
      merge(
        [[{ kind: "site-map", map: mixing }], [{ kind: "site-map", map: shifted }, weights(4, 0.7, 0.3, [mixing])], []],
        [0.7, -0.4, 0.5],
      ),
      pool,
      weights(3, 1.1, 0.4, [identityMap(2)]),
      top(2),
    ],
    "no skip": [first, merge([[weights(4, 0.7, 0, [mixing])], [weights(4, 0.2, 0, [shifted])]], [1, 2]), pool, top(2)],
    "a branch that does not count": [first, merge([[], [weights(4, 0.7, 0.5, [mixing])]], [1.3, 0]), top(3)],
    "single sites, with a skip, a branch that does not count and factors in the maps": [
      weights(4, 1.3, 0.2, [mixing]),
      { kind: "site-map", map: averageMap(3) },
      weights(4, 0.8, 0.1, [{ ...identityMap(1), weights: Float64Array.of(0.5) }, identityMap(1)]),
      merge([[], [weights(4, 0.7, 0.3, [identityMap(1)])]], [0.7, 0.6]),
      merge([[], [weights(4, 0.7, 0.3, [identityMap(1)])]], [1.2, 0]),
      weights(3, 1.4, 0.15, [identityMap(1)]),
      top(1),
    ],
    "a readout of maps that depend on each other": [
      first,
      weights(5, 0.8, 0.1, [identityMap(3)]),
      weights(
        undefined,
        0.9,
        0.2,
        [
          [
            [0, 1],
            [1, 0.5],
          ],
          [[1, 2]],
          [
            [0, 2],
            [1, -1],
          ],
        ].map((row) => siteMapOfRows(3, [row as [number, number][]])),
      ),
    ],
    "maps of the inputs": [
      { kind: "site-map", map: mixing },
      pool,
      weights(4, 1.3, 0.2, [identityMap(2)]),
      weights(5, 0.8, 0.1, [identityMap(2)]),
      top(2),
    ],
    "activations that are none": [first, phi(identity), pool, weights(5, 0.8, 0.1, [identityMap(2)]), phi(identity), top(2)],
  };
  it.each(Object.entries(lists))("%s: the mean of the law and its biases make the infinite-width kernel", (_, layers) => {
    const x = random(4, 6, 17);
    const law = compositionMixing(network(layers, 3))!;
    const { mean, biasMean } = mixingMoments(law.chain, 2);
    const covariance = law.covariance(2, mean, x);
    const kernel = siteMean(naiveKernels(layers.filter(({ kind }) => kind !== "pointwise"), [2, 3], x).S.at(-1)!, 4); // prettier-ignore
    for (let r = 0; r < 8; r++)
      for (let c = 0; c < 8; c++) {
        const [a, b] = [Math.floor(r / 4), Math.floor(c / 4)];
        expect(covariance.data[8 * r + c]! + biasMean.data[2 * a + b]!).toBeCloseTo(a === b ? kernel[r % 4]![c % 4]! : 0, 12);
      }
  });
  it("others are none", () => {
    const none: Primitive[][] = [
      [first],
      [first, phi(), top(3)],
      [first, norm, top(3)],
      [merge([[], []], [1, 1]), first, top(3)],
      [first, merge([[weights(4, 1, 0, [mixing]), weights(4, 1, 0, [mixing])], []], [1, 1]), top(3)],
      [{ ...first, weights: { value: (x) => x, derivative: () => 1 } }, top(3)],
      // biases at unlike sites
      [first, merge([[weights(4, 1, 0.1, [mixing])], [weights(4, 1, 0.1, [mixing]), { kind: "site-map", map: mixing }]], [1, 1]), top(3)],
    ];
    for (const layers of none) expect(linearSteps({ input: { channels: 2, sites: 3 }, layers })).toBeUndefined();
    const steps = linearSteps({ input: { channels: 2, sites: 3 }, layers: lists["no skip"]! })!;
    expect(steps).toHaveLength(3);
    // c²σ_w² of the branches, 0.7 and 4·0.2, by their mean: the rest is in the maps
    expect(steps[1]!.layer).toEqual({ width: 4, weightVariance: 0.7 + 0.8, biasVariance: 0 });
    expect(steps[1]).not.toHaveProperty("skip");
  });
});
