import {
  createProblem,
  createRegistry,
  inlineRun,
  matrixFromRows,
  priorQuestion,
  validate,
  type Activation,
  type Plugin,
  type PriorModel,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { standardPlugins } from "../src/index.js";

const renamed = (name: string): string => `another-${name}`;

/** The same prior model, its networks written with another `type`. */
function renamedModel(model: PriorModel): PriorModel {
  const name = renamed(model.name);
  return {
    ...model,
    name,
    schema: {
      "~standard": {
        ...model.schema["~standard"],
        validate(value) {
          const found = model.schema["~standard"].validate({ ...(value as object), type: model.name });
          if (found instanceof Promise || found.issues) return found;
          return { value: { ...found.value, type: name } };
        },
      },
    },
  };
}

const renamedActivation = (activation: Activation): Activation => ({ ...activation, name: renamed(activation.name) });
/** Networks are written with renamed activations wherever a string names one. */
function withNames(value: unknown, names: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((entry) => withNames(entry, names));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withNames(entry, names)]));
  return typeof value === "string" && names.has(value) ? renamed(value) : value;
}

const plain = createRegistry(standardPlugins);
const activationNames = new Set(plain.activations.map(({ name }) => name));
const modelNames = new Set(plain.priorModels.map(({ name }) => name));
const plugins = standardPlugins.map(({ module: _module, ...plugin }): Plugin => ({
  ...plugin,
  ...(plugin.activations ? { activations: plugin.activations.map(renamedActivation) } : {}),
  ...(plugin.priorModels ? { priorModels: plugin.priorModels.map(renamedModel) } : {}),
  ...(plugin.theories ? { theories: plugin.theories.map((theory): Theory => ({ ...theory, name: renamed(theory.name) })) } : {}),
}));
const other = createRegistry(plugins);

const networks: Readonly<Record<string, Record<string, unknown>>> = {
  "two dense layers": { type: "fully-connected", widths: [5, 4], weightVariance: [1.2, 0.9, 1.1], biasVariance: [0.1, 0.2, 0] },
  "one dense layer": { type: "fully-connected", widths: [6], weightVariance: [1.3, 0.8] },
  filters: {
    type: "convolutional",
    inputShape: [1, 3],
    layers: [{ channels: 4, kernelSize: [2], padding: "circular" }],
    weightVariance: [1.3, 0.8],
  },
};
const inputs = matrixFromRows([
  [1, 0.2, -0.4],
  [0.3, -1, 0.8],
  [-0.7, 0.8, 0.4],
  [0.2, 0.5, 1.1],
]);
const testInputs = matrixFromRows([
  [0.4, -0.1, 0.9],
  [1, 1, -0.5],
]);
const targets = [1, -0.6, 0.3, 0.8];
/** Short runs: what matters is that the numbers are the same. */
const short: Readonly<Record<string, Record<string, unknown>>> = {
  "monte-carlo": { chains: 2, draws: 20, warmup: 10 },
  perturbative: { samples: 64 },
  "effective-action": { draws: 40 },
};

async function numbersOf(registry: Registry, name: string, options: Record<string, unknown>, network: Record<string, unknown>) {
  const theory = registry.theory(name);
  const problem = createProblem({ network: network as { type: string }, inputs, targets, temperature: 0.2 }, registry);
  const resolved = validate(theory.options, options, "options");
  const run = inlineRun({ registry, seed: 7 });
  const refusal = theory.refuses(problem, resolved, registry);
  if (refusal !== undefined) return { refusal: true };
  const { logEvidence, train, orderParameter, hiddenKernels, ...posterior } = await theory.fit(problem, resolved, run);
  const predictive = await theory.predict({ ...posterior, problem, options: resolved }, testInputs, { covariance: true }, run);
  const question = priorQuestion(problem, registry);
  const prior =
    theory.prior !== undefined && theory.refusesPrior?.(question, resolved, registry) === undefined
      ? await theory.prior({ ...question, samples: 32 }, resolved, run)
      : undefined;
  return {
    numbers: {
      logEvidence,
      train,
      orderParameter,
      hiddenKernels,
      mean: predictive.mean,
      variance: predictive.variance,
      covariance: predictive.covariance,
    },
    prior: prior && { secondMoment: prior.secondMoment, kernelMeanShift: prior.kernelMeanShift, kurtosis: prior.excessKurtosis },
  };
}

describe("nobody asks a plug-in its name", () => {
  for (const theory of plain.theories) {
    for (const [label, network] of Object.entries(networks)) {
      for (const activation of ["identity", "erf", "relu", "tanh", "sign"]) {
        it(
          `${theory.name} on ${label} of ${activation} units: the same numbers when everything has another name`,
          { timeout: 60_000 },
          async () => {
            const written = { ...network, activation };
            const options = short[theory.name] ?? {};
            const here = await numbersOf(plain, theory.name, options, written).catch((error: Error) => ({ error: error.constructor.name }));
            const there = await numbersOf(
              other,
              renamed(theory.name),
              options,
              withNames(written, new Set([...activationNames, ...modelNames])) as Record<string, unknown>,
            ).catch((error: Error) => ({ error: error.constructor.name }));
            expect(there).toEqual(here);
          },
        );
      }
    }
  }
});
