import { matrixFromRows, type Theory } from "@finitewidth/core";
import { theoryChecks, type TheoryCase } from "@finitewidth/core/conformance";
import { describe, it } from "vitest";
import { exact, nngp } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const inputs = [
  [1, 0.2],
  [0.3, -1],
  [-0.7, 0.8],
  [1, 0.2],
];
const testInputs = matrixFromRows([
  [0.5, 0.5],
  [2, -1],
  [0, 1],
]);
const linear = (widths: number[], extra: object = {}) => ({ type: "fully-connected", activation: "identity", widths, ...extra });
const body = [{ layer: "dense", width: 3 }];
const residual = {
  type: "sequential",
  inputShape: [2],
  layers: [
    { layer: "dense", width: 3 },
    { layer: "residual", body, branch: 0.7 },
    { layer: "residual", body, skip: -0.8 },
    { layer: "dense" },
  ],
};
const maps = { heads: 2, keys: 2, scale: 2 };
const attention = { type: "attention", tokens: 2, features: 1, layers: [{ width: 3 }, { width: 4, maps }] };
const one = [1.3, -0.4, 0.2, 1.2];
const two = one.map((value, i) => [value, Math.cos(i)]);
const refused = { network: { ...linear([3]), activation: "erf" }, inputs, targets: one, temperature: 0.1 };

const exactCases: TheoryCase[] = [
  { problem: { network: linear([4, 3], { biasVariance: [0.1, 0, 0.4] }), inputs, targets: one, temperature: 0.1 }, testInputs },
  { problem: { network: linear([4]), inputs, targets: two, temperature: 0.1, scaling: "mean-field" }, testInputs },
  {
    problem: { network: linear([1, 4], { biasVariance: 0.2 }), inputs, targets: two, temperature: 0.4 },
    testInputs,
    options: { draws: 1000 },
    tolerance: 0.1,
  },
  { problem: { network: residual, inputs, targets: one, temperature: 0.1 }, testInputs },
  { problem: { network: attention, inputs, targets: one, temperature: 0.3 }, testInputs, options: { draws: 2000 }, tolerance: 0.1 },
];
const nngpCases: TheoryCase[] = [
  { problem: { network: { ...linear([4, 3]), activation: "relu" }, inputs, targets: two, temperature: 0.1 }, testInputs },
  {
    problem: { network: linear([4]), inputs: inputs.slice(0, 3), targets: one.slice(0, 3), temperature: 0.01, scaling: "mean-field" },
    testInputs,
  },
];

describe("conformance of exact", () => {
  for (const check of theoryChecks(exact as Theory, { registry, cases: exactCases, refused })) it(check.name, check.run);
});

describe("conformance of nngp", () => {
  for (const check of theoryChecks(nngp as Theory, { registry, cases: nngpCases })) it(check.name, check.run);
});
