import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { logBesselK } from "../src/index.js";

/** K_{n+1/2}(x) in closed form, log domain: √(π/2x) e^{−x} Σ (n+k)!/(k!(n−k)!(2x)^k). */
const halfInteger = (n: number, x: number): number => {
  let term = 1;
  let sum = 1;
  for (let k = 0; k < n; k++) {
    term *= ((n - k) * (n + k + 1)) / ((k + 1) * 2 * x);
    sum += term;
  }
  return 0.5 * Math.log(Math.PI / (2 * x)) - x + Math.log(sum);
};

describe("logBesselK", () => {
  it("matches half-integer orders in closed form", () => {
    for (const n of [0, 1, 2, 5, 20])
      for (const x of [1e-3, 0.1, 1, 7, 60, 900])
        expectClose(logBesselK(n + 0.5, x), halfInteger(n, x), { relative: 2e-14, absolute: 2e-14 }, `ν = ${n}.5, x = ${x}`);
  });
  it("matches tabulated values (Abramowitz and Stegun, tables 9.8 and 9.9)", () => {
    expectClose(
      [logBesselK(0, 1), logBesselK(1, 1), logBesselK(0, 0.1), logBesselK(2, 5)].map(Math.exp),
      [0.42102443824070834, 0.6019072301972346, 2.4270690247020164, 0.005308943712223459],
      { relative: 1e-13 },
    );
  });
  it("obeys K_{ν+1} = K_{ν−1} + (2ν/x) K_ν at large orders and arguments", () => {
    for (const [nu, x] of [
      [250.3, 1e-3],
      [1000, 400],
      [3.7, 2000],
      [0.2, 1e-8],
    ] as const) {
      const [low, middle, high] = [nu - 1, nu, nu + 1].map((order) => logBesselK(order, x)) as [number, number, number];
      expectClose(1, Math.exp(low - high) + ((2 * nu) / x) * Math.exp(middle - high), { relative: 2e-12 }, `ν = ${nu}, x = ${x}`);
    }
  });
  it("neither overflows nor underflows", () => {
    // x → 0: log Γ(ν) + (ν − 1) log 2 − ν log x
    expectClose(logBesselK(2.5, 1e-200), Math.log(0.75 * Math.sqrt(Math.PI)) + 1.5 * Math.LN2 + 2.5 * 200 * Math.LN10, { relative: 1e-14 });
    expectClose(logBesselK(0, 1e-300), Math.log(300 * Math.LN10 + Math.LN2 - 0.5772156649015329), { relative: 1e-12 });
    expectClose(logBesselK(1, 1e5), -1e5 + 0.5 * Math.log(Math.PI / 2e5) + Math.log(1 + 3 / 8e5), { relative: 1e-14 });
    expect(logBesselK(1, 0)).toBe(Infinity);
    expect(logBesselK(1, -1)).toBeNaN();
    expect(logBesselK(-1.5, 2)).toBe(logBesselK(1.5, 2));
  });
});
