import { erf, gelu, identity, plugin as activations, quadratic, relu, sign, step, tanh } from "@finitewidth/activations";
import { createRegistry, inlineRun, matrixFromRows, type Activation } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
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

describe("against averages taken by midpoint sums", () => {
  const nodes = (step: number): number[] => Array.from({ length: Math.round(16 / step) }, (_, k) => -8 + (k + 0.5) * step);
  const normal = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  const line = nodes(0.02).map((z) => [z, 0.02 * normal(z)] as const);
  const plane = nodes(0.08).map((z) => [z, 0.08 * normal(z)] as const);
  const mean = (f: (z: number) => number): number => line.reduce((sum, [z, weight]) => sum + weight * f(z), 0);
  const pair = (phi: Activation, q: number, c: number): number =>
    plane.reduce((sum, [z, weight]) => {
      const first = phi.value(Math.sqrt(q) * z);
      const rest = Math.sqrt(1 - c * c);
      return sum + weight * first * plane.reduce((inner, [u, w]) => inner + w * phi.value(Math.sqrt(q) * (c * z + rest * u)), 0);
    }, 0);
  // jumps cost a step of the sums, kinks its square
  const digits: Record<string, number> = { sign: 0.02, step: 0.02, relu: 2e-3 };
  it.each([erf, tanh, gelu, relu, identity, sign, step].map((phi) => [phi.name, phi] as const))(
    "%s: fixed points, slopes, depths and phase",
    (_, phi) => {
      for (const [g, bias] of [
        [0.8, 0.3],
        [1.7, 0.1],
        [3, 0.2],
      ] as const) {
        // prettier-ignore
        const found = criticalityAt(phi, { weightVariance: g, biasVariance: bias });
        const next = (q: number): number => g * mean((z) => phi.value(Math.sqrt(q) * z) ** 2) + bias;
        let q = 1;
        for (let k = 0; k < 120 && q < 1e6; k++) q = next(q);
        if (q > 1e3) {
          expect(found).toMatchObject({
            variance: Infinity,
            regime: "unbounded",
            correlation: Number.NaN,
            depthScaleCorrelation: Number.NaN,
          });
          continue;
        }
        const where = `${phi.name} at ${g}, ${bias}`;
        expectClose(found.variance, q, { relative: 1e-6 }, where);
        const smooth = digits[phi.name] === undefined || phi === relu;
        const perpendicular = smooth ? g * mean((z) => phi.derivative(Math.sqrt(q) * z) ** 2) : Infinity;
        const parallel = (next(1.001 * q) - next(0.999 * q)) / (0.002 * q);
        expectClose(found.chiPerp, perpendicular, { relative: 1e-5 }, where);
        expectClose(found.chiParallel, parallel, { relative: 1e-4, absolute: 1e-12 }, where);
        expectClose(found.depthScaleVariance, parallel > 1e-6 ? -1 / Math.log(parallel) : 0, { relative: 1e-3 }, where);
        expect(found.regime, where).toBe(perpendicular < 1 ? "ordered" : "chaotic");
        expect(found.depthScaleCorrelation).toBe(-1 / Math.log(found.correlationSlope));
        const c = found.correlation;
        if (perpendicular < 1) {
          expect([c, found.correlationSlope]).toEqual([1, found.chiPerp]);
          continue;
        }
        const tolerance = { absolute: digits[phi.name] ?? 1e-6 };
        const map = (at: number): number => (g * pair(phi, q, at) + bias) / q;
        expect(c).toBeGreaterThan(0);
        expect(c).toBeLessThan(1);
        expectClose(map(c), c, tolerance, where);
        if (smooth) expectClose(found.correlationSlope, (map(c + 0.01) - map(c - 0.01)) / 0.02, { relative: 0.01 }, where);
        else expect(found.correlationSlope).toBeLessThan(1);
      }
    },
  );

  it.each([erf, tanh, gelu, quadratic, relu, identity, sign, step].map((phi) => [phi.name, phi] as const))(
    "%s: order and chaos lie on either side of the critical line, and nowhere else beside each other",
    (_, phi) => {
      const regimeAt = (weightVariance: number, biasVariance: number) => criticalityAt(phi, { weightVariance, biasVariance }).regime;
      const points = criticalLine(phi, 0.6, 4.2, 13);
      for (let k = 0; k < 13; k++) {
        const weight = 0.6 + 0.3 * k;
        const bias = points.find(([w]) => Math.abs(w - weight) < 1e-9)?.[1];
        expect(criticalBiasVariance(phi, weight) ?? -1).toBeCloseTo(bias ?? -1, 9);
        const seen = [0, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10].map((b) => [b, regimeAt(weight, b)] as const);
        for (const [b, regime] of seen) {
          if (regime !== "unbounded")
            expect(regime, `${weight}, ${b}`).toBe(bias === undefined ? seen[1]![1] : b < bias ? "chaotic" : "ordered");
        }
        if (bias !== undefined && phi.degree !== 1)
          expect([regimeAt(weight, 0.98 * bias), regimeAt(weight, 1.02 * bias)]).toEqual(["chaotic", "ordered"]);
      }
      const end = { erf: Math.PI / 4, tanh: 1, relu: 2, identity: 1 }[phi.name];
      expect(points.filter(([, bias]) => bias === 0)).toEqual(end === undefined ? [] : [[expect.closeTo(end, 14), 0]]);
      expect(points.map(([w]) => w)).toEqual(points.map(([w]) => w).toSorted((a, b) => a - b));
      expect(points).toHaveLength({ erf: 13, tanh: 12, relu: 1, identity: 1 }[phi.name] ?? 0);
    },
  );

  it("the line has 121 weight variances from one end to the other unless told otherwise, and its own end", () => {
    const line = criticalLine(erf, 1, 2);
    expect(line.map(([w]) => w)).toEqual(Array.from({ length: 121 }, (_, k) => 1 + k / 120));
    expect(criticalLine(erf, 1.3, 2, 1)).toEqual([[1.3, criticalBiasVariance(erf, 1.3)]]);
    expect(criticalLine(tanh, 1, 1.5, 3).map(([w]) => w)).toEqual([1, 1.25, 1.5]);
  });
});
