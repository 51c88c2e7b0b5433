import { createRegistry, fit, matrixFromRows } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";
import { cumulantCorrection, effectiveAction } from "../src/index.js";

const registry = createRegistry([activations]);

interface Case {
  readonly case: string;
  readonly inputs: {
    readonly X: number[][];
    readonly y: number[];
    readonly XTest: number[][];
    readonly activation: string;
    readonly width: number;
    readonly temperature: number;
    readonly Q: number;
    readonly zeta: number;
  };
  readonly expected: {
    readonly meanShift: { readonly estimate: number[]; readonly standardError: number[] };
    readonly logEvidenceShift: { readonly estimate: number; readonly standardError: number };
  };
  readonly tolerance: { readonly zScore: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/cumulant-correction").cases;
const correct = ({ inputs }: Case, seed = 1, size = 4000) => {
  const chain = {
    activation: registry.activation(inputs.activation),
    widths: [inputs.width],
    weightVariance: [1, 1],
    biasVariance: [0, 0],
  };
  return cumulantCorrection(
    {
      chain,
      inputs: matrixFromRows(inputs.X),
      testInputs: matrixFromRows(inputs.XTest),
      targets: Float64Array.from(inputs.y),
      temperature: inputs.temperature,
      orderParameter: inputs.Q,
      zeta: inputs.zeta,
    },
    { seed, size },
  );
};

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { expected, tolerance } = fixture;
  it("shifts of the predictor and of the evidence", () => {
    const found = correct(fixture);
    const both = (a: ArrayLike<number>, b: readonly number[]): number[] => b.map((value, i) => Math.hypot(value, a[i]!) + 1e-12);
    expectWithinStandardErrors(
      found.meanShift,
      expected.meanShift.estimate,
      both(found.meanShiftError, expected.meanShift.standardError),
      tolerance.zScore,
      "mean shift",
    );
    expectWithinStandardErrors(
      found.logEvidenceShift,
      expected.logEvidenceShift.estimate,
      both([found.logEvidenceShiftError], [expected.logEvidenceShift.standardError]),
      tolerance.zScore,
      "evidence shift",
    );
  });
});

describe("at one training point, by quadrature", () => {
  it.each(["erf", "relu", "gelu"])("%s, variances and biases that are not 1 and 0", (name) => {
    const { value } = registry.activation(name);
    const [w1, b1, w2, b2, N, T, Q, zeta, y] = [1.3, 0.4, 0.7, 0.2, 5, 0.3, 1.4, name === "erf" ? 1.4 : 0.8, 1.9];
    const [x, z] = [
      [0.8, -0.5],
      [0.2, 1.1],
    ] as const;
    const found = cumulantCorrection(
      {
        chain: { activation: registry.activation(name), widths: [N], weightVariance: [w1, w2], biasVariance: [b1, b2] },
        inputs: matrixFromRows([[...x]]),
        testInputs: matrixFromRows([[...z]]),
        targets: Float64Array.of(y),
        temperature: T,
        orderParameter: Q,
        zeta,
      },
      { seed: 3, size: 4000 },
    );
    const k = (a: readonly number[], c: readonly number[]): number => (w1 * (a[0]! * c[0]! + a[1]! * c[1]!)) / 2 + b1;
    const [own, cross, other] = [k(x, x), k(x, z), k(z, z)];
    // h at the training point, h* beside it: trapezoid in two independent normals
    const grid = Array.from({ length: 121 }, (_, i) => 0.1 * (i - 60));
    const nodes = grid.flatMap((u) =>
      grid.map((v) => ({
        weight: (0.01 / (2 * Math.PI)) * Math.exp(-0.5 * (u * u + v * v)),
        phi: Math.sqrt(w2) * value(Math.sqrt(own) * u),
        star: Math.sqrt(w2) * value((cross / Math.sqrt(own)) * u + Math.sqrt(other - cross ** 2 / own) * v),
      })),
    );
    const mean = (f: (node: (typeof nodes)[number]) => number): number => nodes.reduce((sum, node) => sum + node.weight * f(node), 0);
    const [m, mStar] = [mean(({ phi }) => phi), mean(({ star }) => star)];
    const [c, cStar] = [mean(({ phi }) => (phi - m) ** 2), mean(({ phi, star }) => (phi - m) * (star - mStar))];
    const a = T + Q * c + zeta * m * m + b2;
    const [r, pull] = [y / a, (Q * cStar + zeta * m * mStar + b2) / a];
    const centred = ({ phi, star }: (typeof nodes)[number]) => ({ g: phi - m, s: star - mStar });
    const k3 = mean((n) => centred(n).g ** 3);
    const k4 = mean((n) => centred(n).g ** 4) - 3 * c * c;
    const own4 = k4 + 4 * m * k3;
    expectWithinStandardErrors(
      found.logEvidenceShift,
      ((zeta * zeta) / (8 * N)) * own4 * (r ** 4 - (6 * r * r) / a + 3 / (a * a)),
      found.logEvidenceShiftError,
      4,
      "evidence",
    );
    // one leg at the test point: its fourth cumulant, and m on each of the four legs
    const star3 = mean((n) => centred(n).s * centred(n).g ** 2);
    const star4 = mean((n) => centred(n).s * centred(n).g ** 3) - 3 * cStar * c;
    const leg = star4 + mStar * k3 + 3 * m * star3 - pull * own4;
    expectWithinStandardErrors(
      found.meanShift,
      [((zeta * zeta) / (2 * N)) * leg * (r ** 3 - (3 * r) / a)],
      found.meanShiftError,
      4,
      "mean",
    );
    // the error is worth comparing with: a few per cent of the shift
    expect(found.logEvidenceShiftError).toBeLessThan(0.1 * Math.abs(found.logEvidenceShift));
    expect(found.meanShiftError[0]!).toBeLessThan(0.1 * Math.abs(found.meanShift[0]!));
  });
});

