import { inlineRun, matrixFromRows, resolveNetworkInput, type PriorResult, type Tensor } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { samplePrior } from "../src/index.js";
import { randomMatrix, registry } from "./helpers.js";

const network = resolveNetworkInput(
  { type: "fully-connected", widths: [3, 5], activation: "erf", weightVariance: [1.5, 1.2, 0.9], biasVariance: [0.1, 0, 0.2] } as { type: string }, // prettier-ignore
  registry,
);
const inputs = randomMatrix(2, 3, 1);
const flat = (value: unknown): number[] =>
  typeof value === "number" ? [value] : Array.from((value as Tensor).data ?? (value as Float64Array));
const quantities = ["secondMoment", "kernelMeanShift", "excessKurtosis", "kernelCovariance", "fourthCumulant", "logDensity"] as const;
const ask = (seed: number, samples: number, at: number): Promise<PriorResult> =>
  samplePrior(
    { network, inputs, outputs: 2, evaluateAt: [matrixFromRows([[0.1, -0.4], [0.3, 0.2]]), matrixFromRows([[at, 0], [0, -at]])], samples }, // prettier-ignore
    inlineRun({ registry, seed }),
  );

describe("errors of the sampled prior", () => {
  it("are the scatter over seeds, for every quantity", async () => {
    const runs: PriorResult[] = [];
    for (let seed = 1; seed <= 40; seed++) runs.push(await ask(seed, 800, 1));
    for (const quantity of quantities) {
      const values = runs.map((run) => flat(run[quantity]));
      const errors = runs.map((run) => flat(run.standardError![quantity]));
      const logs = values[0]!.map((_, i) => {
        const mean = values.reduce((sum, row) => sum + row[i]! / values.length, 0);
        const scatter = values.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / (values.length - 1);
        return Math.log(errors.reduce((sum, row) => sum + row[i]! ** 2 / errors.length, 0) / scatter);
      });
      const typical = Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length);
      // 39/χ²₃₉ lies within these with probability 0.99 for a single entry; half or twice the error are 1/4 and 4
      expect(typical, quantity).toBeGreaterThan(0.56);
      expect(typical, quantity).toBeLessThan(2);
    }
  });

  it("shrink with the root of the number of networks, and are not to be trusted where few of them count", async () => {
    const [few, many] = [await ask(1, 400, 1), await ask(1, 6400, 1)];
    for (const quantity of ["secondMoment", "logDensity"] as const) {
      const ratio = flat(few.standardError![quantity])[0]! / flat(many.standardError![quantity])[0]!;
      expect(ratio, quantity).toBeGreaterThan(3);
      expect(ratio, quantity).toBeLessThan(5.5);
    }
    expect(many.warnings).toEqual([]);
    expect(many.diagnostics).toEqual({ samples: 6400 });
    const far = (await ask(1, 400, 6)).warnings.filter((warning) => warning.includes("count for its density"));
    expect(far).toEqual([expect.stringMatching(/^evaluateAt\[1\]: only \d+ of 400 networks/)]);
  });
});
