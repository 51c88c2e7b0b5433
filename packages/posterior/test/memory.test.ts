import { fit, inlineRun, type Theory } from "@finitewidth/core";
import { tiledLength } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { afterEach, describe, expect, it, vi } from "vitest";
import { exact, nngp } from "../src/index.js";
import { fitTiles } from "../src/infinite-width/large.js";
import { testRegistry } from "./registry.ts";
import { normalMatrix } from "../../../tools/testing.ts";

const registry = testRegistry();
const rows = (n: number, m: number) => normalMatrix(stream(5, n, m), n, m);

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
  // arrays of P × P numbers that were measured to be alive at once
  it.each([
    ["one output: the tridiagonal form, and the inputs", exact, dense, 1, 2200, "4.5"],
    ["several outputs: eigenvectors and nine groups of draws of one layer", exact, dense, 2, 2100, "17"],
    ["several outputs, two layers", exact, { ...dense, widths: [5, 7] }, 2, 2100, "26"],
    ["several sites", exact, filters, 1, 6, "14"],
    ["several sites and outputs", exact, filters, 2, 6, "38"],
    ["infinite width", nngp, dense, 1, 6, "2.3"],
  ] as const)("%s: refused with the number and a remedy", async (_, theory, network, outputs, features, arrays) => {
    leave(60);
    const problem = { network, inputs: rows(2000, features), targets: rows(2000, outputs), temperature: 0.1 };
    await expect(fit(theory as Theory, problem, { registry })).rejects.toThrow(
      new RegExp(`2000 training points need .* GiB \\(${arrays.replace(".", "\\.")} arrays of .* use at most \\d+ training points`),
    );
  });

  it("tiles: half a square, and the inputs", () => {
    leave(60);
    const points = 16_001;
    const inputs = { data: new Float64Array(3 * points), shape: [points, 3] as const };
    const count = Number((tiledLength(points) / points ** 2 + 6 / points).toPrecision(2));
    expect(count).toBeLessThan(0.56);
    const never = () => expect.unreachable("a kernel was made");
    expect(() => fitTiles(never, inputs, { ...inputs, shape: [points, 3] }, 0.1, inlineRun({ registry }))).toThrow(
      new RegExp(`${count} arrays .*or the option "solver": "iterative"`),
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
