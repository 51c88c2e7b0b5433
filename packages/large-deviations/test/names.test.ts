import { plugin as activations } from "@finitewidth/activations";
import {
  createProblem,
  createRegistry,
  inlineRun,
  matrixFromRows,
  priorQuestion,
  validate,
  type Network,
  type Posterior,
  type PriorModel,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { effectiveAction, forwardBackward, largeDeviation, plugin } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const other = (name: string): string => `another-${name}`;

/** The same prior model for networks of another `type`. */
function renamed(model: PriorModel): PriorModel {
  const name = other(model.name);
  return {
    ...model,
    name,
    schema: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate(value) {
          const result = model.schema["~standard"].validate({ ...(value as Network), type: model.name });
          if (result instanceof Promise) throw new TypeError("asynchronous schema");
          return result.issues === undefined ? { value: { ...result.value, type: name } } : result;
        },
      },
    },
  };
}

const known = testRegistry();
/** All activations and prior models under other names, and none under its own. */
const strange = createRegistry([
  {
    name: "test",
    activations: activations.activations!.map((activation) => ({ ...activation, name: other(activation.name) })),
    priorModels: [...priorFc.priorModels!, ...priorConv.priorModels!].map(renamed),
  },
  plugin,
]);

const inputs = [
  [0.3, -1.2, 0.8],
  [1.1, 0.4, -0.5],
  [-0.7, 0.9, 1.3],
];
const one = [0.9, -0.4, 1.7];
const two = one.map((y, i) => [y, Math.sin(3 * i)]);
const tests = matrixFromRows([
  [0.5, 0.5, -0.2],
  [-0.9, 1.4, 0.1],
]);
const dense = (activation: string, widths: readonly number[], more: Record<string, unknown> = {}) => ({
  type: "fully-connected",
  activation,
  widths: [...widths],
  ...more,
});
const filters = (activation: string, more: Record<string, unknown> = {}) => ({
  type: "convolutional",
  inputShape: [1, 3],
  layers: [{ channels: 6, kernelSize: [2], padding: "valid" }],
  activation,
  ...more,
});

type Case = readonly [
  what: string,
  theory: Theory,
  network: ReturnType<typeof dense> | ReturnType<typeof filters>,
  targets: number[] | number[][],
  options?: Record<string, unknown>,
  more?: Record<string, unknown>,
];
const [ea, fb, ld] = [effectiveAction as Theory, forwardBackward as Theory, largeDeviation as Theory];
const cases: readonly Case[] = [
  ...["identity", "erf", "relu"].flatMap((name): Case[] => [
    ["one layer", ea, dense(name, [4], { biasVariance: [0.1, 0.3] }), one, { correction: "cumulant", draws: 80 }],
    ["one layer, saddle", ea, dense(name, [5]), one, { mode: "saddle", mean: "plain" }, { scaling: "mean-field" }],
    ["several outputs", ea, dense(name, [5]), two],
    ["deep", ea, dense(name, [5, 4], { biasVariance: 0.1 }), one],
    ["deep, several outputs", ea, dense(name, [5, 4]), two, { closure: "product" }],
    ["filters", ea, filters(name, { biasVariance: 0.2 }), one],
    ["filters, pooled", ea, filters(name, { readout: "global-average" }), two],
    ["variational", fb, dense(name, [20, 15], { biasVariance: 0.1 }), two, { closure: "gaussian-variational" }],
    ["first order", fb, dense(name, [40]), one, { order: "first" }, { temperature: 0.5 }],
  ]),
  ["full", fb, dense("identity", [8, 6]), one],
  ["full", fb, dense("erf", [12]), one, {}, { scaling: "mean-field", temperature: 0.5 }],
  ["full, sampled", fb, dense("relu", [30]), one, { nodes: 7 }, { temperature: 0.5 }],
  ["proportional", fb, dense("erf", [12]), one, { order: "proportional" }, { temperature: 0.5 }],
  ["chain", ld, dense("identity", [5, 4]), two, {}, { scaling: "mean-field" }],
  ["biases", ld, dense("identity", [5], { biasVariance: 0.2 }), one],
  ["filters", ld, filters("identity"), one],
];

/** Everything that a theory says about a problem, and its posterior. */
async function allOf(
  registry: Registry,
  [, theory, network, targets, options = {}, more = {}]: Case,
  rename = (name: string): string => name,
): Promise<{ readonly said: unknown; readonly posterior: Posterior }> {
  const input = {
    inputs,
    targets,
    temperature: 0.1,
    ...more,
    network: { ...network, type: rename(network.type), activation: rename(network.activation) },
  };
  const problem = createProblem(input, registry);
  const chosen = validate(theory.options, options, "options");
  const run = inlineRun({ registry, seed: 2 });
  expect(theory.refuses(problem, chosen, registry)).toBeUndefined();
  const posterior = await theory.fit(problem, chosen, run);
  const [predictive, joint] = [false, true].map((covariance) => theory.predict(posterior, tests, { covariance }, run));
  const question = priorQuestion(problem, registry);
  const { problem: _, ...fitted } = posterior;
  const said = {
    fitted,
    predictive: await predictive!,
    joint: await joint!,
    claims: [
      ...theory.claims({ scenario: { name: "test", problem, testInputs: tests }, posterior, predictive: await predictive! }, registry),
    ],
    prior:
      theory.prior && theory.refusesPrior!(question, chosen, registry) === undefined
        ? await theory.prior(question, chosen, run)
        : undefined,
  };
  return { said, posterior };
}

describe.each(cases.map((entry) => [`${entry[1].name}, ${entry[0]}, ${entry[2].activation}`, entry] as const))("%s", (_, entry) => {
  it("under other names the same numbers, and predictions from problem, options and state alone", async () => {
    const { said, posterior } = await allOf(known, entry);
    expect((await allOf(strange, entry, other)).said).toEqual(said);
    const { theory, problem, options, state, solver } = posteriorFromNpz(posteriorToNpz(posterior));
    const lean: Posterior = { theory, problem, options, state, solver, diagnostics: {}, warnings: [] };
    const run = inlineRun({ registry: known, seed: 5 });
    const again = await entry[1].predict(lean, tests, { covariance: true }, run);
    const { mean, variance, covariance } = await entry[1].predict(posterior, tests, { covariance: true }, run);
    expect({ mean: again.mean, variance: again.variance, covariance: again.covariance }).toEqual({ mean, variance, covariance });
  });
});

describe("refusals", () => {
  const reason = (theory: Theory, network: { readonly type: string; readonly [key: string]: unknown }): string | undefined =>
    theory.refuses(
      createProblem({ network, inputs, targets: one, temperature: 0.1 }, known),
      validate(theory.options, {}, "options"),
      known,
    );
  it.each([
    [
      ea,
      filters("erf", { layers: [1, 2].map(() => ({ channels: 3, kernelSize: [2], padding: "zero" })) }),
      /fully connected.*"monte-carlo"/,
    ],
    [fb, filters("erf"), /fully connected.*"monte-carlo"/],
    [ld, filters("erf"), /linear.*"erf".*"effective-action"/],
    [ld, dense("erf", [3]), /linear.*"erf".*"forward-backward"/],
  ] as const)("name what applies instead: %#", (theory, network, expected) => {
    expect(reason(theory, network)).toMatch(expected);
  });
});
