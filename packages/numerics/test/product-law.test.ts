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

describe("factors on vertical lines", () => {
  const [width, skip, branch] = [5, 0.9, 1.3];
  const factors = {
    Gamma: gammaFactor(1.7, 2.3),
    "Gamma of a wide layer": gammaFactor(60, 0.4),
    "log-normal": logNormalFactor(-0.4, 0.8),
    noncentral: noncentralFactor(width, skip, branch),
    "noncentral without a skip": noncentralFactor(width, 0, branch),
  };
  it.each(Object.entries(factors))("%s: slopes are derivatives of the log moments, its modulus is below the bound", (_, factor) => {
    const log = (c: number): number => factor.line(c).at(0)[0];
    const h = 1e-3;
    for (const c of [-1.1, 0, 0.7, 3]) {
      const { mean, variance } = factor.slopes(c);
      expectClose(mean, (8 * (log(c + h) - log(c - h)) - log(c + 2 * h) + log(c - 2 * h)) / (12 * h), { absolute: 1e-9, relative: 1e-9 });
      expectClose(variance, (log(c + h) - 2 * log(c) + log(c - h)) / h ** 2, { absolute: 1e-5, relative: 1e-5 });
      const line = factor.line(c);
      let last = 0;
      for (const t of [0.3, 1, 4, 12]) {
        const [modulus] = line.at(t);
        const bound = line.bound(t);
        expect(modulus - log(c)).toBeLessThanOrEqual(bound + 1e-12);
        expect(bound).toBeLessThan(last);
        last = bound;
      }
      // analytic: the derivative along the line is i times the slope
      const [[lowRe, lowIm], [highRe, highIm]] = [line.at(0.5 - h), line.at(0.5 + h)];
      const step = (shift: number): readonly [number, number] => factor.line(c + shift).at(0.5) as [number, number];
      const turn = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
      const [dRe, dIm] = [(step(h)[0] - step(-h)[0]) / (2 * h), turn(step(h)[1] - step(-h)[1]) / (2 * h)];
      expectClose([turn(highIm - lowIm) / (2 * h), (highRe - lowRe) / (2 * h)], [dRe, -dIm], { absolute: 1e-5, relative: 1e-5 });
    }
  });

  it("a Gamma variable has the moments of its shape and mean, a log-normal those of its logarithm", () => {
    // E x² = m²(1 + 1/a)
    expectClose(Math.exp(factors.Gamma.line(2).at(0)[0]), 2.3 ** 2 * (1 + 1 / 1.7), { relative: 1e-12 });
    expectClose(Math.exp(factors.Gamma.line(1).at(0)[0]), 2.3, { relative: 1e-12 });
    expect([factors.Gamma.pole, factors["log-normal"].pole, factors.noncentral.pole]).toEqual([1.7, Infinity, 2.5]);
    expectClose(factors["log-normal"].line(2).at(0.5), [-0.8 + 0.4 * (4 - 0.25), -0.2 + 0.8], { relative: 1e-12 });
  });

  it("a noncentral one is a Poisson mixture, and weighs its components by 1/(N + 2j)", () => {
    // x = (2β²/N) Gamma(N/2 + j), j ~ Poisson(Nα²/2β²): first moments
    const z = (width * skip ** 2) / (2 * branch ** 2);
    let [poisson, plain, weighted] = [Math.exp(-z), 0, 0];
    for (let j = 0; j < 60; poisson *= z / ++j) {
      const moment = ((2 * branch ** 2) / width) * (width / 2 + j);
      plain += poisson * moment;
      weighted += (poisson * moment) / (width + 2 * j);
    }
    const found = factors.noncentral.line(1).pair(0);
    expectClose(Math.exp(found.plain[0]), skip ** 2 + branch ** 2, { relative: 1e-12 });
    expectClose([Math.exp(found.plain[0]), Math.exp(found.weighted[0])], [plain, weighted], { relative: 1e-12 });
  });
});
