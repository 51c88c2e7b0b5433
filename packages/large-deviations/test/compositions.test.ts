import { erf, plugin as activations, relu } from "@finitewidth/activations";
import {
  createProblem,
  createRegistry,
  fit,
  type Architecture,
  type Matrix,
  type Network,
  type PriorModel,
  type Theory,
} from "@finitewidth/core";
import { identityMap } from "@finitewidth/kernels";
import { cholesky, multiply, solve, solveCholesky, symmetricEigenvalues } from "@finitewidth/linalg";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction, forwardBackward, largeDeviation, outputRate, plugin, resolveEffectiveActionOptions } from "../src/index.js";

const one = identityMap(1);
const random = (width: number | undefined, map = one, variance = 1.2) =>
  ({ kind: "random", ...(width === undefined ? {} : { width }), weightVariance: variance, biasVariance: 0, maps: [map] }) as const;
const architectures: Record<string, Architecture> = {
  /** Every site read by a weight of 0.7. */
  scaled: { layers: [random(5), random(4, { ...one, weights: Float64Array.of(0.7) }), random(undefined)] },
  residual: { layers: [random(5), { kind: "merge", branches: [[], [random(5)]], coefficients: [0.8, 0.6] }, random(undefined)] },
  /** A skip of 0.8 beside a branch that is left out, over units of five. */
  carried: { layers: [random(5), { kind: "merge", branches: [[], [random(5)]], coefficients: [0.8, 0] }, random(undefined)] },
  biased: {
    layers: [
      random(5),
      { kind: "merge", branches: [[], [random(5)]], coefficients: [0.8, 0.6] },
      { ...random(undefined), biasVariance: 0.3 },
    ],
  },
  curved: {
    layers: [random(5), { kind: "pointwise", activation: erf }, random(4), { kind: "pointwise", activation: relu }, random(undefined)],
  },
  normalised: { layers: [random(5), { kind: "normalise", epsilon: 0.1 }, { kind: "pointwise", activation: erf }, random(undefined)] },
};
const models = Object.entries(architectures).map(([name, architecture]): PriorModel => ({
  name,
  summary: name,
  schema: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Network }) } },
  architecture: () => architecture,
  vary: (network) => network,
}));
const registry = createRegistry([activations, priorConv, priorFc, { name: "test", priorModels: models }, plugin]);
const data = {
  inputs: [
    [0.3, -1.2, 0.8],
    [1.1, 0.4, -0.5],
    [-0.7, 0.9, 1.3],
  ],
  targets: [0.9, -0.4, 1.7],
  temperature: 0.1,
};
const tests = [
  [0.5, 0.5, -0.2],
  [-0.9, 1.4, 0.1],
];

