import { erf, gelu, identity, plugin as activations, quadratic, relu, sign, tanh } from "@finitewidth/activations";
import { createRegistry, inlineRun, matrixFromRows, type Activation } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import {
  correlationMap,
  criticalBiasVariance,
  criticalityAt,
  criticalLine,
  fixedPointVariance,
  phaseDiagram,
  susceptibilities,
  varianceMap,
} from "../src/index.js";

interface CriticalityCase {
  readonly case: string;
  readonly inputs: {
    readonly activation: string;
    readonly weightVariance?: number;
    readonly biasVariance?: number;
    readonly weightVariances?: number[];
  };
  readonly expected: {
    readonly variance: number;
    readonly chiPerp: number;
    readonly chiParallel: number;
    readonly depthScaleVariance: number;
    readonly phase: string;
    readonly correlation: number;
    readonly correlationSlope: number;
    readonly depthScaleCorrelation: number;
    readonly criticalBiasVariances?: number[];
  };
  readonly tolerance: { readonly relative?: number; readonly absolute?: number };
}
const byName: Record<string, Activation> = { erf, tanh, relu, linear: identity, sign };
const cases = readFixture<{ cases: CriticalityCase[] }>("forward-backward/criticality").cases;
const run = inlineRun({ registry: createRegistry([activations]) });

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, { inputs, expected, tolerance }) => {
  const activation = byName[inputs.activation]!;
  it("matches", () => {
    if (expected.criticalBiasVariances) {
      inputs.weightVariances!.forEach((weight, i) =>
        expect(Math.abs(criticalBiasVariance(activation, weight)! - expected.criticalBiasVariances![i]!)).toBeLessThan(tolerance.absolute!),
      );
      return;
    }
    const found = criticalityAt(activation, { weightVariance: inputs.weightVariance!, biasVariance: inputs.biasVariance! });
    expect(found.regime).toBe(expected.phase);
    // the reference iterates towards c* = 0 and stops at 2e-13
    for (const key of [
      "variance",
      "chiPerp",
      "chiParallel",
      "depthScaleVariance",
      "correlation",
      "correlationSlope",
      "depthScaleCorrelation",
    ] as const) {
      expect(Math.abs(found[key] - expected[key]), key).toBeLessThan(tolerance.relative! * Math.abs(expected[key]) + 1e-12);
    }
  });
});

describe("fixed points", () => {
  it("the fixed points of both maps are fixed, and the slope is the derivative of the map", () => {
    for (const activation of [erf, tanh]) {
      const point = { weightVariance: 2.4, biasVariance: 0.07 };
      const { variance: q, correlation: c, correlationSlope: slope } = criticalityAt(activation, point);
      expect(varianceMap(activation, q, point)).toBeCloseTo(q, 12);
      expect(correlationMap(activation, c, q, point)).toBeCloseTo(c, 12);
      const h = 1e-5;
      expect((correlationMap(activation, c + h, q, point) - correlationMap(activation, c - h, q, point)) / (2 * h)).toBeCloseTo(slope, 7);
    }
  });

  it("has the special cases of homogeneous activations", () => {
    expect(criticalityAt(relu, { weightVariance: 2, biasVariance: 0 }).regime).toBe("critical");
    expect(criticalityAt(relu, { weightVariance: 2, biasVariance: 0.1 })).toMatchObject({
      regime: "unbounded",
      variance: Number.POSITIVE_INFINITY,
      chiPerp: 1,
    });
    expect(criticalityAt(identity, { weightVariance: 1.2, biasVariance: 0 }).regime).toBe("unbounded");
    expect(fixedPointVariance(relu, { weightVariance: 1, biasVariance: 0 })).toBe(0);
    expect(criticalityAt(erf, { weightVariance: 0.5, biasVariance: 0 })).toMatchObject({ variance: 0, correlation: 1, regime: "ordered" });
    expect(criticalBiasVariance(relu, 1.9)).toBeUndefined();
    expect(criticalBiasVariance(erf, 0.7)).toBeUndefined();
    expect(criticalLine(relu, 1, 3)).toEqual([[2, 0]]);
    expect(criticalityAt(sign, { weightVariance: 1, biasVariance: 0.1 }).regime).toBe("chaotic");
  });

  it("every point of the critical line has χ⊥ = 1 at the iterated fixed point", () => {
    for (const activation of [erf, tanh]) {
      for (const [weightVariance, biasVariance] of criticalLine(activation, 0.5, 3, 9)) {
        let q = 1;
        for (let i = 0; i < 4000; i++) q = varianceMap(activation, q, { weightVariance, biasVariance });
        expect(
          Math.abs(susceptibilities(activation, q, weightVariance).perpendicular - 1),
          `${activation.name} at ${weightVariance}`,
        ).toBeLessThan(weightVariance < 1.001 ? 1e-3 : 1e-9);
      }
    }
  });

  it("χ⊥ = 1 at a fixed point that iterations leave is not on the line: gelu at σ_w² from 2 to 3, quadratic anywhere", () => {
    for (const weightVariance of [2.05, 2.25, 2.5, 2.75, 3]) expect(criticalBiasVariance(gelu, weightVariance)).toBeUndefined();
    for (const weightVariance of [0.1, 0.3, 0.5, 1, 2]) expect(criticalBiasVariance(quadratic, weightVariance)).toBeUndefined();
  });
});

