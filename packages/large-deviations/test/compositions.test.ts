import { plugin as activations } from "@finitewidth/activations";
import { createProblem, createRegistry, fit, type Architecture, type Network, type PriorModel, type Theory } from "@finitewidth/core";
import { identityMap } from "@finitewidth/kernels";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction, forwardBackward, largeDeviation, plugin, resolveEffectiveActionOptions } from "../src/index.js";

const one = identityMap(1);
const random = (width: number | undefined, map = one, variance = 1.2) =>
  ({ kind: "random", ...(width === undefined ? {} : { width }), weightVariance: variance, biasVariance: 0, maps: [map] }) as const;
const architectures: Record<string, Architecture> = {
  /** Every site read by a weight of 0.7. */
  scaled: { layers: [random(5), random(4, { ...one, weights: Float64Array.of(0.7) }), random(undefined)] },
  residual: { layers: [random(5), { kind: "merge", branches: [[], [random(5)]], coefficients: [0.8, 0.6] }, random(undefined)] },
  normalised: {
    layers: [
      random(5),
      { kind: "normalise", epsilon: 0.1 },
      { kind: "pointwise", activation: activations.activations![1]! },
      random(undefined),
    ],
  },
};
const models = Object.entries(architectures).map(([name, architecture]): PriorModel => ({
  name,
  summary: name,
  schema: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Network }) } },
  architecture: () => architecture,
  vary: (network) => network,
}));
const registry = createRegistry([activations, priorFc, { name: "test", priorModels: models }, plugin]);
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
  it.each([["normalised", /linear networks only.*"monte-carlo"/]])("%s: no rate function", (type, expected) => {
    expect(largeDeviation.refuses(createProblem({ network: { type }, ...data }, registry), {}, registry)).toMatch(expected);
  });
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
