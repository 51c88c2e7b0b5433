import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectationPropagation } from "../src/index.js";

const registry = createRegistry([activations, fullyConnected]);

describe("units that cross the wall freely", () => {
  // two clouds and their labels, six units: alignments reach from 0 to 3 without a gap, and nothing stays beyond the wall on its own
  const random = stream(1, 7);
  random.normals(new Float64Array(6));
  const side = (i: number): number => (i % 2 === 0 ? -1 : 1);
  const cloud = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      Array.from(random.normals(new Float64Array(6)), (x, k) => 0.7 * x + (k === 0 ? 1.5 * side(i) : 0)),
    );
  const problem = {
    network: { type: "fully-connected", widths: [6], activation: "erf" },
    inputs: cloud(20),
    targets: Array.from({ length: 20 }, (_, i) => side(i)),
    temperature: 0.05,
  };
  const test = cloud(60);
  const solveWith = async (branches: "both" | "symmetric") => {
    const options = { averages: "sampling", particles: 200, sweeps: 20, branches };
    const { posterior, predict } = await fit(expectationPropagation, problem, { registry, seed: 1, options });
    const { mean, variance } = await predict(test);
    const bias = mean.data.reduce((sum, m, i) => sum + (m - side(i)) ** 2 / 60, 0);
    return { posterior, mean, total: bias + variance.data.reduce((sum, v) => sum + v / 60, 0) };
  };
  it("have one measure without a wall, warned of", { timeout: 60_000 }, async () => {
    const both = await solveWith("both");
    const without = await solveWith("symmetric");
    expect(both.mean.data).toEqual(without.mean.data);
    expect(both.posterior.logEvidence).toBe(without.posterior.logEvidence);
    expect(both.posterior.warnings).toEqual([expect.stringContaining("cross the border of alignment freely")]);
    // 4 chains of 400 draws of the network: 0.0946; with a wall, 0.140
    expect(Math.abs(both.total / 0.0946 - 1)).toBeLessThan(0.1);
  });
});
