import { describe, expect, it } from "vitest";
import { complexLogGamma, digamma, logDensityLogGammaProduct, logGamma, trigamma } from "../src/index.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";

interface DensityFixture {
  readonly inputs: { readonly cases: readonly { readonly widths: number[]; readonly variances: number[]; readonly u: number[] }[] };
  readonly expected: { readonly logDensity: number[][] };
  readonly tolerance: { readonly absolutePlusRelative: number };
}

describe("gamma functions", () => {
  it("known values", () => {
    expectClose(
      [logGamma(0.5), logGamma(1), logGamma(10.5), logGamma(1e5)],
      [0.5 * Math.log(Math.PI), 0, 13.940625219403763, 1051287.7089736569],
      { relative: 4e-16, absolute: 4e-15 },
    );
    expectClose([digamma(1), digamma(0.25), digamma(30)], [-0.5772156649015329, -4.227453533376266, 3.384438132685524], {
      relative: 4e-15,
    });
    expectClose([trigamma(1), trigamma(0.5), trigamma(40)], [Math.PI ** 2 / 6, Math.PI ** 2 / 2, 0.02531510384129103], { relative: 1e-14 });
    expect(logGamma(0)).toBeNaN();
  });

  it("complex log gamma: reflection on the imaginary direction, |Γ(1/2 + iy)|² = π/cosh(πy)", () => {
    for (const y of [0, 0.3, 2, 11, 40])
      expectClose(2 * complexLogGamma(0.5, y)[0], Math.log(2 * Math.PI) - Math.PI * y - Math.log1p(Math.exp(-2 * Math.PI * y)), {
        relative: 1e-14,
        absolute: 1e-14,
      });
  });
});

describe("density of the log of a product of Gamma variables", () => {
  it("fixture, deep tails included", () => {
    const { inputs, expected, tolerance } = readFixture<DensityFixture>("deep-linear/product-gamma-density");
    for (const [k, { widths, variances, u }] of inputs.cases.entries()) {
      const shapes = widths.map((n) => n / 2);
      const rates = widths.map((n, l) => n / (2 * variances[l]!));
      const values = u.map((at) => logDensityLogGammaProduct(at, shapes, rates));
      expectClose(
        values,
        expected.logDensity[k]!,
        { relative: tolerance.absolutePlusRelative, absolute: tolerance.absolutePlusRelative },
        `case ${k}`,
      );
    }
  });

  it("integrates to 1 and is invariant under permutations of the factors", () => {
    for (const widths of [
      [1, 1],
      [3, 8, 200],
      [1, 50, 2, 7],
      [1e5, 1e5],
    ]) {
      const shapes = widths.map((n) => n / 2);
      const sd = Math.sqrt(shapes.reduce((sum, a) => sum + trigamma(a), 0));
      const mean = shapes.reduce((sum, a) => sum + digamma(a) - Math.log(a), 0);
      const h = sd / 4;
      let mass = 0;
      for (let k = -160; k <= 40; k++) mass += h * Math.exp(logDensityLogGammaProduct(mean + k * h, shapes, shapes));
      expectClose(mass, 1, { absolute: 1e-10 }, `widths ${widths}`);
      const at = mean - 3 * sd;
      expectClose(
        logDensityLogGammaProduct(at, [...shapes].reverse(), [...shapes].reverse()),
        logDensityLogGammaProduct(at, shapes, shapes),
        { absolute: 1e-12 },
      );
    }
  });

  it("one factor equals the limit of a second one that does not fluctuate", () => {
    for (const a of [0.5, 4, 19.5, 20.5, 1e4]) {
      const u = -2 / Math.sqrt(a);
      expectClose(logDensityLogGammaProduct(u, [a, 1e17], [a, 1e17]), logDensityLogGammaProduct(u, [a], [a]), { absolute: 1e-10 });
    }
  });

  it("rejects what is not a law", () => {
    expect(() => logDensityLogGammaProduct(0, [1, -1], [1, 1])).toThrow("positive numbers");
    expect(() => logDensityLogGammaProduct(0, [1, 2], [1])).toThrow("shapes, rates: expected lists of the same length");
    expect(() => logDensityLogGammaProduct(0, [], [])).toThrow("shapes, rates: expected lists of the same length");
    expect(() => logDensityLogGammaProduct(Number.NaN, [1], [1])).toThrow("u: expected a finite number");
  });
});
