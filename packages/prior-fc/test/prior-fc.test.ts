import { identity, plugin as activations, relu } from "@finitewidth/activations";
import { createRegistry, FinitewidthError, matrixFromRows, resolveNetworkInput, resolveArchitecture } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { firstLayerDiagonal, fullyConnectedKernels, fullyConnectedMixing, mixingLaw } from "@finitewidth/kernels";
import { plugin, type FullyConnectedNetwork } from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";

const registry = createRegistry([activations, plugin]);
const parse = (network: Record<string, unknown>) =>
  resolveNetworkInput({ type: "fully-connected", activation: "identity", ...network }, registry) as FullyConnectedNetwork;

const linear = (network: Record<string, unknown>) => ({ ...parse(network), activation: identity });

describe("schema", () => {
  it("fills in defaults, one variance per weight layer", () => {
    expect(parse({ widths: [3, 4] })).toEqual({
      type: "fully-connected",
      activation: "identity",
      widths: [3, 4],
      weightVariance: [1, 1, 1],
      biasVariance: [0, 0, 0],
    });
    expect(parse({ widths: [3], weightVariance: [2, 0.5], biasVariance: 0.1 }).weightVariance).toEqual([2, 0.5]);
  });

  it.each([
    [{ widths: [3, 0] }, "network.widths[1]: expected a positive integer, got 0"],
    [{ widths: [2.5] }, "network.widths[0]: expected a positive integer, got 2.5"],
    [{ widths: [] }, "network.widths: expected at least one hidden layer, got an empty array"],
    [{ widths: 3 }, "network.widths: expected a list of positive integers, got 3"],
    [{}, "network.widths: missing"],
    [{ widths: [3], weightVariance: 0 }, "network.weightVariance: expected a positive number, got 0"],
    [{ widths: [3], weightVariance: [1, -2] }, "network.weightVariance[1]: expected a positive number, got -2"],
    [
      { widths: [3], weightVariance: [1] },
      "network.weightVariance: expected one number or 2 of them (one per weight layer), got an array of 1",
    ],
    [{ widths: [3], biasVariance: -1 }, "network.biasVariance: expected a number ≥ 0, got -1"],
    [{ widths: [3], biasVariance: [0, 0, 0] }, "network.biasVariance: expected one number or 2 of them"],
    [{ widths: [3], width: 4 }, "network.width: unknown key"],
    [{ widths: [3], activation: "tahn" }, "network.activation: expected one of "],
  ])("rejects %j", (network, message) => {
    expect(() => parse(network)).toThrow(message);
  });
});

describe("infinite width", () => {
  const inputs = matrixFromRows([
    [1, 2, 0],
    [1, 2, 0],
    [-2, -4, 0],
    [0.5, -1, 2],
  ]);
  const others = matrixFromRows([
    [1, 2, 0],
    [0, 1, 1],
  ]);
  const network = parse({ widths: [5, 7], activation: "relu", weightVariance: [1.5, 2, 0.5], biasVariance: [0.1, 0.2, 0.3] });

  it("linear networks: K^{L+1} in closed form", () => {
    const straight = parse({ widths: [5, 7], weightVariance: [1.5, 2, 0.5], biasVariance: [0.1, 0.2, 0.3] });
    const { preactivation, hidden } = fullyConnectedKernels({ ...straight, activation: identity }, inputs);
    const first = preactivation[0]!.data;
    expectClose(first.slice(0, 4), [(1.5 * 5) / 3 + 0.1, (1.5 * 5) / 3 + 0.1, (-1.5 * 10) / 3 + 0.1, (1.5 * -1.5) / 3 + 0.1], {
      relative: 1e-15,
      absolute: 1e-15,
    });
    expectClose(
      preactivation[2]!.data,
      first.map((k) => 0.5 * (2 * k + 0.2) + 0.3),
      { relative: 1e-14, absolute: 1e-14 },
    );
    expect(hidden).toHaveLength(2);
  });

  it("cross kernels and diagonals agree with the square ones", () => {
    const square = fullyConnectedKernels(
      { ...network, activation: relu },
      matrixFromRows([
        [1, 2, 0],
        [1, 2, 0],
        [-2, -4, 0],
        [0.5, -1, 2],
        [1, 2, 0],
        [0, 1, 1],
      ]),
    );
    const cross = fullyConnectedKernels({ ...network, activation: relu }, inputs, others);
    for (const [l, kernel] of cross.preactivation.entries()) {
      const full = square.preactivation[l]!;
      expectClose(
        kernel.data,
        [0, 1, 2, 3].flatMap((i) => [full.data[i * 6 + 4]!, full.data[i * 6 + 5]!]),
        { relative: 1e-13, absolute: 1e-14 },
        `layer ${l + 1}`,
      );
    }
    const last = square.preactivation.at(-1)!;
    expectClose(cross.othersDiagonal!, [last.data[4 * 6 + 4]!, last.data[5 * 6 + 5]!], { relative: 1e-14 });
    expectClose(
      firstLayerDiagonal({ ...network, activation: relu }, others),
      [square.preactivation[0]!.data[28]!, square.preactivation[0]!.data[35]!],
      { relative: 1e-14 },
    );
  });
});

