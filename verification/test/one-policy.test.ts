import { createRegistry, fit, type FinitewidthError } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
const inputs = [
  [1, 0.2, -0.5],
  [-0.4, 1.1, 0.6],
  [0.8, -0.3, 0.2],
];
const targets = [[1], [-0.7], [0.4]];
const testInputs = [
  [0.1, 0.9, -0.7],
  [1.2, -0.6, 0.3],
];
const network = (activation: string) => ({ type: "fully-connected", widths: [12], activation, weightVariance: [1.3, 0.9] });
interface Data {
  readonly inputs: number[][];
  readonly targets: number[][];
  readonly temperature: number;
}

/** Deterministic theories that answer a one-layer network of one output, with an activation and a scaling that suit them. */
const theories: readonly {
  readonly name: string;
  readonly activation: string;
  readonly scaling?: "mean-field";
  readonly options?: object;
}[] = [
  { name: "nngp", activation: "erf" },
  { name: "exact", activation: "identity" },
  { name: "effective-action", activation: "erf" },
  { name: "perturbative", activation: "erf", options: { engine: "exact" } },
  { name: "large-deviation", activation: "identity", scaling: "mean-field" },
  { name: "forward-backward", activation: "identity" },
];

async function answer({ name, activation, scaling, options = {} }: (typeof theories)[number], data: Data) {
  const problem = { network: network(activation), ...data, ...(scaling ? { scaling } : {}) };
  const fitted = await fit(registry.theory(name), problem, { registry, options: { ...options } });
  return fitted.predict(testInputs);
}

describe("one policy of all theories", () => {
  it.each(theories)("$name: every point twice is every point once at half the noise", async (theory) => {
    const twice = await answer(theory, {
      inputs: inputs.flatMap((x) => [x, x]),
      targets: targets.flatMap(([y]) => [[y! + 0.2], [y! - 0.2]]),
      temperature: 0.3,
    });
    const once = await answer(theory, { inputs, targets, temperature: 0.15 });
    expectClose(twice.mean, once.mean, { relative: 1e-6, absolute: 1e-9 }, "mean");
    expectClose(twice.variance, once.variance, { relative: 1e-6, absolute: 1e-9 }, "variance");
  });

  it.each(theories)("$name: at T = 0 three points of three features are interpolated", async (theory) => {
    const { mean } = await answer(theory, { inputs, targets, temperature: 0 }).catch((error: FinitewidthError) => {
      expect(error.code).toBe("refused");
      return { mean: undefined };
    });
    if (mean) expect([...mean.data].every(Number.isFinite)).toBe(true);
  });

  it.each(theories)("$name: at T = 0 a point that is there twice is one point, or one clear sentence", async (theory) => {
    const data = { inputs: [...inputs, inputs[0]!], targets: [...targets, targets[0]!], temperature: 0 };
    const once = await answer(theory, { inputs, targets, temperature: 0 }).catch(() => undefined);
    const outcome = await answer(theory, data).then(
      (value) => ({ value }),
      (error: FinitewidthError) => ({ error }),
    );
    if ("error" in outcome)
      expect({ code: outcome.error.code, text: outcome.error.message }).toMatchObject({
        text: expect.stringMatching(/temperature|T |noise/),
      });
    else expectClose(outcome.value.mean, once!.mean, { relative: 1e-6, absolute: 1e-9 }, "mean");
  });
});
