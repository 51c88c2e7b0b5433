import { createProblem, inlineRun, matrixFromRows, validate } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { perturbative, type PerturbativeOptions } from "../src/index.js";
import { registry } from "./networks.js";

/** Prior shift of the output kernel at two inputs of a network with normalised residual units. */
async function shifts(activation: string, inputs: number[][]): Promise<Float64Array> {
  const phi = { layer: "activation", name: activation };
  const layers = [
    { layer: "dense", width: 3, weightVariance: 0.757, biasVariance: 0.764 },
    {
      layer: "residual",
      body: [{ layer: "layer-normalization", epsilon: 0.1 }, phi, { layer: "dense", width: 3, weightVariance: 1.221 }],
      branch: 0.89,
    },
    phi,
    { layer: "dense" },
  ];
  const network = { type: "sequential", inputShape: [1], layers } as { type: string };
  const problem = createProblem({ network, inputs, targets: inputs.map(() => 0), temperature: 1 }, registry);
  const answer = await perturbative.prior!(
    { network: problem.network, inputs: matrixFromRows(inputs), outputs: 1, evaluateAt: [], samples: 1 },
    validate(perturbative.options, {}, "options") as PerturbativeOptions,
    inlineRun({ registry }),
  );
  return answer.kernelMeanShift!.data;
}

describe.each(["tanh", "erf"])("%s, nearly parallel inputs", (activation) => {
  it("E|f(x) − f(x′)|² shifts like |x − x′|²", async () => {
    const scaled = await Promise.all(
      [0.1, 0.05, 0.025].map(async (distance) => {
        const s = await shifts(activation, [[-0.293], [-0.293 - distance]]);
        return (s[0]! + s[3]! - 2 * s[1]!) / distance ** 2;
      }),
    );
    for (const value of scaled) expect(Math.abs(value / scaled[0]! - 1)).toBeLessThan(0.1);
  });

  it("equal inputs have one shift", async () => {
    const s = await shifts(activation, [[-0.293], [-0.293]]);
    for (const value of s) expect(Math.abs(value / s[0]! - 1)).toBeLessThan(1e-9);
  });
});
