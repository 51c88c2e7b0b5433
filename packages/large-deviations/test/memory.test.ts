import { fit, type Theory } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, describe, expect, it, vi } from "vitest";
import { effectiveAction, forwardBackward, largeDeviation } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (n: number, m: number) => ({ data: stream(5, n, m).normals(new Float64Array(n * m)), shape: [n, m] as const });
const dense = (activation: string) => ({ type: "fully-connected", widths: [5], activation });

const leave = (mebibytes: number) =>
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(mebibytes * 2 ** 20);

describe("memory is counted before a fit", () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    ["large-deviation", largeDeviation as Theory, dense("identity"), 1],
    ["forward-backward", forwardBackward as Theory, dense("identity"), 1],
    ["effective-action, several outputs", effectiveAction as Theory, dense("erf"), 2],
    ["effective-action, an activation with a mean", effectiveAction as Theory, dense("relu"), 1],
  ])("%s: refused with the number and a remedy", async (name, theory, network, outputs) => {
    leave(50);
    const problem = { network, inputs: rows(1100, 3), targets: rows(1100, outputs), temperature: 0.1 };
    await expect(fit(theory, problem, { registry })).rejects.toThrow(
      new RegExp(`\\[${name.split(",")[0]!}\\] 1100 training points need .* GiB .* use at most \\d+ training points`),
    );
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
