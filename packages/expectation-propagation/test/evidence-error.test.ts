import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, matrixFromRows } from "@finitewidth/core";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { expect, it } from "vitest";
import { expectationPropagation } from "../src/index.js";

const registry = createRegistry([activations, fullyConnected]);

// The error of one unit's normaliser counts N times. Runs of independent seeds scatter as they say, to what so few of them can tell.
it("the stated error of the log evidence is the scatter over seeds", { timeout: 60_000 }, async () => {
  const problem = {
    network: { type: "fully-connected", widths: [12], activation: "erf" },
    inputs: matrixFromRows([
      [1, 0.5],
      [-0.4, 1.2],
      [0.8, -0.9],
      [-1.1, 0.2],
    ]),
    targets: [1, -1, 1, -1],
    temperature: 0.2,
  };
  const runs: { readonly value: number; readonly error: number }[] = [];
  for (let seed = 1; seed <= 24; seed++) {
    const { posterior } = await fit(expectationPropagation, problem, {
      registry,
      seed,
      options: { averages: "sampling", particles: 200, sweeps: 30 },
    });
    runs.push({ value: posterior.logEvidence!, error: posterior.standardError!.logEvidence! });
  }
  const mean = runs.reduce((sum, { value }) => sum + value / runs.length, 0);
  const scatter = Math.sqrt(runs.reduce((sum, { value }) => sum + (value - mean) ** 2 / (runs.length - 1), 0));
  const stated = Math.sqrt(runs.reduce((sum, { error }) => sum + error ** 2 / runs.length, 0));
  expect(scatter / stated).toBeGreaterThan(0.5);
  expect(scatter / stated).toBeLessThan(2);
});