describe("phase diagram", () => {
  it("gives the fields of phase.json as plain data, null where a number does not exist", async () => {
    const result = await phaseDiagram({ activation: "relu", weightVariance: [1, 2, 3], biasVariance: [0, 0.1] }, run);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(result.regime).toEqual([
      ["ordered", "ordered"],
      ["critical", "unbounded"],
      ["unbounded", "unbounded"],
    ]);
    expect(result.variance).toEqual([
      [0, expect.closeTo(0.2, 12)],
      [1, null],
      [null, null],
    ]);
    expect(result.criticalLine).toEqual([[2, 0]]);
    expect(result.criticalBiasVariance).toEqual([null, 0, null]);
    expect(result.warnings).toHaveLength(1);
  });

  it("names the field that is wrong", async () => {
    await expect(phaseDiagram({ activation: "erf", weightVariance: [1, 0], biasVariance: [0] }, run)).rejects.toThrow(
      "weightVariance[1]: expected a positive number, got 0",
    );
    await expect(phaseDiagram({ activation: "erf", weightVariance: [1], biasVariance: [-1] }, run)).rejects.toThrow("biasVariance[0]");
    await expect(phaseDiagram({ activation: "nothing", weightVariance: [1], biasVariance: [0] }, run)).rejects.toThrow("activation");
  });

  it("fixture adaptation-curve: shift, alignment gain and their maximum, which is not where χ⊥ = 1", async () => {
    interface Curve {
      readonly inputs: {
        readonly gram: number[][];
        readonly Y: number[][];
        readonly depth: number;
        readonly width: number;
        readonly temperature: number;
        readonly biasVariance: number;
        readonly weightVariances: number[];
      };
      readonly expected: {
        readonly chiPerp: number[];
        readonly shift: number[];
        readonly alignmentGain: number[];
        readonly weightVarianceAtMaximum: number;
      };
      readonly tolerance: { readonly relative: number };
    }
    const { inputs, expected, tolerance } = readFixture<{ cases: Curve[] }>("forward-backward/adaptation-curve").cases[0]!;
    // K¹ = σ_w² XXᵀ/3 + σ_b²: rows of the Cholesky factor of the Gram matrix, times √3
    const { factor } = cholesky(matrixFromRows(inputs.gram));
    const x = { data: factor.data.map((value) => value * Math.sqrt(3)), shape: factor.shape };
    const picked = [2, 3, 5];
    const result = await phaseDiagram(
      {
        activation: "erf",
        weightVariance: picked.map((i) => inputs.weightVariances[i]!),
        biasVariance: [inputs.biasVariance],
        adaptation: {
          inputs: x,
          targets: matrixFromRows(inputs.Y),
          widths: Array.from({ length: inputs.depth }, () => inputs.width),
          temperature: inputs.temperature,
          order: "full",
        },
      },
      run,
    );
    picked.forEach((i, k) => {
      expect(result.chiPerp[k]![0]! / expected.chiPerp[i]! - 1).toBeCloseTo(0, 7);
      expect(Math.abs(result.adaptation!.shift[k]![0]! / expected.shift[i]! - 1)).toBeLessThan(tolerance.relative);
      expect(Math.abs(result.adaptation!.alignmentGain[k]![0]! / expected.alignmentGain[i]! - 1)).toBeLessThan(tolerance.relative);
    });
    expect(result.adaptation!.maximum).toEqual({ weightVariance: expected.weightVarianceAtMaximum, biasVariance: inputs.biasVariance });
    expect(result.criticalLine.find(([weight]) => weight === inputs.weightVariances[3]!)![1]).toBeLessThan(inputs.biasVariance);
  }, 60_000);
});
