import { identity } from "@finitewidth/activations";
import {
  createRegistry,
  matrixFromRows,
  type Architecture,
  type EvidenceGradient,
  type Matrix,
  type PriorModel,
  type Problem,
} from "@finitewidth/core";
import { addDiagonal, cholesky, gram, multiplyTransposedLeft, solveCholesky, trace } from "@finitewidth/linalg";
import { expect, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { identityMap } from "../src/index.js";
import { pinReadoutBias, withBias, withBiasGradient } from "../src/pinned-bias.js";

interface Own {
  readonly type: string;
  readonly bias: number;
  readonly hidden: number;
}
const architectureOf = ({ bias, hidden }: Own): Architecture => ({
  input: { channels: 2, sites: 1 },
  layers: [
    { kind: "random", width: 7, weightVariance: 1.4, biasVariance: hidden, maps: [identityMap(1)] },
    { kind: "pointwise", activation: identity },
    { kind: "random", weightVariance: 0.6, biasVariance: bias, maps: [identityMap(1)] },
  ],
});
const model = {
  name: "own",
  summary: "",
  architecture: architectureOf,
  vary: (network: Own, { biasVariance }: { biasVariance: (value: number, layer: number) => number }) => ({
    ...network,
    hidden: biasVariance(network.hidden, 0),
    bias: biasVariance(network.bias, 1),
  }),
} as unknown as PriorModel;
const registry = createRegistry([{ name: "own", priorModels: [model] }]);

const inputs = matrixFromRows([
  [1, 0.5],
  [-0.4, 1.2],
  [0.7, -1],
  [1.3, 0.2],
]);
const weights = [
  [0.8, -0.3],
  [0.4, 1.1],
];
const biases = [0.9, -1.7];
const targets = matrixFromRows(
  [0, 1, 2, 3].map((i) =>
    [0, 1].map((a) => weights[0]![a]! * inputs.data[2 * i]! + weights[1]![a]! * inputs.data[2 * i + 1]! + biases[a]!),
  ),
);
const variance = 0.35;
const problem = (network: Partial<Own> = {}, more: object = {}): Problem =>
  ({
    network: { type: "own", bias: variance, hidden: 0, ...network },
    inputs,
    targets,
    temperature: 0,
    scaling: "standard",
    ...more,
  }) as unknown as Problem;

test("four points in two dimensions fix the bias of every output, and what is left of the targets is of the weights", () => {
  const pinned = pinReadoutBias(problem(), registry)!;
  expectClose(pinned.values, biases, { relative: 1e-12 });
  expect(pinned.variance).toBe(variance);
  expect(pinned.network).toEqual({ type: "own", bias: 0, hidden: 0 });
  expectClose(
    pinned.targets,
    targets.data.map((value, k) => value - biases[k % 2]!),
    { relative: 1e-12, absolute: 1e-13 },
  );
});

test("their log density is what the bias adds where a little noise takes the place of none", () => {
  const pinned = pinReadoutBias(problem(), registry)!;
  const noise = 1e-9;
  /** log density of the columns under scale·XXᵀ + bias 11ᵀ + noise. */
  const logDensity = (bias: number, y: Matrix): number => {
    const kernel = gram(inputs);
    const a: Matrix = { data: kernel.data.map((value) => (1.4 * 0.6 * value) / 2 + bias), shape: kernel.shape };
    const factor = cholesky(addDiagonal(a, noise));
    return -0.5 * (trace(multiplyTransposedLeft(y, solveCholesky(factor, y))) + 2 * factor.logDeterminant + 8 * Math.log(2 * Math.PI));
  };
  // without the bias one more direction of either output holds noise alone
  const added = logDensity(variance, targets) - logDensity(0, pinned.targets) - Math.log(2 * Math.PI * noise);
  expectClose(pinned.logDensity, added, { absolute: 1e-5 });
});

test("there is none to pin without a bias, where hidden biases make constants, and where the points do not tell", () => {
  expect(pinReadoutBias(problem({ bias: 0 }), registry)).toBeUndefined();
  expect(pinReadoutBias(problem({ hidden: 0.2 }), registry)).toBeUndefined();
  const two = (m: Matrix): Matrix => ({ data: m.data.slice(0, 4), shape: [2, 2] });
  expect(pinReadoutBias(problem({}, { inputs: two(inputs), targets: two(targets) }), registry)).toBeUndefined();
  const off: Matrix = { ...targets, data: targets.data.map((value, k) => value + (k === 5 ? 0.1 : 0)) };
  expect(() => pinReadoutBias(problem({}, { targets: off }), registry)).toThrow(/^targets/);
});

test("outputs have it back, column by column, and its gradient is that of its own density", () => {
  const pinned = pinReadoutBias(problem(), registry)!;
  const prediction = {
    mean: matrixFromRows([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
    variance: matrixFromRows([
      [0, 0],
      [0, 0],
      [0, 0],
    ]),
  };
  expectClose(withBias(prediction, pinned).mean, [1.9, 0.3, 3.9, 2.3, 5.9, 4.3], { relative: 1e-12 });
  expect(withBias(prediction, pinned).variance).toBe(prediction.variance);
  expect(withBias(prediction, undefined)).toBe(prediction);
  const gradient = { logWeightVariance: [1, 2], logBiasVariance: [3, 4] } as unknown as EvidenceGradient;
  const found = withBiasGradient(gradient, pinned, problem())!;
  const logPrior = (v: number) => biases.reduce((sum, b) => sum - 0.5 * (Math.log(v) + b ** 2 / v), 0);
  const h = 1e-5;
  const slope = (logPrior(variance * Math.exp(h)) - logPrior(variance * Math.exp(-h))) / (2 * h);
  expect(found).toMatchObject({ logWeightVariance: [1, 2], logBiasVariance: [3, expect.closeTo(slope, 8)] });
  expect(withBiasGradient(gradient, pinned, problem({}, { scaling: "mean-field" }))).toBeUndefined();
});
