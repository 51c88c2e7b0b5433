import { createProblem, createRegistry, reasonToRefuse, validate } from "@finitewidth/core";
import { expect, test } from "vitest";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
const dense = (widths: number[], activation: string, biasVariance = 0) => ({ type: "fully-connected", widths, activation, biasVariance });
const convolution = (layers: number, activation: string) => ({
  type: "convolutional",
  inputShape: [1, 4],
  layers: Array.from({ length: layers }, () => ({ channels: 3, kernelSize: [2] })),
  readout: "flatten",
  activation,
});
const inputs = [
  [1, 0.2, 0.3, 0.1],
  [0.2, 1, -0.4, 0.5],
  [0.1, -0.3, 1, 0.8],
];
const targets = [
  [1, 0.5],
  [0.3, -1],
  [0.2, 0.1],
];

test("a refusal names no method that refuses too", () => {
  let refusals = 0;
  for (const network of [
    dense([4], "erf"),
    dense([4, 3], "erf", 0.1),
    dense([4, 3], "sign"),
    dense([4], "identity"),
    convolution(1, "relu"),
    convolution(2, "erf"),
  ])
    for (const outputs of [1, 2])
      for (const temperature of [0, 0.1])
        for (const scaling of ["standard", "mean-field"] as const) {
          const problem = createProblem(
            { network, inputs, targets: targets.map((row) => row.slice(0, outputs)), temperature, scaling },
            registry,
          );
          const reason = (name: string): string | undefined => {
            const theory = registry.theory(name);
            return reasonToRefuse(theory, problem, validate(theory.options, {}, "options"), registry);
          };
          for (const { name } of registry.theories) {
            const text = reason(name);
            if (text === undefined) continue;
            refusals++;
            const advice = /; use [^;]*$/.exec(text)?.[0] ?? "";
            for (const other of registry.theories)
              if (advice.includes(`"${other.name}"`)) expect(reason(other.name), `${name} says: ${text}`).toBeUndefined();
          }
        }
  expect(refusals).toBeGreaterThan(50);
});
