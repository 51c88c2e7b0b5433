import { fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { forwardBackward } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();

// far below the noise f = K*y/T: (0.3, 1.1)·Xᵀy/(2 T) = 21.2 in units of the squared scale; var f = |x*|²/2 = 0.65
it.each([1e-100, 1e-150, 1e-153])("linear networks at inputs of %d have the means of small kernels", async (scale) => {
  for (const widths of [[4], [5, 3]]) {
    const rows = (list: number[][]) => list.map((row) => row.map((value) => scale * value));
    const { posterior, predict } = await fit(
      forwardBackward,
      {
        network: { type: "fully-connected", widths, activation: "identity" },
        inputs: rows([
          [1, 2],
          [0.5, -1],
          [0.5, 1.3],
        ]),
        targets: [1, -1, 0.5],
        temperature: 0.1,
      },
      { registry },
    );
    const { mean, variance } = await predict(rows([[0.3, 1.1]]));
    expect(mean.data[0]! / scale / scale).toBeCloseTo(21.2, 9);
    expect(variance.data[0]! / scale / scale).toBeCloseTo(0.65, 9);
    expect(posterior.logEvidence).toBeCloseTo(-0.5 * (3 * Math.log(2 * Math.PI * 0.1) + 2.25 / 0.1), 10);
  }
});

it("where the kernel has no digits left the inputs are refused by name", async () => {
  const problem = {
    network: { type: "fully-connected", widths: [4], activation: "tanh" },
    inputs: [
      [1e-160, 0],
      [0, 2e-160],
    ],
    targets: [1, -1],
    temperature: 0.1,
  };
  await expect(fit(forwardBackward, problem, { registry })).rejects.toThrow(
    "inputs: expected numbers the largest of which is at least 1e-153 in size (rescale the data), got 2e-160",
  );
});
