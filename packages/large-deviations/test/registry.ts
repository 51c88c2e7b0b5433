import { plugin as activations } from "@finitewidth/activations";
import {
  createRegistry,
  fit,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  type Architecture,
  type Claim,
  type Matrix,
  type ProblemInput,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin } from "../src/index.js";

/** Fully connected and convolutional networks, all activations, the theories of this package. */
export const testRegistry = (): Registry => createRegistry([activations, priorFc, priorConv, plugin]);

const registry = testRegistry();

/** Layers of a network as it stands in an experiment file. */
export const layersOf = (network: { readonly type: string; readonly [key: string]: unknown }): Architecture =>
  resolveArchitecture(registry, resolveNetworkInput(network, registry));

/** Claims of a theory about a problem. */
export async function claimsAbout<Options, State>(
  theory: Theory<Options, State>,
  input: ProblemInput,
  testInputs: Matrix | number[][],
  options: Record<string, unknown> = {},
): Promise<Claim[]> {
  const { posterior, predict } = await fit(theory, input, { registry, options });
  const tests = Array.isArray(testInputs) ? matrixFromRows(testInputs) : testInputs;
  const scenario = { name: "test", problem: posterior.problem, testInputs: tests };
  return [...theory.claims({ scenario, posterior, predictive: await predict(tests) }, registry)];
}
