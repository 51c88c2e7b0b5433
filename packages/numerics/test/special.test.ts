import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  gammaQuantile,
  digamma,
  erf,
  erfc,
  erfcx,
  logGamma,
  logMultivariateGamma,
  logNormalDistribution,
  normalDensity,
  normalDistribution,
  normalQuantile,
  trigamma,
} from "../src/index.js";

describe("error function and normal distribution", () => {
  it("known values (Abramowitz and Stegun, tables 7.1 and 26.1)", () => {
    expectClose([erf(0.5), erf(1), erf(2), erf(-1)], [0.5204998778130465, 0.8427007929497149, 0.9953222650189527, -0.8427007929497149], {
      relative: 1e-15,
    });
    expectClose([erfc(5), erfc(10)], [1.537459794428035e-12, 2.088487583762545e-45], { relative: 1e-14 });
    expectClose(erfcx(30), 0.01879588886141675, { relative: 1e-14 });
    expectClose([normalDistribution(0), normalDistribution(1), normalDistribution(-3)], [0.5, 0.8413447460685429, 0.0013498980316300946], {
      relative: 1e-14,
    });
    expectClose(normalDensity(1), 0.24197072451914337, { relative: 1e-15 });
    expectClose(normalQuantile(0.975), 1.959963984540054, { relative: 1e-14 });
  });
  it("log Φ in both tails", () => {
    expectClose(logNormalDistribution(-40), -804.6084420137538, { relative: 1e-14 });
    expectClose(logNormalDistribution(8), -6.220960574271785e-16, { relative: 1e-12 });
    for (const x of [-6, -1.0000001, -0.9999999, 0, 3])
      expectClose(logNormalDistribution(x), Math.log(normalDistribution(x)), { relative: 1e-13, absolute: 1e-16 });
  });
  it("the quantile inverts the distribution; ends and outside", () => {
    for (const x of [-35, -20, -8, -3, -0.1, 0, 0.7])
      expectClose(normalQuantile(normalDistribution(x)), x, { absolute: 2e-15, relative: 2e-15 });
    expectClose(normalQuantile(normalDistribution(4)), 4, { absolute: 1e-12 });
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
    expect(normalQuantile(1.1)).toBeNaN();
  });
});

describe("gamma functions", () => {
  const goldens = JSON.parse(readFileSync(new URL("goldens/gamma.json", import.meta.url), "utf8")) as Record<
    "x" | "logGamma" | "digamma" | "trigamma",
    number[]
  >;
  it.each([
    ["logGamma", logGamma, 6],
    ["digamma", digamma, 1],
    ["trigamma", trigamma, 0],
  ] as const)("%s agrees with 40 digits", (name, f, absolute) => {
    for (const [i, x] of goldens.x.entries()) expectClose(f(x), goldens[name][i]!, { relative: 1e-15, absolute: 1e-15 * absolute });
    expect([f(0), f(-0.5), f(Number.NaN)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});

describe("logMultivariateGamma", () => {
  it("is log Γ for d = 1, obeys Γ_d(x) = π^{(d−1)/2} Γ(x) Γ_{d−1}(x − ½)", () => {
    for (const x of [3.2, 10, 250]) {
      expectClose(logMultivariateGamma(1, x), logGamma(x), { relative: 1e-15 });
      for (const d of [2, 3, 5])
        expectClose(logMultivariateGamma(d, x), 0.5 * (d - 1) * Math.log(Math.PI) + logGamma(x) + logMultivariateGamma(d - 1, x - 0.5), {
          relative: 1e-13,
        });
    }
  });
  it("is NaN outside its domain", () => expect(logMultivariateGamma(4, 1.5)).toBeNaN());
});

describe("Gamma quantile", () => {
  it("both tails (mpmath, 40 digits)", () => {
    for (const [p, shape, upper, expected] of [
      [1e-12, 0.5, false, 7.8539816339744831e-25],
      [1e-12, 0.5, true, 25.422063955909078],
      [0.5, 1, false, Math.LN2],
      [1e-18, 5, true, 54.323257990024288],
      [0.3, 5, false, 3.633609082963803],
      [1e-15, 40, false, 8.09712987102636],
      [0.999, 200, false, 246.56587936997389],
      [1e-10, 200, true, 303.506139175263],
    ] as const)
      expectClose(gammaQuantile(p, shape, upper), expected, { relative: 1e-12 }, `quantile ${p} of shape ${shape}`);
  });
});