describe("compositions of linear layers", () => {
  it("have the rate function of the chain that they reduce to", async () => {
    const [found, same] = [
      await fit(largeDeviation, { network: { type: "scaled" }, ...data }, { registry }),
      await fit(
        largeDeviation,
        { network: { type: "fully-connected", activation: "identity", widths: [5, 4], weightVariance: [1.2, 1.2 * 0.49, 1.2] }, ...data },
        { registry },
      ),
    ];
    const close = { relative: 1e-12, absolute: 1e-13 };
    expectClose(found.posterior.orderParameter as number, same.posterior.orderParameter as number, close);
    expectClose(found.posterior.logEvidence!, same.posterior.logEvidence!, close);
    const [a, b] = [await found.predict(tests, { covariance: true }), await same.predict(tests, { covariance: true })];
    expectClose(a.mean, b.mean, close);
    expectClose(a.covariance!, b.covariance!, close);
  });
  it.each([
    ["normalised", /^the rate function is known for linear networks only; use "nngp", "perturbative" or "monte-carlo"$/],
    ["curved", /^the rate function is known for linear networks only; use "nngp", "perturbative" or "monte-carlo"$/],
    ["biased", /^with skips the rate function is known for one site and no biases above the first layer; use "exact"/],
  ])("%s: no rate function", (type, expected) => {
    expect(largeDeviation.refuses(createProblem({ network: { type }, ...data }, registry), {}, registry)).toMatch(expected);
  });
  it.each([
    [{ type: "fully-connected", widths: [4] }, /, and this one has activation "erf"; use "effective-action" or "forward-backward"$/],
    [
      { type: "convolutional", inputShape: [1, 3], layers: [{ channels: 4, kernelSize: 2 }] },
      /"erf"; use "effective-action" or "monte-carlo"$/,
    ],
  ])("nonlinear networks are refused with what there is for them: %j", (network, expected) => {
    const problem = createProblem({ network: { ...network, activation: "erf" }, ...data }, registry);
    expect(largeDeviation.refuses(problem, {}, registry)).toMatch(expected);
  });
  it.each(["standard", "mean-field"] as const)(
    "a layer that only carries units on is the next one's variance, %s scaling",
    async (scaling) => {
      for (const targets of [data.targets, data.targets.map((y) => [y, 0.5 - y * y])]) {
        const [found, same] = [
          await fit(largeDeviation, { network: { type: "carried" }, ...data, targets, scaling }, { registry }),
          await fit(
            largeDeviation,
            {
              network: { type: "fully-connected", activation: "identity", widths: [5], weightVariance: [1.2, 1.2 * 0.64] },
              ...data,
              targets,
              scaling,
            },
            { registry },
          ),
        ];
        const close = { relative: 1e-9, absolute: 1e-10 };
        expectClose(found.posterior.orderParameter as number, same.posterior.orderParameter as number, close);
        const [a, b] = [await found.predict(tests, { covariance: true }), await same.predict(tests, { covariance: true })];
        expectClose(a.mean, b.mean, close);
        expectClose(a.covariance!, b.covariance!, close);
      }
    },
  );
  it.each(["standard", "mean-field"] as const)(
    "residual networks of one and two outputs, %s scaling: the matrix where rate and data balance, and its Gaussian",
    async (scaling) => {
      const temperature = data.temperature;
      for (const targets of [data.targets.map((y) => [y]), data.targets.map((y) => [y, 0.5 - y * y])]) {
        const D = targets[0]!.length;
        const { posterior, predict } = await fit(
          largeDeviation as Theory,
          { network: { type: "residual" }, ...data, targets, scaling },
          { registry },
        );
        const q: Matrix =
          D === 1 ? { data: Float64Array.of(posterior.orderParameter as number), shape: [1, 1] } : (posterior.orderParameter as Matrix);
        const covariance = (m: Matrix, x: number[][], z: number[][], noise = 0): Matrix => ({
        data: Float64Array.from(x.flatMap((p, mu) => Array.from({ length: D }, (_, a) => z.flatMap((r, nu) => Array.from({ length: D }, (_b, b) =>
          (m.data[a * D + b]! * 1.2 * p.reduce((sum, value, k) => sum + value * r[k]!, 0)) / 3 + (mu === nu && a === b ? noise : 0)))).flat())),
        shape: [x.length * D, z.length * D],
      }); // prettier-ignore
        const y: Matrix = { data: Float64Array.from(targets.flat()), shape: [3 * D, 1] };
        // β² = 0.36 · 1.2, α²/β² = 0.64/0.432; both layers have five units
        const action = (m: Matrix): number => {
          const root = cholesky(covariance(m, data.inputs, data.inputs, temperature));
          const quadratic = solveCholesky(root, y).data.reduce((sum, value, k) => sum + value * y.data[k]!, 0);
          const rate = symmetricEigenvalues(m).reduce(
            (sum, value) => sum + outputRate(Math.log(value / (0.432 * 1.2)), [1, 1], [0.64 / 0.432, 0]).value,
            0,
          );
          return rate + (scaling === "standard" ? (root.logDeterminant + quadratic) / 10 : quadratic / 2);
        };
        expectClose(posterior.diagnostics["action"] as number, action(q), { relative: 1e-9 });
        for (let a = 0; a < D; a++)
          for (let b = 0; b <= a; b++)
            for (const step of [1e-3, -1e-3]) {
              const moved = q.data.map((value, k) => value + (k === a * D + b || k === b * D + a ? step : 0));
              expect(action({ data: moved, shape: q.shape })).toBeGreaterThan(posterior.diagnostics["action"] as number);
            }
        const { mean } = await predict(tests);
        const weights = solve(covariance(q, data.inputs, data.inputs, temperature), y);
        expectClose(mean, multiply(covariance(q, tests, data.inputs), weights).data, { relative: 1e-8, absolute: 1e-9 });
        expect(posterior.hiddenKernels).toBeUndefined();
        expect(posterior.logEvidence === undefined).toBe(D > 1);
        if (D === 1) continue;
        const { series } = posterior.figures![0] as unknown as { series: { y: Float64Array }[] };
        expectClose(series[0]!.y, symmetricEigenvalues(q), { relative: 1e-12 });
        // the prior mean of Q: 1.2 (α² + β²)
        expectClose(series[1]!.y, [1.2 * 1.072, 1.2 * 1.072], { relative: 1e-12 });
      }
    },
  );
  it.each([
    [effectiveAction as Theory, resolveEffectiveActionOptions()],
    [forwardBackward as Theory, { order: "full", closure: "quadrature" }],
  ])("are no chains for theories that need one: %#", (theory, options) => {
    for (const type of ["residual", "normalised"])
      expect(theory.refuses(createProblem({ network: { type }, ...data }, registry), options, registry)).toMatch(
        /"nngp", "perturbative" or "monte-carlo"/,
      );
  });
});
