import { createProblem, fit, inlineRun, matrixFromRows, validate } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
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

describe.each(["tanh", "erf", "relu"])("%s, nearly equal inputs below skips", (activation) => {
  const phi = { layer: "activation", name: activation };
  const dense = { layer: "dense", width: 40, weightVariance: 1.9 };
  const unit = (skip: number) => ({ layer: "residual", body: [phi, dense], skip });
  const at = async (layers: readonly object[], distance: number) => {
    const inputs = [
      [0.7, 0.2],
      [0.7, 0.2 + distance],
    ];
    const network = { type: "sequential", inputShape: [2], layers };
    const { posterior } = await fit(perturbative, { network, inputs, targets: [0.8, -0.5], temperature: 0.3 }, { registry });
    return [posterior.logEvidence!, ...posterior.train!.mean.data, ...posterior.hiddenKernels!.flatMap(({ data }) => [...data])];
  };
  // relu, whose third derivative diverges at equal inputs
  const relative = activation === "relu" ? 1e-3 : 3e-6;

  it("two residual units have at a small distance what they have at none", async () => {
    const layers = [dense, unit(1), unit(1), phi, { layer: "dense" }];
    const limit = await at(layers, 0);
    for (const distance of [3e-5, 3e-4]) expectClose(await at(layers, distance), limit, { relative, absolute: 0.5 * distance });
  });

  it("a unit without its skip is none", async () => {
    const plain = [dense, phi, dense, phi, dense, phi, { layer: "dense" }];
    const skipped = [dense, phi, dense, unit(0), phi, { layer: "dense" }];
    for (const distance of [1e-3, 1e-2])
      expectClose(await at(skipped, distance), await at(plain, distance), { relative, absolute: relative });
  });
});
