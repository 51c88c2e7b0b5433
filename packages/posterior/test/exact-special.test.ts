import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, inlineRun, matrixFromRows, resolveNetworkInput, validate } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { exact, plugin } from "../src/index.js";

describe("exact, mean-field scaling", () => {
  it("reports the mixing variable in the units of its rate function: N·(E q − q*) tends to a constant", async () => {
    const registry = createRegistry([activations, priorFc, plugin]);
    const inputs = [
      [1, 0.3, -0.5],
      [0.2, -1.1, 0.4],
      [-0.6, 0.8, 1.2],
    ];
    const meanQ = async (N: number): Promise<number> => {
      const network = { type: "fully-connected", widths: [N], activation: "identity" };
      const { posterior } = await fit(
        exact,
        { network, inputs, targets: [2, -1.5, 0.7], temperature: 0.3, scaling: "mean-field" },
        { registry },
      );
      return posterior.orderParameter as number;
    };
    const [a, b, c] = [await meanQ(200), await meanQ(400), await meanQ(800)];
    expect(a).toBeGreaterThan(1);
    expect((a - b) / (b - c)).toBeCloseTo(2, 1);
  });
});

describe("exact, prior of a network narrower than its outputs", () => {
  it("gives the moments and leaves out densities, which do not exist, with a warning", async () => {
    const registry = createRegistry([activations, priorFc, plugin]);
    const network = resolveNetworkInput({ type: "fully-connected", widths: [1], activation: "identity" }, registry);
    const problem = {
      network,
      inputs: matrixFromRows([
        [1, 0.5],
        [0.2, -1],
      ]),
      outputs: 3,
      evaluateAt: [
        matrixFromRows([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ],
      samples: 1,
    };
    const result = await exact.prior!(problem, validate(exact.options, {}), inlineRun({ registry }));
    expect(result.excessKurtosis![0]).toBeCloseTo(6, 12);
    expect(result.logDensity).toBeUndefined();
    expect(result.warnings).toEqual([
      "log densities are left out: a width of 1 confines the 3 outputs to a subspace, where they have no density",
    ]);
  });
});
