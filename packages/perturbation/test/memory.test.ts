import { fit } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterEach, expect, it, vi } from "vitest";
import { perturbative } from "../src/index.js";
import { registry } from "./networks.js";

const rows = (n: number, m: number) => ({ data: stream(5, n, m).normals(new Float64Array(n * m)), shape: [n, m] as const });

afterEach(() => void vi.restoreAllMocks());

it.each(["identity", "erf", "relu"])("%s: memory is counted before a fit", async (activation) => {
  vi.spyOn(process as unknown as { availableMemory: () => number }, "availableMemory").mockReturnValue(50 * 2 ** 20);
  const network = { type: "fully-connected", widths: [5, 5], activation };
  const problem = { network, inputs: rows(1100, 3), targets: rows(1100, 1), temperature: 0.1 };
  await expect(fit(perturbative, problem, { registry })).rejects.toThrow(
    /\[perturbative\] 1100 training points need .* GiB .* use at most \d+ training points/,
  );
});
