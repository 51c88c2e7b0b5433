import { fit } from "@finitewidth/core";
import { afterEach, expect, it, vi } from "vitest";
import { expectationPropagation } from "../src/index.js";
import { registry } from "./importance-sampling.js";

afterEach(() => void vi.restoreAllMocks());

it("more points than memory holds are refused with the number and a remedy, before anything is made", async () => {
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(100 * 2 ** 20);
  const points = 1100;
  const inputs = { data: Float64Array.from({ length: 2 * points }, (_, i) => Math.sin(i)), shape: [points, 2] as const };
  const targets = { data: Float64Array.from({ length: points }, (_, i) => (i % 3 === 0 ? 1 : -1)), shape: [points, 1] as const };
  const network = { type: "fully-connected", widths: [5], activation: "erf" };
  await expect(fit(expectationPropagation, { network, inputs, targets, temperature: 0.1 }, { registry })).rejects.toThrow(
    /^\[expectation-propagation\] 1100 training points need 0\.3 GiB \(31 arrays .*: use at most 650 training points, or "effective-action"$/,
  );
});
