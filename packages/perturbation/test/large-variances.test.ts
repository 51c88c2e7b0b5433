import { fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { perturbative } from "../src/index.js";
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
});
