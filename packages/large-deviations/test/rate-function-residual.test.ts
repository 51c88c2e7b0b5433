import { matrixFromRows } from "@finitewidth/core";
import { symmetricEigen, multiplyTransposedLeft } from "@finitewidth/linalg";
import { gammaFactor, logDensityOfLogProduct, logMomentsOf, noncentralFactor, type ProductLaw } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { outputRate, scalarRateCorrections, scalarRateMinima, type ScalarRateProblem } from "../src/index.js";

interface Case {
  readonly alphas: number[];
  readonly betas: number[];
  readonly readoutVariance: number;
  readonly kernel: number[][];
  readonly targets: number[];
  readonly temperature: number;
  readonly u: number[];
}

/** Ratios 1 of an embedding-free trunk and its readout; α² of layers without weights and all variances go into the kernel. */
function problemOf(c: Case, width: number, scaling: ScalarRateProblem["scaling"]): { problem: ScalarRateProblem; logVariance: number } {
  const random = c.alphas.map((a, l) => [a, c.betas[l]!] as const).filter(([, b]) => b !== 0);
  const variance = c.readoutVariance * c.alphas.reduce((product, a, l) => product * (c.betas[l] === 0 ? a * a : c.betas[l]! ** 2), 1);
  const { values, vectors } = symmetricEigen(matrixFromRows(c.kernel));
  const projected = multiplyTransposedLeft(vectors, matrixFromRows(c.targets.map((y) => [y])));
  return {
    logVariance: Math.log(variance),
    problem: {
      eigenvalues: values.map((value) => variance * value),
      squares: projected.data.map((y) => y * y),
      temperature: c.temperature,
      widths: [...random.map(() => width), width],
      skips: [...random.map(([a, b]) => (a / b) ** 2), 0],
      referenceWidth: width,
      scaling,
    },
  };
}

describe("rate function of residual networks", () => {
  const { inputs, expected, tolerance } = readFixture<{
    inputs: { cases: Case[] };
    expected: { cases: { rate: number[]; derivative: number[]; uStar: number; JStar: number }[] };
    tolerance: { absolutePlusRelative: number };
  }>("attention-residual/residual-large-deviation");
  const close = { absolute: tolerance.absolutePlusRelative, relative: tolerance.absolutePlusRelative };

  it("fixture: rate, its derivative, minimiser in mean-field scaling", () => {
    for (const [k, c] of inputs.cases.entries()) {
      const { problem, logVariance } = problemOf(c, 1, "mean-field");
      const e = expected.cases[k]!;
      const at = c.u.map((u) => outputRate(u - logVariance, problem.widths, problem.skips));
      expectClose(
        at.map(({ value }) => value),
        e.rate,
        close,
        `rate ${k}`,
      );
      expectClose(
        at.map(({ slope }) => slope),
        e.derivative,
        close,
        `derivative ${k}`,
      );
      const [minimum] = scalarRateMinima(problem);
      expectClose([minimum.logQ + logVariance, minimum.action], [e.uStar, e.JStar], close, `minimiser ${k}`);
    }
  });

  it("derivatives are those of the values, and the prior density is the rate's at large widths", () => {
    for (const [ratios, skips] of [
      [
        [1, 1, 1],
        [0.4, 3, 0],
      ],
      [
        [2, 0.5, 0.5],
        [0, 1.7, 0],
      ],
    ] as const) {
      for (const x of [-9, -1, 0.3, 2, 6]) {
        const [a, b, c] = [outputRate(x - 1e-4, ratios, skips), outputRate(x, ratios, skips), outputRate(x + 1e-4, ratios, skips)];
        expectClose(b.slope, (c.value - a.value) / 2e-4, { relative: 1e-6, absolute: 1e-8 }, `slope at ${x}`);
        expectClose(b.curvature, (c.slope - a.slope) / 2e-4, { relative: 1e-6 }, `curvature at ${x}`);
        expectClose(b.third, (c.curvature - a.curvature) / 2e-4, { relative: 1e-5, absolute: 1e-8 }, `third at ${x}`);
        expectClose(
          b.prefactorSlope * 2 * b.curvature,
          (c.logPrefactor - a.logPrefactor) / 2e-4,
          { relative: 1e-5, absolute: 1e-8 },
          `prefactor at ${x}`,
        );
      }
    }
    // log p(u) + N φ(u) − ½ log(N φ″/2π) + ½ Σ log P_l falls as 1/N
    const errors = [40, 160].map((N) => {
      const law: ProductLaw = {
        factors: [
          { factor: gammaFactor(N / 2, 1), count: 1 },
          { factor: noncentralFactor(N, 0.9, 1), count: 1 },
        ],
        shift: 0,
      };
      const u = logMomentsOf(law).mean + 0.8;
      const { value, curvature, logPrefactor } = outputRate(u, [1, 1], [0.81, 0]);
      return N * (logDensityOfLogProduct(law, u) + N * value - 0.5 * Math.log((N * curvature) / (2 * Math.PI)) + 0.5 * logPrefactor);
    });
    expectClose(errors[1]!, errors[0]!, { relative: 0.1 });
  });

  it("corrections give the exact mean of log q and the evidence to the next order", () => {
    const c = inputs.cases[1]!;
    const errors = [80, 160, 320].map((N) => {
      const { problem, logVariance } = problemOf(c, N, "standard");
      const minimum = scalarRateMinima(problem)[0];
      const { meanLogQ, logEvidence } = scalarRateCorrections(problem, minimum);
      const law: ProductLaw = {
        factors: [
          { factor: gammaFactor(N / 2, c.readoutVariance), count: 1 },
          ...c.alphas.flatMap((a, l) => (c.betas[l] === 0 ? [] : [{ factor: noncentralFactor(N, a, c.betas[l]!), count: 1 }])),
        ],
        shift: c.alphas.reduce((sum, a, l) => sum + (c.betas[l] === 0 ? 2 * Math.log(Math.abs(a)) : 0), 0),
      };
      let [mass, first] = [0, 0];
      for (let u = minimum.logQ - 4; u < minimum.logQ + 4; u += 0.01) {
        const value = problem.eigenvalues.reduce(
          (sum, kappa, i) => {
            const v = Math.exp(u) * kappa + c.temperature;
            return sum - 0.5 * (Math.log(2 * Math.PI * v) + problem.squares[i]! / v);
          },
          logDensityOfLogProduct(law, u + logVariance),
        );
        mass += 0.01 * Math.exp(value);
        first += 0.01 * Math.exp(value) * u;
      }
      return [N * N * (first / mass - minimum.logQ - meanLogQ / N), N * (Math.log(mass) - logEvidence)];
    });
    // N² times the error of E log q settles (its own correction falls as 1/N), N times that of log Z does not grow
    const [first, second, third] = errors.map(([mean]) => mean!);
    expect((third! - second!) / (second! - first!)).toBeGreaterThan(0.35);
    expect((third! - second!) / (second! - first!)).toBeLessThan(0.65);
    const evidence = errors.map(([, value]) => Math.abs(value!));
    expect(evidence[1]!).toBeLessThan(evidence[0]!);
    expect(evidence[2]!).toBeLessThan(evidence[1]!);
  });
});
