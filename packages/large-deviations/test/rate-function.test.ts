import { matrixFromRows } from "@finitewidth/core";
import { affine } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  chainAtMinimum,
  matrixRateAction,
  matrixRateMinima,
  outputRate,
  scalarRateCorrections,
  scalarRateMinima,
  spectralData,
  type ScalarRateProblem,
} from "../src/rate-function/index.js";

interface Case {
  readonly scaling: "mean-field" | "proportional";
  readonly K: number[][];
  readonly y: number[];
  readonly Y: number[][];
  readonly temperature: number;
  readonly widths: number[];
  readonly referenceWidth: number;
}
const scalingOf = (entry: Case) => (entry.scaling === "proportional" ? ("standard" as const) : ("mean-field" as const));

interface ScalarFixture {
  readonly inputs: { readonly cases: Case[]; readonly phi: { readonly widthRatios: number[]; readonly x: number[] }[] };
  readonly expected: {
    readonly cases: {
      readonly q: number;
      readonly logQ: number;
      readonly action: number;
      readonly curvature: number;
      readonly lagrangeMultiplier: number;
      readonly layerFactors: number[];
      readonly logEvidenceLaplace?: number;
      readonly meanLogQCorrection?: number;
      readonly meanQCorrection?: number;
      readonly minima?: [number, number][];
    }[];
    readonly phi: number[][][];
  };
}
const scalar = readFixture<ScalarFixture>("deep-linear/ldp-scalar");

function scalarProblem(entry: Case): ScalarRateProblem {
  const { eigenvalues, targets } = spectralData(
    matrixFromRows(entry.K),
    matrixFromRows(entry.y.map((value) => [value])),
    entry.temperature,
  );
  return {
    eigenvalues,
    squares: targets.data.map((value) => value * value),
    temperature: entry.temperature,
    widths: entry.widths,
    referenceWidth: entry.referenceWidth,
    scaling: scalingOf(entry),
  };
}

describe("rate of one output", () => {
  it.each(scalar.inputs.phi.map((entry, i) => [entry.widthRatios, entry.x, scalar.expected.phi[i]!] as const))(
    "matches the fixture for ratios %j",
    (ratios, x, expected) => {
      x.forEach((at, k) => {
        const { value, slope, curvature, multiplier } = outputRate(at, ratios);
        expectClose([value, slope, curvature, multiplier], expected[k]!, { relative: 1e-9, absolute: 1e-10 }, `x = ${at}`);
      });
    },
  );

  it("is convex with its minimum 0 at x = 0, and keeps relative accuracy near it", () => {
    for (const ratios of [[1], [0.5, 1, 2], [3, 0.2]]) {
      const curvature = 0.5 / ratios.reduce((sum, n) => sum + 1 / n, 0);
      const { value, slope } = outputRate(1e-6, ratios);
      expectClose([value, slope], [0.5 * curvature * 1e-12, curvature * 1e-6], { relative: 1e-5 });
      expect(outputRate(0, ratios).value).toBe(0);
      for (const x of [-30, -3, 2, 9]) {
        const [low, middle, high] = [outputRate(x - 1e-4, ratios), outputRate(x, ratios), outputRate(x + 1e-4, ratios)];
        expectClose(
          [(high.value - low.value) / 2e-4, (high.slope - low.slope) / 2e-4],
          [middle.slope, middle.curvature],
          { relative: 1e-6, absolute: 1e-12 },
          `derivatives at ${x}`,
        );
        expect(middle.layerFactors.reduce((sum, factor) => sum + Math.log(factor), 0)).toBeCloseTo(x, 9);
      }
    }
  });
});

describe("one output", () => {
  it.each(scalar.inputs.cases.map((entry, i) => [i, entry, scalar.expected.cases[i]!] as const))(
    "matches fixture case %i",
    (_, entry, expected) => {
      const problem = scalarProblem(entry);
      const minima = scalarRateMinima(problem);
      const [best] = minima;
      const tolerance = { relative: 1e-9, absolute: 1e-10 };
      expectClose(
        [Math.exp(best.logQ), best.logQ, best.action, best.curvature, best.rate.multiplier],
        [expected.q, expected.logQ, expected.action, expected.curvature, expected.lagrangeMultiplier],
        tolerance,
      );
      expectClose(best.rate.layerFactors, expected.layerFactors, tolerance, "layer factors");
      if (expected.minima)
        expectClose(
          minima.map(({ logQ, action }) => [logQ, action]),
          expected.minima,
          tolerance,
          "minima",
        );
      else expect(minima.length).toBe(1);
      const corrections = scalarRateCorrections(problem, best);
      if (expected.meanLogQCorrection !== undefined) {
        expectClose(
          [corrections.meanLogQ, corrections.meanQ, corrections.logEvidence],
          [expected.meanLogQCorrection, expected.meanQCorrection!, expected.logEvidenceLaplace!],
          tolerance,
          "corrections",
        );
      }
    },
  );

  it("solves the quadratic of one hidden layer at T = 0", () => {
    const problem: ScalarRateProblem = {
      eigenvalues: Float64Array.of(1, 2, 3),
      squares: Float64Array.of(4, 1, 9),
      temperature: 0,
      widths: [5],
      referenceWidth: 5,
      scaling: "standard",
    };
    const s = 4 + 1 / 2 + 9 / 3;
    expect(Math.exp(scalarRateMinima(problem)[0].logQ)).toBeCloseTo((5 - 3 + Math.sqrt(4 + 4 * 5 * s)) / 10, 12);
  });

  it("says so when the action has no minimum", () => {
    const problem: ScalarRateProblem = {
      eigenvalues: new Float64Array(8).fill(1),
      squares: new Float64Array(8),
      temperature: 0,
      widths: [5],
      referenceWidth: 5,
      scaling: "standard",
    };
    expect(() => scalarRateMinima(problem)).toThrow("no minimum");
  });
});

