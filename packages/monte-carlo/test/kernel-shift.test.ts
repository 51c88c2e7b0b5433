import { readFileSync } from "node:fs";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { monteCarlo, plugin } from "../src/index.js";

interface Case {
  readonly inputs: {
    readonly X: number[][];
    readonly y: number[];
    readonly T: number;
    readonly widths: readonly number[];
    readonly activation: string;
  };
  readonly expected: { readonly shiftLastLayer: number[][]; readonly shiftSE: number[][] };
}

const file = new URL("../../../verification/fixtures/evidence-trust/kernel-shift.json", import.meta.url);
const { tolerance, cases } = JSON.parse(readFileSync(file, "utf8")) as { tolerance: { standardErrors: number }; cases: readonly Case[] };
const registry = createRegistry([activations, priorFc, plugin]);

describe("shift of hidden kernels by the Stein–Mehler identity", () => {
  it.each(cases.map((one) => [`${one.inputs.activation} ${one.inputs.widths.join(", ")}`, one] as const))(
    "%s: the shift of the last layer, and far less noise than the kernels have",
    async (_, { inputs: { X, y, T, widths, activation }, expected }) => {
      const { posterior } = await fit(
        monteCarlo,
        { network: { type: "fully-connected", widths, activation }, inputs: X, targets: y, temperature: T },
        { registry, options: { shifts: true, chains: 4, draws: 400, warmup: 200 }, seed: 3 },
      );
      const shift = posterior.hiddenKernelShifts!.at(-1)!;
      const error = posterior.standardError!.hiddenKernelShifts!.at(-1)!;
      const scores = [...shift.data].map(
        (value, k) => Math.abs(value - expected.shiftLastLayer.flat()[k]!) / Math.hypot(error.data[k]!, expected.shiftSE.flat()[k]!),
      );
      expect(Math.max(...scores)).toBeLessThan(tolerance.standardErrors);
      const norm = (data: Float64Array): number => Math.hypot(...data);
      if (widths[0]! >= 60) expect(norm(error.data)).toBeLessThan(norm(posterior.standardError!.hiddenKernels!.at(-1)!.data) / 2);
      // an estimator that returned nothing would be far off
      expect(norm(Float64Array.from(expected.shiftLastLayer.flat()))).toBeGreaterThan(5 * norm(error.data));
    },
  );
});
