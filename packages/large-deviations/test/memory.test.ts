import { fit, type Theory } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, describe, expect, it, vi } from "vitest";
import { effectiveAction, forwardBackward, largeDeviation } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (n: number, m: number) => ({ data: stream(5, n, m).normals(new Float64Array(n * m)), shape: [n, m] as const });
const dense = (activation: string) => ({ type: "fully-connected", widths: [5], activation });

describe("memory is counted before a fit", () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    ["large-deviation", largeDeviation as Theory, dense("identity"), 1],
    ["forward-backward", forwardBackward as Theory, dense("identity"), 1],
    ["effective-action, several outputs", effectiveAction as Theory, dense("erf"), 2],
    ["effective-action, an activation with a mean", effectiveAction as Theory, dense("relu"), 1],
  ])("%s: refused with the number and a remedy", async (name, theory, network, outputs) => {
    vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(50 * 2 ** 20);
    const problem = { network, inputs: rows(1100, 3), targets: rows(1100, outputs), temperature: 0.1 };
    await expect(fit(theory, problem, { registry })).rejects.toThrow(
      new RegExp(`\\[${name.split(",")[0]!}\\] 1100 training points need .* GiB .* use at most \\d+ training points`),
    );
  });
});
