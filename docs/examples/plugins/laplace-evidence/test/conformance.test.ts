import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type Theory } from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, it } from "vitest";
import { plugin, theory } from "../src/index.js";

const inputs = matrixFromRows([
  [1, 0.2, -1],
  [0.5, -1, 0.3],
  [0, 2, 1],
  [1, 0.2, -1],
  [0.3, 0.3, -2],
]);
const testInputs = matrixFromRows([
  [0.1, 1, 0],
  [-1, 0.4, 0.6],
]);
const targets = [1, -0.5, 0.8, 1.1, 0.2];
const problem = (widths: number[], activation: string) => ({
  network: { type: "fully-connected", widths, activation },
  inputs,
  targets,
  temperature: 0.1,
});
const cases = [
  { problem: problem([5], "identity"), testInputs },
  { problem: problem([20], "erf"), testInputs },
];

describe(theory.name, () => {
  const registry = createRegistry([activations, priorFc, plugin]);
  for (const check of theoryChecks(theory as Theory, { registry, cases, refused: problem([5, 5], "erf") })) it(check.name, check.run);
});
