import { createRegistry, fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { family, standardPlugins } from "../src/index.js";
import { digitsResNet } from "../src/scenarios/digits-resnet.js";

const registry = createRegistry(standardPlugins);

describe("a small ResNet with layer normalisation and pooling on digits", () => {
  it("nngp, perturbative and monte-carlo: the first order explains what the infinite width leaves", { timeout: 300_000 }, async () => {
    const { problem, testInputs } = family({
      name: "ResNet",
      theories: [],
      sampling: { kind: "importance", samples: 1 },
      ...digitsResNet,
    }).build(3);
    const run = async (name: string, options: Record<string, unknown>) => {
      const fitted = await fit(registry.theory(name), { ...problem, network: { ...problem.network } }, { registry, options });
      return { ...(await fitted.predict(testInputs)), kernel: fitted.posterior.hiddenKernels!.at(-1)!, posterior: fitted.posterior };
    };
    const [infinite, first, sampled] = await Promise.all([
      run("nngp", {}),
      run("perturbative", { engine: "exact" }),
      run("monte-carlo", { draws: 4000, warmup: 500 }),
    ]);
    expect(first.posterior.diagnostics["engine"]).toBe("exact");
    expect(sampled.posterior.solver.converged).toBe(true);
    const distance = ({ mean }: { mean: { data: Float64Array } }): number =>
      Math.hypot(...Array.from(mean.data, (value, i) => value - sampled.mean.data[i]!));
    const error = Math.hypot(...sampled.standardError!.mean.data);
    // second order and sampling remain; infinite width misses by more than either
    expect(distance(first)).toBeLessThan(0.5 * distance(infinite) + 4 * error);
    const kernelDistance = ({ kernel }: { kernel: { data: Float64Array } }): number =>
      Math.hypot(...Array.from(kernel.data, (value, i) => value - sampled.kernel.data[i]!));
    expect(kernelDistance(first)).toBeLessThan(0.6 * kernelDistance(infinite));
  });
});
