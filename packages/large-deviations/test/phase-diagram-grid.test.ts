import { erf } from "@finitewidth/activations";
import { fit, inlineRun, matrixFromRows, resolveArchitecture, type Matrix } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { criticalBiasVariance, criticalityAt, criticalLine, forwardBackward, phaseDiagram, type PhaseDiagramInput } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const run = inlineRun({ registry, seed: 4 });
const adaptation = {
  inputs: matrixFromRows([
    [1, 0.5, -1],
    [0.2, 1.4, 0.3],
    [-0.7, 0.1, 0.9],
  ]),
  targets: matrixFromRows([
    [1, 0.3],
    [-0.5, 2],
    [0.4, -1],
  ]),
  widths: [5, 9],
  temperature: 0.05,
  order: "full",
  closure: "gaussian-variational",
} as const;
const grid: PhaseDiagramInput = { activation: "erf", weightVariance: [0.6, 1.7], biasVariance: [0, 0.1, 0.5], adaptation };

describe("a diagram of two weight variances and three bias variances", () => {
  it("has the numbers of each point where it stands", async () => {
    const whole = await phaseDiagram(grid, run);
    for (const [i, weightVariance] of grid.weightVariance.entries()) {
      for (const [j, biasVariance] of grid.biasVariance.entries()) {
        const point = criticalityAt(erf, { weightVariance, biasVariance });
        const finite = (value: number) => (Number.isFinite(value) ? value : null);
        for (const key of [
          "variance",
          "chiPerp",
          "chiParallel",
          "correlation",
          "correlationSlope",
          "depthScaleVariance",
          "depthScaleCorrelation",
        ] as const)
          expect(whole[key][i]![j], `${key} at ${i}, ${j}`).toBe(finite(point[key]));
        expect(whole.regime[i]![j]).toBe(point.regime);
        const { adaptation: one } = await phaseDiagram({ ...grid, weightVariance: [weightVariance], biasVariance: [biasVariance] }, run);
        expect(whole.adaptation!.shift[i]![j]).toBe(one!.shift[0]![0]);
        expect(whole.adaptation!.alignmentGain[i]![j]).toBe(one!.alignmentGain[0]![0]);
      }
    }
    expect(new Set(whole.adaptation!.shift.flat()).size).toBe(6);
    expect(whole.adaptation!.alignmentGain.flat().every((gain) => gain! > 0)).toBe(true);
    const flat = whole.adaptation!.shift.flat() as number[];
    const most = flat.indexOf(Math.max(...flat));
    expect(whole.adaptation!.maximum).toEqual({
      weightVariance: grid.weightVariance[Math.floor(most / 3)],
      biasVariance: grid.biasVariance[most % 3],
    });
    expect(whole.grid).toEqual({ weightVariance: [0.6, 1.7], biasVariance: [0, 0.1, 0.5] });
    expect(whole.criticalLine).toEqual(criticalLine(erf, 0.6, 1.7));
    expect(whole.criticalBiasVariance).toEqual([null, criticalBiasVariance(erf, 1.7)]);
    expect(whole.warnings).toEqual([expect.stringMatching(/Gaussian variational closure/)]);
  });

  it("weight and bias variances are those of every layer, and exchange nothing", async () => {
    const at = async (weightVariance: number, biasVariance: number, change: object = {}) =>
      (await phaseDiagram({ ...grid, weightVariance: [weightVariance], biasVariance: [biasVariance], adaptation: { ...adaptation, ...change } }, run)).adaptation!; // prettier-ignore
    const [one, other] = [await at(1.7, 0.1), await at(0.1, 1.7)];
    expect(one.shift).not.toEqual(other.shift);
    // wider layers adapt less, colder data pull more
    expect((await at(1.7, 0.1, { widths: [50, 90] })).shift[0]![0]).toBeLessThan(one.shift[0]![0]!);
    expect((await at(1.7, 0.1, { temperature: 1 })).shift[0]![0]).toBeLessThan(one.shift[0]![0]!);
  });

  it.each([
    ["erf", "full", "quadrature"],
    ["erf", "first", "quadrature"],
    ["tanh", "full", "gaussian-variational"],
    ["identity", "full", "quadrature"],
  ] as const)("adaptation is what forward–backward equations give: %s, order %s, %s", async (activation, order, closure) => {
    const [weightVariance, biasVariance] = [1.4, activation === "identity" ? 0 : 0.2];
    const { adaptation: found } = await phaseDiagram(
      { activation, weightVariance: [weightVariance], biasVariance: [biasVariance], adaptation: { ...adaptation, order, closure } },
      run,
    );
    const { inputs, targets, widths, temperature } = adaptation;
    const network = { type: "fully-connected", activation, widths, weightVariance, biasVariance };
    const { posterior } = await fit(
      forwardBackward,
      { network, inputs, targets, temperature },
      { registry, options: { order, closure }, seed: 4 },
    );
    const architecture = resolveArchitecture(registry, posterior.problem.network);
    const before = infiniteWidthKernels(architecture, inputs).preactivation.at(-1)!;
    const after = posterior.state.kernels.at(-1)!;
    const size = (of: Float64Array) => Math.hypot(...of);
    // the diagram takes a coarser lattice
    expectClose(found!.shift[0]![0]!, size(after.data.map((value, k) => value - before.data[k]!)) / size(before.data), { relative: 3e-4 });
    const centred = (row: Matrix): number[][] => {
      const entry = (i: number, j: number): number => row.data[3 * i + j]!;
      const along = (i: number): number => (entry(i, 0) + entry(i, 1) + entry(i, 2)) / 3;
      const all = (along(0) + along(1) + along(2)) / 3;
      return [0, 1, 2].map((i) => [0, 1, 2].map((j) => entry(i, j) - along(i) - along(j) + all));
    };
    const labels = centred(gram(targets)).flat();
    const alignment = (kernel: Matrix): number => {
      const values = centred(kernel).flat();
      return values.reduce((sum, value, k) => sum + value * labels[k]!, 0) / (Math.hypot(...values) * Math.hypot(...labels));
    };
    expectClose(found!.alignmentGain[0]![0]!, alignment(after) - alignment(before), { relative: 3e-3 });
  });

  it("linear networks without biases have the matrix equation, with biases the nodes, and both join", async () => {
    const { adaptation: found } = await phaseDiagram(
      { activation: "identity", weightVariance: [0.9], biasVariance: [0, 1e-9], adaptation: { ...adaptation, closure: undefined } },
      run,
    );
    expect(found!.shift[0]![0]).toBeCloseTo(found!.shift[0]![1]!, 5);
    expect(found!.alignmentGain[0]![0]).toBeCloseTo(found!.alignmentGain[0]![1]!, 5);
  });

  it("tells how many variances are without limit, and what is wrong with the data", async () => {
    const relu = await phaseDiagram({ activation: "relu", weightVariance: [1, 2, 3], biasVariance: [0, 0.1] }, run);
    expect(relu.warnings).toEqual(["the variance of relu networks grows without limit at 3 of 6 grid points"]);
    expect(relu.adaptation).toBeUndefined();
    const wrong = (change: object) => phaseDiagram({ ...grid, adaptation: { ...adaptation, ...change } }, run);
    await expect(wrong({ targets: matrixFromRows([[1], [2]]) })).rejects.toThrow(/^adaptation\.data\.train\.targets.*3 rows/);
    await expect(wrong({ widths: [] })).rejects.toThrow(/^adaptation\.widths: expected at least one/);
    await expect(wrong({ widths: [5, 0] })).rejects.toThrow(/^adaptation\.widths\[1\]: expected a positive integer, got 0/);
    await expect(wrong({ temperature: -1 })).rejects.toThrow(/^adaptation\.likelihood\.temperature: expected a number ≥ 0, got -1/);
    for (const [key, value] of [
      ["weightVariance", [1, Infinity]],
      ["biasVariance", [0, NaN]],
    ] as const)
      // prettier-ignore
      await expect(phaseDiagram({ ...grid, [key]: value }, run)).rejects.toThrow(new RegExp(`^${key}\\[1\\]`));
    for (const key of ["weightVariance", "biasVariance"]) await expect(phaseDiagram({ ...grid, [key]: [] }, run)).rejects.toThrow(key);
  });
});
