import { fit, inlineRun, matrixFromRows, resolveNetworkInput, validate } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { perturbative, type PerturbativeOptions } from "../src/index.js";
import { registry } from "./networks.js";

const network = { type: "fully-connected", widths: [200], activation: "tanh", weightVariance: [1.4, 1.6] };
const targets = [0.4, -1.1];
/** Orthogonal directions, a little apart in length. */
const inputs = (scale: number) => targets.map((_, i) => targets.map((__, j) => (i === j ? scale * (1 + 0.1 * i) : 0.1 * scale)));

describe("variances at which quadrature would take too many nodes", () => {
  const problem = { network, inputs: inputs(1000), targets, temperature: 0.1 };
  const options = { samples: 512 };

  it("are sampled where the engine is free, and refused where it is not", async () => {
    const { posterior, predict } = await fit(perturbative, problem, { registry, options });
    expect(posterior.diagnostics["engine"]).toBe("sampled");
    expect(posterior.standardError?.logEvidence).toBeDefined();
    // tanh of large fields is their sign
    expect(posterior.hiddenKernels![0]!.data[0]).toBeGreaterThan(0.9);
    expect((await predict([[100, 300]])).variance.data[0]).toBeGreaterThan(0);
    await expect(fit(perturbative, problem, { registry, options: { engine: "exact" } })).rejects.toThrow(/evaluations at variance/);
  });

  it.each(["auto", "sampled", "exact"])("leave the prior its moments, covariances and densities left out (engine %s)", async (engine) => {
    const question = {
      network: resolveNetworkInput(network, registry),
      inputs: matrixFromRows(inputs(1000)),
      outputs: 1,
      evaluateAt: [matrixFromRows([[1], [2]])],
      samples: 1,
    };
    const own = validate(perturbative.options, { engine }, "options") as PerturbativeOptions;
    const found = await perturbative.prior!(question, own, inlineRun({ registry }));
    // tanh of large fields is their sign, whose square does not fluctuate
    expect(found.secondMoment!.data[0]).toBeCloseTo(1.6, 2);
    expect(found.excessKurtosis![0]).toBeGreaterThan(0);
    expect(found.excessKurtosis![0]).toBeLessThan(1e-4);
    expect([found.kernelCovariance, found.fourthCumulant, found.logDensity]).toEqual([undefined, undefined, undefined]);
    expect(found.warnings).toEqual([
      expect.stringMatching(/^covariances of the kernel are left out: .* "tanh" would take too many nodes$/),
      expect.stringMatching(/^log densities are left out/),
    ]);
  });
});
