import { fit } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, describe, expect, it, vi } from "vitest";
import { exact } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (n: number, m: number) => ({ data: stream(5, n, m).normals(new Float64Array(n * m)), shape: [n, m] as const });

const leave = (mebibytes: number) => {
  const given = process as unknown as { availableMemory: () => number };
  vi.spyOn(given, "availableMemory").mockReturnValue(mebibytes * 2 ** 20);
};

describe("memory is counted before a fit", () => {
  afterEach(() => void vi.restoreAllMocks());

  const dense = { type: "fully-connected", widths: [5], activation: "identity" };
  const filters = {
    type: "convolutional",
    inputShape: [1, 6],
    layers: [{ channels: 3, kernelSize: [3], stride: [1], padding: "zero", dilation: [1] }],
    readout: "flatten",
    activation: "identity",
  };
  it.each([
    ["one output", dense, 1, 2100],
    ["several outputs", dense, 2, 2100],
    ["several sites", filters, 1, 6],
  ] as const)("%s: refused with the number and a remedy", async (_, network, outputs, features) => {
    leave(100);
    const problem = { network, inputs: rows(2000, features), targets: rows(2000, outputs), temperature: 0.1 };
    await expect(fit(exact, problem, { registry })).rejects.toThrow(
      /\[exact\] 2000 training points need .* GiB .* use at most \d+ training points/,
    );
  });

  it("one output with room for the fit but not for the eigenvectors: predictions, without what takes them", async () => {
    leave(60);
    const problem = { network: dense, inputs: rows(1010, 1100), targets: rows(1010, 1), temperature: 0.1 };
    const { posterior, predict } = await fit(exact, problem, { registry });
    expect(Object.keys(posterior)).not.toContain("train");
    expect(Object.keys(posterior)).not.toContain("hiddenKernels");
    expect(posterior.warnings.join()).toMatch(/training points are left out.*hidden kernels are left out/);
    expect((await predict(rows(3, 1100))).mean.data.every(Number.isFinite)).toBe(true);
  });
});
