import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  gammaFactor,
  logDensityOfLogProduct,
  logMomentOf,
  logMomentsOf,
  logNormalFactor,
  noncentralFactor,
  type ProductLaw,
} from "../src/index.js";

interface Case {
  readonly width: number;
  readonly alphas: number[];
  readonly betas: number[];
  readonly readoutVariance: number;
  readonly u: number[];
  readonly orders: number[];
}
interface DensityFixture {
  readonly inputs: {
    readonly cases: Case[];
    readonly depthLimit: { width: number; t: number; drift: number; readoutVariance: number; u: number[] }[];
  };
  readonly expected: {
    readonly cases: { logDensity: number[]; logMoments: number[]; meanLog: number; varianceLog: number }[];
    readonly depthLimitLogDensity: number[][];
  };
  readonly tolerance: { readonly absolutePlusRelative: number };
}

const trunk = (width: number, readout: number, layers: readonly (readonly [number, number])[]): ProductLaw => ({
  factors: [
    { factor: gammaFactor(width / 2, readout), count: 1 },
    ...layers.filter(([, b]) => b !== 0).map(([a, b]) => ({ factor: noncentralFactor(width, a, b), count: 1 })),
  ],
  shift: layers.reduce((sum, [a, b]) => (b === 0 ? sum + Math.log(a * a) : sum), 0),
});

describe("density of the log of a product with noncentral factors", () => {
  const { inputs, expected, tolerance } = readFixture<DensityFixture>("attention-residual/residual-density");
  const close = { relative: tolerance.absolutePlusRelative, absolute: tolerance.absolutePlusRelative };

  it("fixture: densities, moments of u and of q", () => {
    for (const [k, c] of inputs.cases.entries()) {
      const law = trunk(
        c.width,
        c.readoutVariance,
        c.alphas.map((a, l) => [a, c.betas[l]!] as const),
      );
      const e = expected.cases[k]!;
      expectClose(
        c.u.map((u) => logDensityOfLogProduct(law, u)),
        e.logDensity,
        close,
        `case ${k}`,
      );
      expectClose(
        c.orders.map((order) => logMomentOf(law, order)),
        e.logMoments,
        close,
        `moments ${k}`,
      );
      const { mean, variance } = logMomentsOf(law);
      expectClose([mean, variance], [e.meanLog, e.varianceLog], close, `log moments ${k}`);
    }
  });

  it("fixture: log-normal limit of infinite depth", () => {
    for (const [k, { width, t, drift, readoutVariance, u }] of inputs.depthLimit.entries()) {
      const law: ProductLaw = {
        factors: [
          { factor: gammaFactor(width / 2, readoutVariance), count: 1 },
          { factor: logNormalFactor(2 * drift + t * (1 - 2 / width), (4 * t) / width), count: 1 },
        ],
        shift: 0,
      };
      expectClose(
        u.map((at) => logDensityOfLogProduct(law, at)),
        expected.depthLimitLogDensity[k]!,
        close,
        `case ${k}`,
      );
    }
  });

  it("is the law of sampled residual layers, and integrates to 1", () => {
    const [width, skip, branch, readout] = [3, 0.8, 1.1, 1.4];
    const law = trunk(width, readout, [[skip, branch]]);
    const random = stream(5);
    const n = 40_000;
    const squared = (f: (k: number) => number): number => Array.from({ length: width }, (_, k) => f(k) ** 2).reduce((a, b) => a + b, 0);
    const sums = [0.5, 1, -0.4].map((order) => ({ order, sum: 0, square: 0 }));
    for (let k = 0; k < n; k++) {
      const top = Array.from({ length: width }, () => random.normal() * Math.sqrt(readout / width));
      const norm = Math.sqrt(squared((i) => top[i]!));
      const q = squared((i) => skip * top[i]! + (branch * norm * random.normal()) / Math.sqrt(width));
      for (const at of sums) {
        at.sum += q ** at.order / n;
        at.square += q ** (2 * at.order) / n;
      }
    }
    for (const { order, sum, square } of sums)
      expect(Math.abs(sum - Math.exp(logMomentOf(law, order)))).toBeLessThan(4 * Math.sqrt((square - sum * sum) / n));
    expect(logMomentOf(law, -1.5)).toBe(Infinity);
    let mass = 0;
    for (let u = -40; u < 12; u += 0.05) mass += 0.05 * Math.exp(logDensityOfLogProduct(law, u));
    expectClose(mass, 1, { absolute: 1e-12 });
  });

  it("is refused for a skip too strong to sum", () => {
    expect(() => noncentralFactor(1e6, 1, 1e-4).slopes(0)).toThrow(/terms/);
  });
});
