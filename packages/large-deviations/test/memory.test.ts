import { createProblem, fit, validate, type Theory } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, describe, expect, it, vi } from "vitest";
import { effectiveAction, forwardBackward, largeDeviation } from "../src/index.js";
import { memoryNeed } from "../src/forward-backward/memory-need.js";
import { testRegistry } from "./registry.ts";
import { normalMatrix } from "../../../tools/testing.ts";

const registry = testRegistry();
const rows = (n: number, m: number) => normalMatrix(stream(5, n, m), n, m);
const dense = (activation: string) => ({ type: "fully-connected", widths: [5], activation });

const leave = (mebibytes: number) =>
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(mebibytes * 2 ** 20);

describe("arrays of forward–backward", () => {
  const arraysOf = (activation: string, widths: number[], options: Record<string, unknown>, biasVariance = 0) => {
    const network = { type: "fully-connected", widths, activation, biasVariance };
    const problem = createProblem({ network, inputs: rows(400, 3), targets: rows(400, 2), temperature: 0.1 }, registry);
    return memoryNeed(problem, validate(forwardBackward.options, options, "options"), registry);
  };
  it.each([
    // docs/benchmarks.md: 101 counted at 400 points with the nodes of the default
    ["erf", [5], {}, 0, 30 + 30 + (2 * 8192) / 400],
    ["erf", [5, 6], { nodes: 15 }, 0, 30 + 60 + (2 * 32768) / 400],
    ["relu", [5], { order: "first", nodes: 10 }, 0, 30 + 30 + (2 * 1024) / 400],
    ["erf", [5, 6, 7], { closure: "gaussian-variational" }, 0, 30 + 90],
    ["identity", [5, 6, 7], {}, 0, 17 + 12],
    ["identity", [5, 6], { order: "first" }, 0, 30 + 60],
    ["identity", [5, 6], {}, 0.1, 30 + 60],
  ] as const)("%s, widths %j, %j, biases %d: %d", (activation, widths, options, bias, expected) => {
    const need = arraysOf(activation, [...widths], options, bias);
    expect(need.arrays).toBeCloseTo(expected, 10);
    expect([need.method, need.points]).toEqual(["forward-backward", 400]);
  });
});

describe("memory is counted before a fit", () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    ["large-deviation", largeDeviation as Theory, dense("identity"), 1, {}, "\\d+"],
    ["forward-backward", forwardBackward as Theory, dense("identity"), 1, {}, "21"],
    ["effective-action, several outputs", effectiveAction as Theory, dense("erf"), 2, {}, "10"],
    ["effective-action, an activation with a mean", effectiveAction as Theory, dense("relu"), 1, {}, "10"],
    ["effective-action, three layers", effectiveAction as Theory, { ...dense("erf"), widths: [5, 6, 4] }, 1, {}, "6\\.2"],
    ["effective-action, affine", effectiveAction as Theory, { ...dense("erf"), widths: [5, 6] }, 1, { closure: "affine" }, "14"],
    ["effective-action, chain", effectiveAction as Theory, { ...dense("identity"), widths: [5, 6] }, 2, {}, "10"],
    ["effective-action, mean left out", effectiveAction as Theory, dense("relu"), 1, { mean: "plain" }, "9\\.4"],
  ])("%s: refused with the number and a remedy", async (name, theory, network, outputs, options, arrays) => {
    leave(50);
    const problem = { network, inputs: rows(1100, 3), targets: rows(1100, outputs), temperature: 0.1 };
    await expect(fit(theory, problem, { registry, options })).rejects.toThrow(
      new RegExp(`\\[${name.split(",")[0]!}\\] 1100 training points need .* GiB \\(${arrays} arrays.* use at most \\d+ training points`),
    );
  });

  it.each([
    ["one output, one layer", {}, 1, 16],
    ["one output, three layers", { widths: [5, 4, 6] }, 1, 20],
    ["several outputs: the eigenbasis of the kernel still", { widths: [5, 4] }, 3, 18],
    ["biases above: all outputs at once", { widths: [5, 4], biasVariance: [0, 0.1, 0] }, 3, 160],
  ])("large-deviation counts the arrays of %s", async (_, change, outputs, arrays) => {
    leave(50);
    const problem = { network: { ...dense("identity"), ...change }, inputs: rows(1100, 3), targets: rows(1100, outputs), temperature: 0.1 };
    await expect(fit(largeDeviation as Theory, problem, { registry })).rejects.toThrow(`(${arrays} arrays of 1100 × 1100 numbers)`);
  });

  it("effective-action with room for the fit but not for the eigenvectors: the same numbers, without what takes them", async () => {
    const problem = { network: dense("erf"), inputs: rows(1010, 1100), targets: rows(1010, 1), temperature: 0.1 };
    const tests = rows(3, 1100);
    const whole = await fit(effectiveAction, problem, { registry });
    leave(50);
    const { posterior, predict } = await fit(effectiveAction, problem, { registry });
    expect(Object.keys(whole.posterior)).toContain("train");
    expect(Object.keys(posterior)).not.toContain("train");
    expect(Object.keys(posterior)).not.toContain("hiddenKernels");
    expect(posterior.warnings.join()).toMatch(/1010 training points and their learned kernel are left out: there is no room/);
    expect(posterior.logEvidence).toBe(whole.posterior.logEvidence);
    expect(await predict(tests)).toEqual(await whole.predict(tests));
    const corrected = fit(effectiveAction, problem, { registry, options: { correction: "cumulant" } });
    await expect(corrected).rejects.toThrow(/1010 training points need 0\.1 GiB \(9\.4 arrays/);
  });
});