interface MatrixFixture {
  readonly inputs: { readonly cases: Case[] };
  readonly expected: { readonly cases: { readonly Q: number[][]; readonly action: number; readonly chain: number[][][] }[] };
}
const matrices = readFixture<MatrixFixture>("deep-linear/ldp-matrix");

describe("several outputs", () => {
  it.each(matrices.inputs.cases.map((entry, i) => [i, entry, matrices.expected.cases[i]!] as const))(
    "match fixture case %i",
    (_, entry, expected) => {
      const data = spectralData(matrixFromRows(entry.K), matrixFromRows(entry.Y), entry.temperature);
      const { widths, referenceWidth } = entry;
      const [best] = matrixRateMinima({ data, widths, referenceWidth, scaling: scalingOf(entry) });
      expect(best.converged).toBe(true);
      expectClose(best.q, expected.Q, { relative: 1e-7, absolute: 1e-8 }, "Q");
      expectClose([best.action], [expected.action], { relative: 1e-9 }, "action");
      const chain = chainAtMinimum(
        best.q,
        widths.map((width) => width / referenceWidth),
      );
      chain.forEach((m, l) => expectClose(m, expected.chain[l]!, { relative: 1e-7, absolute: 1e-8 }, `M_${l + 1}`));
    },
  );

  it("has the gradient that differences of its action have", () => {
    const entry = matrices.inputs.cases[0]!;
    const data = spectralData(matrixFromRows(entry.K), matrixFromRows(entry.Y), entry.temperature);
    const q = matrixFromRows([
      [2, 0.3],
      [0.3, 0.7],
    ]);
    for (const scaling of ["standard", "mean-field"] as const) {
      const problem = { data, widths: [4, 9], referenceWidth: 6, scaling };
      const { gradient } = matrixRateAction(problem, q);
      const difference = [
        [1, 0, 0, 0],
        [0, 0.5, 0.5, 0],
        [0, 0, 0, 1],
      ].map((direction) => {
        const at = (step: number): number =>
          matrixRateAction(problem, { data: q.data.map((value, k) => value + step * direction[k]!), shape: q.shape }).action;
        return (at(1e-5) - at(-1e-5)) / 2e-5;
      });
      expectClose([gradient.data[0]!, gradient.data[1]!, gradient.data[3]!], difference, { relative: 1e-7, absolute: 1e-9 }, scaling);
    }
  });

  it("reduce to one output, and turn with the outputs", () => {
    const entry = matrices.inputs.cases[0]!;
    const kernel = matrixFromRows(entry.K);
    const one = spectralData(kernel, matrixFromRows(entry.Y.map((row) => [row[0]!])), entry.temperature);
    const settings = { widths: entry.widths, referenceWidth: entry.referenceWidth, scaling: "standard" as const };
    const [scalarMinimum] = scalarRateMinima({
      ...settings,
      eigenvalues: one.eigenvalues,
      squares: one.targets.data.map((value) => value * value),
      temperature: entry.temperature,
    });
    expect(matrixRateMinima({ ...settings, data: one })[0].q.data[0]).toBeCloseTo(Math.exp(scalarMinimum.logQ), 9);
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const turned = spectralData(kernel, matrixFromRows(entry.Y.map(([a, b]) => [c * a! - s * b!, s * a! + c * b!])), entry.temperature);
    const plain = spectralData(kernel, matrixFromRows(entry.Y), entry.temperature);
    const [q, qTurned] = [
      matrixRateMinima({ ...settings, data: plain })[0].q.data,
      matrixRateMinima({ ...settings, data: turned })[0].q.data,
    ];
    const cross = c * s * (q[0]! - q[3]!) + (c * c - s * s) * q[1]!;
    expectClose(
      [qTurned[0]!, qTurned[1]!, qTurned[3]!],
      [c * c * q[0]! - 2 * c * s * q[1]! + s * s * q[3]!, cross, s * s * q[0]! + 2 * c * s * q[1]! + c * c * q[3]!],
      { relative: 1e-8, absolute: 1e-9 },
    );
  });

  it("refuse T = 0 with targets outside the range of the kernel", () => {
    const kernel = affine(
      1,
      matrixFromRows([
        [1, 1],
        [1, 1],
      ]),
    );
    expect(() => spectralData(kernel, matrixFromRows([[1], [0]]), 0)).toThrow(
      "targets: expected no component outside the range of the kernel",
    );
    expect(spectralData(kernel, matrixFromRows([[1], [1]]), 0).eigenvalues.length).toBe(1);
  });
});