describe("the correction through the theory", () => {
  const networks = createRegistry([activations, fullyConnected]);
  const [inputs, tests, targets] = [
    [
      [0.3, -1.2, 0.8],
      [1.1, 0.4, -0.5],
      [-0.7, 0.9, 1.3],
    ],
    [
      [0.5, 0.5, -0.2],
      [-0.9, 1.4, 0.1],
    ],
    [0.9, -0.4, 1.7],
  ];
  const network = (activation: string) => ({
    type: "fully-connected",
    activation,
    widths: [6],
    weightVariance: [1.3, 0.7],
    biasVariance: [0.2, 0.4],
  });
  const at = (activation: string, options: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    fit(
      effectiveAction,
      { network: network(activation), inputs, targets, temperature: 0.2, ...more },
      { registry: networks, options, seed: 7 },
    );

  it.each([
    ["erf", "integral"],
    ["relu", "integral"],
    ["relu", "saddle"],
  ])("%s, %s: the shifts at the saddle are added to what stands without them", async (activation, mode) => {
    const [plain, corrected] = [
      await at(activation, { mode, draws: 500 }),
      await at(activation, { mode, correction: "cumulant", draws: 500 }),
    ];
    const { diagnostics } = corrected.posterior;
    const input = {
      chain: { activation: registry.activation(activation), widths: [6], weightVariance: [1.3, 0.7], biasVariance: [0.2, 0.4] },
      inputs: matrixFromRows(inputs),
      targets: Float64Array.from(targets),
      temperature: 0.2,
      orderParameter: corrected.posterior.orderParameter as number,
      zeta: diagnostics["zeta"] as number,
    };
    if (activation === "erf") expect(input.zeta).toBe(input.orderParameter);
    // 20 batches of 26 draws: 500 of them, rounded to pairs
    const own = cumulantCorrection({ ...input, testInputs: matrixFromRows(inputs) }, { seed: 7, size: 26 });
    const other = cumulantCorrection({ ...input, testInputs: matrixFromRows(tests) }, { seed: 7, size: 26 });
    const close = { relative: 1e-9, absolute: 1e-12 };
    const sum = (a: Float64Array, b: Float64Array): number[] => Array.from(a, (value, i) => value + b[i]!);
    const size = (a: Float64Array): number => Math.hypot(...a);
    expectClose(corrected.posterior.logEvidence!, plain.posterior.logEvidence! + own.logEvidenceShift, close);
    expectClose(corrected.posterior.train!.mean, sum(plain.posterior.train!.mean.data, own.meanShift), close);
    expectClose(corrected.posterior.train!.variance, plain.posterior.train!.variance, close);
    expectClose(corrected.posterior.standardError!.logEvidence!, own.logEvidenceShiftError, close);
    const shown = {
      logEvidenceShift: own.logEvidenceShift,
      logEvidenceShiftStandardError: own.logEvidenceShiftError,
      trainMeanShiftRatio: size(own.meanShift) / size(plain.posterior.train!.mean.data),
      trainMeanShiftStandardErrorRatio: size(own.meanShiftError) / size(plain.posterior.train!.mean.data),
    };
    for (const { posterior } of [plain, corrected]) {
      const found = posterior.diagnostics["beyondGaussianEquivalence"] as Record<string, number>;
      expect(Object.keys(found)).toEqual(Object.keys(shown));
      expectClose(Object.values(found), Object.values(shown), close);
    }
    const [a, b] = [await plain.predict(tests), await corrected.predict(tests)];
    expectClose(b.mean, sum(a.mean.data, other.meanShift), close);
    expectClose(b.variance, a.variance, close);
    expectClose(b.standardError!.mean!, other.meanShiftError, close);
    expectClose(b.standardError!.variance!, [0, 0], {});
    expect(a.standardError).toBeUndefined();
    expect(b.warnings !== undefined).toBe(size(other.meanShift) > 0.5 * size(a.mean.data));
  });

  it("is no part of linear networks, of no draws, nor unasked of many points", async () => {
    const keys = async (...args: Parameters<typeof at>) => Object.keys((await at(...args)).posterior.diagnostics);
    expect(await keys("erf", {})).toContain("beyondGaussianEquivalence");
    expect(await keys("identity", {})).not.toContain("beyondGaussianEquivalence");
    expect(await keys("erf", { draws: 0 })).not.toContain("beyondGaussianEquivalence");
    // 4000 P (4P + N0) > 2e8 from P = 112 on
    const many = (count: number) => ({
      inputs: Array.from({ length: count }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i + 1)]),
      targets: Array.from({ length: count }, (_, i) => Math.cos(5 * i)),
    });
    expect(await keys("erf", {}, many(112))).not.toContain("beyondGaussianEquivalence");
    const told: boolean[] = [];
    for (const [width, temperature, size] of [
      [6, 0.2, 4],
      [20, 0.2, 1],
      [2, 0.02, 4],
    ] as const) {
      // prettier-ignore
      const more = { targets: targets.map((y) => size * y), temperature, network: { ...network("erf"), widths: [width] } };
      const { posterior, predict } = await at("erf", { correction: "cumulant", draws: 8000 }, more);
      const { logEvidenceShift: shift, logEvidenceShiftStandardError: error } = posterior.diagnostics[
        "beyondGaussianEquivalence"
      ] as Record<string, number>;
      told.push(Math.abs(shift!) - 3 * error! > 1);
      const sentence = `shifts the log evidence by ${shift!.toFixed(2)}: hidden units are not Gaussian`;
      expect(posterior.warnings.some((text) => text.includes(sentence))).toBe(told.at(-1));
      if (width === 2) expect((await predict(tests)).warnings!.join()).toMatch(/is \d+ % of the predictive mean: too large to be trusted/);
    }
    expect(new Set(told).size).toBe(2);
  });
});

describe("cumulantCorrection", () => {
  it("depends on the seed only, and reports an error that shrinks with the draws", () => {
    const erf = cases[0]!;
    const found = correct(erf, 1, 200);
    expect(correct(erf, 1, 200)).toEqual(found);
    expect(correct(erf, 2, 200).logEvidenceShift).not.toBe(found.logEvidenceShift);
    expect(correct(erf, 1, 3200).logEvidenceShiftError).toBeLessThan(0.5 * found.logEvidenceShiftError);
  });
  it("is zero to rounding for the identity", () => {
    const found = correct(cases.find((c) => c.inputs.activation === "identity")!);
    expectClose(
      found.meanShift,
      found.meanShift.map(() => 0),
      { absolute: 1e-11 },
    );
    expectClose(found.logEvidenceShift, 0, { absolute: 1e-11 });
  });
});
