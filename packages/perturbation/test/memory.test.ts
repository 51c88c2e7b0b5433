import { fit } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, expect, it, vi } from "vitest";
import { perturbative } from "../src/index.js";
import { registry } from "./networks.js";
import { normalMatrix } from "../../../tools/testing.ts";

const rows = (n: number, m: number) => normalMatrix(stream(5, n, m), n, m);

afterEach(() => void vi.restoreAllMocks());

it.each(["identity", "erf", "relu"])("%s: memory is counted before a fit", async (activation) => {
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(50 * 2 ** 20);
  const network = { type: "fully-connected", widths: [5, 5], activation };
  const problem = { network, inputs: rows(1100, 3), targets: rows(1100, 1), temperature: 0.1 };
  await expect(fit(perturbative, problem, { registry })).rejects.toThrow(
    /\[perturbative\] 1100 training points need .* GiB .* use at most \d+ training points/,
  );
});

it.each([
  // 14 + 19 L; 40 + 30 L and six numbers a draw, layer and point, 4 · 256 draws; (L + 2) kernels of 256 networks
  ["auto", { widths: [5, 5], activation: "identity" }, {}, 52],
  ["auto", { widths: [5], activation: "identity" }, {}, 33],
  ["sampled", { widths: [5, 5], activation: "erf" }, {}, 110],
  ["sampled", { widths: [5, 5], activation: "erf" }, { samples: 2 ** 16 }, 280],
  ["networks", { widths: [5, 5], activation: "erf" }, {}, 1100],
  ["networks", { widths: [5], activation: "erf" }, { samples: 1024 }, 260],
  [
    "auto",
    { type: "convolutional", inputShape: [1, 3], layers: [{ channels: 5, kernelSize: 2, padding: "circular" }], activation: "identity" },
    {},
    300,
  ],
] as const)("engine %s of %j with %j: so many arrays", async (engine, network, more, arrays) => {
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(50 * 2 ** 20);
  const problem = { network: { type: "fully-connected", ...network }, inputs: rows(1100, 3), targets: rows(1100, 1), temperature: 0.1 };
  await expect(fit(perturbative, problem, { registry, options: { engine, ...more } })).rejects.toThrow(
    `(${arrays} arrays of 1100 × 1100 numbers)`,
  );
});

it("more points than its matrices hold are refused with how many would do, however much memory there is", async () => {
  const problem = (points: number) => ({
    network: { type: "fully-connected", widths: [5], activation: "erf" },
    inputs: rows(points, 1),
    targets: rows(points, 1),
    temperature: 0.1,
  });
  // 8 n² (5 + 6) bytes in 2³²
  await expect(fit(perturbative, problem(6987), { registry })).rejects.toThrow(
    /the kernels of 6987 points × 1 sites need about 4\.0 GiB, more than 4\.0 GiB; use at most 6986 training points/,
  );
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(50 * 2 ** 20);
  await expect(fit(perturbative, problem(6986), { registry })).rejects.toThrow(/6986 training points need .* GiB .* use at most/);
});
