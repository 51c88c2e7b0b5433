import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { effectiveAction, plugin } from "../src/index.js";
import { normalRows } from "../../../tools/testing.ts";

const registry = createRegistry([activations, priorFc, plugin]);

describe("learned kernels have no negative variances, or are left out with a sentence", () => {
  it.each([
    [2, 3],
    [3, 3],
    [4, 3],
    [1, 2],
    [40, 3],
  ])("width %i, %i outputs", async (width, outputs) => {
    const random = stream(41, width);
    const rows = (n: number, m: number): number[][] => normalRows(random, n, m);
    const network = { type: "fully-connected", widths: [width], activation: "identity" };
    const problem = { network, inputs: rows(5, 3), targets: rows(5, outputs).map((row) => row.map((y) => 0.01 * y)), temperature: 0.1 };
    const { hiddenKernels, warnings } = (await fit(effectiveAction, problem, { registry })).posterior;
    if (hiddenKernels)
      for (const { data, shape } of hiddenKernels)
        for (let i = 0; i < shape[0]; i++) expect(data[i * shape[0] + i]).toBeGreaterThanOrEqual(0);
    else expect(warnings.join()).toMatch(/hidden kernels are left out: that of layer 1 has negative variances.*"exact"/);
    if (width === 40) expect(hiddenKernels).toBeDefined();
    if (width === 2) expect(hiddenKernels).toBeUndefined();
  });
});