describe("mixing law of deep linear networks", () => {
  it("is known for the identity only", () => {
    const network = { widths: [4] };
    const lawOf = (activation: string) => mixingLaw(resolveArchitecture(registry, parse({ ...network, activation })));
    expect(lawOf("identity")?.sites).toBe(1);
    expect(lawOf("relu")).toBeUndefined();
  });

  it("chain carries widths, variances and biases by layer", () => {
    const { chain } = fullyConnectedMixing(linear({ widths: [3, 5], weightVariance: [9, 2, 0.5], biasVariance: [0.1, 0.2, 0.3] }));
    expect(chain.layers.map(({ width, variance, biasVariance, sites }) => ({ width, variance, biasVariance, sites }))).toEqual([
      { width: 3, variance: 2, biasVariance: 0, sites: 1 },
      { width: 5, variance: 0.5, biasVariance: 0.2, sites: 1 },
    ]);
    expect(chain.readoutBiasVariance).toBe(0.3);
  });

  // Closed forms (docs/theories/exact.md): E Q = Π s, E Q_ab Q_cd = α δ_ab δ_cd + β(δ_ac δ_bd + δ_ad δ_bc), bottleneck N < D included.
  it.each([[[4, 6]], [[2, 5]], [[1, 3]], [[5]]])("first and second moments of sampled Q, widths %j", (widths) => {
    const outputs = 3;
    const variances = widths.map((_, l) => (l === 0 ? 2 : 0.5));
    const scale = variances.reduce((product, s) => product * s, 1);
    const p = widths.reduce((product, n) => product * (1 + 2 / n), 1);
    const m = widths.reduce((product, n) => product * (1 - 1 / n), 1);
    const expected = [
      scale,
      (scale ** 2 * (p + 2 * m)) / 3 + (2 * scale ** 2 * (p - m)) / 3,
      (scale ** 2 * (p + 2 * m)) / 3,
      (scale ** 2 * (p - m)) / 3,
    ];
    const law = fullyConnectedMixing(linear({ widths, weightVariance: [1, ...variances] }));
    const random = stream(7);
    const draws = 20000;
    const sums = new Float64Array(4);
    const squares = new Float64Array(4);
    for (let k = 0; k < draws; k++) {
      const sample = law.sample(outputs, random);
      const q = (a: number, b: number): number => sample.data[a * outputs + b]!;
      [q(1, 1), q(2, 2) ** 2, q(0, 0) * q(2, 2), q(1, 2) ** 2].forEach((value, i) => {
        sums[i]! += value / draws;
        squares[i]! += (value * value) / draws;
      });
    }
    for (let i = 0; i < 4; i++)
      expect(Math.abs(sums[i]! - expected[i]!) / Math.sqrt((squares[i]! - sums[i]! ** 2) / draws), `moment ${i}`).toBeLessThan(4.5);
  });

  it("density: D = 1 of log q, D > 1 Wishart for one wide layer, refused otherwise", () => {
    const law = fullyConnectedMixing(linear({ widths: [5], weightVariance: [1, 2] }));
    const q = matrixFromRows([[1.7]]);
    expectClose(law.logDensity!(1, q), 2.5 * Math.log((1.7 * 5) / 4) - (1.7 * 5) / 4 - Math.log(1.3293403881791368), { absolute: 1e-13 });
    // W_2(5, 2 I/5) at a diagonal Q
    const value = law.logDensity!(
      2,
      matrixFromRows([
        [1.5, 0],
        [0, 0.7],
      ]),
    );
    const logGamma2 = Math.log(Math.sqrt(Math.PI)) + Math.log(1.3293403881791368) + Math.log(1);
    expectClose(value, Math.log(1.5 * 0.7) - (2.2 * 5) / 4 + 5 * Math.log(5 / 4) - logGamma2, { absolute: 1e-12 });
    expect(() =>
      fullyConnectedMixing(linear({ widths: [5, 5] })).logDensity!(
        2,
        matrixFromRows([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toThrow(FinitewidthError);
  });

  it("covariance is Q ⊗ K, output index first", () => {
    const law = fullyConnectedMixing(linear({ widths: [5], biasVariance: [0.5, 0] }));
    const x = matrixFromRows([
      [1, 1],
      [2, 0],
    ]);
    expectClose(
      law.covariance(
        2,
        matrixFromRows([
          [1, 3],
          [3, 10],
        ]),
        x,
      ).data,
      [1.5, 1.5, 4.5, 4.5, 1.5, 2.5, 4.5, 7.5, 4.5, 4.5, 15, 15, 4.5, 7.5, 15, 25],
      { absolute: 1e-14 },
    );
  });
});
