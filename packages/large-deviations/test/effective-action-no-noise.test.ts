import { fit, matrixFromRows } from "@finitewidth/core";
import { expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction } from "../src/index.js";
import { image, inputs, network, registry, targets, two } from "./effective-action-problems.js";

const testInputs = matrixFromRows([inputs[0]!.map((x) => 0.3 * x + 0.2), inputs[1]!.map((x) => 0.5 - x)]);

it.each([
  { title: "sites", net: image, y: targets.map((value) => [value]) },
  { title: "sites and outputs", net: image, y: two },
  { title: "outputs", net: network("erf", [9]), y: two },
  { title: "chain of outputs", net: network("erf", [9, 8]), y: two, options: { closure: "product" } },
])("matrix order parameters at T = 0 are the limit of little noise: $title", async ({ net, y, options = {} }) => {
  const few = { inputs: inputs.slice(0, 3), targets: y.slice(0, 3) };
  const at = (temperature: number) => fit(effectiveAction, { network: net, ...few, temperature }, { registry, options: { ...options } });
  const [none, little] = [await at(0), await at(1e-9)];
  expectClose(none.posterior.train!.mean, matrixFromRows(few.targets), { absolute: 1e-9 }, "train mean");
  const [a, b] = [await none.predict(testInputs, { covariance: true }), await little.predict(testInputs, { covariance: true })];
  expectClose(a.mean, b.mean, { absolute: 1e-5 }, "mean");
  expectClose(a.variance, b.variance, { absolute: 1e-5 }, "variance");
  expectClose(a.covariance!, b.covariance!, { absolute: 1e-5 }, "covariance");
  expect(none.posterior.logEvidence === undefined).toBe(little.posterior.logEvidence === undefined);
  if (none.posterior.logEvidence !== undefined) expect(none.posterior.logEvidence).toBeCloseTo(little.posterior.logEvidence!, 4);
});
