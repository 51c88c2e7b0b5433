import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, matrix, matrixFromRows, rowRange, type Matrix } from "@finitewidth/core";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import { expectationPropagation } from "../src/index.js";

interface Truth {
  readonly case: string;
  readonly data: string;
  readonly N: number;
  readonly T: number;
  readonly activation: string;
  readonly hmc: { readonly bias: number; readonly variance: number; readonly meanFirst10: number[]; readonly hiddenKernel5x5: number[][] };
}
const truths = readFixture<Truth[]>("strong-labels/truth-and-theory");
const registry = createRegistry([activations, fullyConnected]);

function digitsOf(name: string): { readonly inputs: Matrix; readonly labels: number[] } {
  const { raw, labels, mean, std } = readFixture<{ raw: number[][]; labels: number[]; mean: number; std: number }>(
    name.replace(".json", ""),
  );
  const pixels = matrixFromRows(raw);
  return {
    inputs: matrix(
      pixels.shape[0],
      pixels.shape[1],
      pixels.data.map((value) => (value - mean) / std),
    ),
    labels,
  };
}

async function solveCase(truth: Truth) {
  const { inputs, labels } = digitsOf(`strong-labels/${truth.data}`);
  const [train, test] = [rowRange(inputs, 0, 60), rowRange(inputs, 60, 260)];
  const network = { type: "fully-connected", widths: [truth.N], activation: truth.activation };
  const problem = { network, inputs: train, targets: labels.slice(0, 60), temperature: truth.T };
  const { posterior, predict } = await fit(expectationPropagation, problem, { registry, options: { particles: 700, sweeps: 45 }, seed: 3 });
  const { mean, variance } = await predict(test);
  const bias = labels.slice(60, 260).reduce((sum, y, a) => sum + (mean.data[a]! - y) ** 2 / 200, 0);
  return { posterior, mean: mean.data, bias, variance: variance.data.reduce((sum, v) => sum + v / 200, 0) };
}

describe("handwritten digits against the sampled network", () => {
  // infinite width is off by 12 % and 6 %, Gaussian equivalence by 15 % and 5 %; the hidden kernel's error includes that of the sampler
  it.each(["d38_P60_N40", "d01relu_P60_N20"])("%s", { timeout: 120_000 }, async (name) => {
    const truth = truths.find((t) => t.case === name)!;
    const { posterior, mean, bias, variance } = await solveCase(truth);
    const { hmc } = truth;
    expect(Math.abs((bias + variance) / (hmc.bias + hmc.variance) - 1)).toBeLessThan(0.05);
    expect(Math.abs(bias / hmc.bias - 1)).toBeLessThan(0.06);
    expect(Math.abs(variance / hmc.variance - 1)).toBeLessThan(0.06);
    let [difference, size] = [0, 0];
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 5; j++) {
        difference += (posterior.hiddenKernels![0]!.data[i * 60 + j]! - hmc.hiddenKernel5x5[i]![j]!) ** 2;
        size += hmc.hiddenKernel5x5[i]![j]! ** 2;
      }
    }
    expect(Math.sqrt(difference / size)).toBeLessThan(0.1);
    for (const [a, value] of hmc.meanFirst10.entries()) expect(Math.abs(mean[a]! - value)).toBeLessThan(0.1);
    // three and eight at N = 40: mostly one aligned unit, sometimes none
    const { none, one } = posterior.diagnostics["alignedUnits"] as { readonly none: number; readonly one: number };
    expect(name === "d38_P60_N40" ? one : none).toBeGreaterThan(0.7);
  });
});
