import { createProblem, fit, inlineRun, type Matrix, type Theory } from "@finitewidth/core";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { mixingLaw } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalRows } from "../../../tools/testing.ts";
import { exact, nngp } from "../src/index.js";
import { averages, drawByDraw, expectAlike, jackknife } from "./draw-by-draw.ts";
import { layersOf, scattered, testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number): number[][] => {
  const random = stream(51, seed);
  return normalRows(random, n, m);
};

describe("joint covariances", () => {
  it.each([
    ["exact, one output, biases of the first layer and the readout", exact, 1, [6], [0.3, 0.7]],
    ["exact, one output, two layers, readout bias", exact, 1, [6, 9], [0, 0, 0.9]],
    ["exact, two outputs", exact, 2, [7], [0, 0]],
    ["exact, two outputs, bias of the first layer", exact, 2, [5], [0.4, 0]],
    // rotations of two outputs can be symmetric, those of three cannot
    ["exact, three outputs", exact, 3, [9], [0, 0]],
    ["nngp, two outputs, biases", nngp, 2, [6, 9], [0.3, 0.2, 0.5]],
  ] as const)(
    "%s: their diagonal is the variance, their blocks are symmetric and positive",
    async (_, theory, outputs, widths, biasVariance) => {
      const network = {
        type: "fully-connected",
        widths,
        activation: "identity",
        biasVariance,
        weightVariance: biasVariance.map((_b, l) => 0.8 + 0.5 * l),
      };
      const problem = {
        network,
        inputs: rows(1, 4, 3),
        targets: rows(2, 4, outputs).map((row) => row.map((y, a) => (1 + 3 * a) * y)),
        temperature: 0.2,
      };
      const { predict } = await fit(theory as Theory, problem, { registry, seed: 3, options: theory === exact ? { draws: 1000 } : {} });
      const { variance, covariance } = await predict(rows(3, 3, 3), { covariance: true });
      const n = 3 * outputs;
      expect(covariance!.shape).toEqual([n, n]);
      const at = (i: number, j: number): number => covariance!.data[i * n + j]!;
      expectClose(
        Array.from({ length: n }, (_entry, i) => at(i, i)),
        variance.data,
        { relative: 1e-9 },
      );
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          expectClose(at(i, j), at(j, i), { absolute: 1e-12 });
          expect(at(i, j) ** 2).toBeLessThanOrEqual(at(i, i) * at(j, j) * (1 + 1e-9));
        }
      }
    },
  );

  it("a readout bias that the data fix leaves the differences of points their variance: Var(f₁ − f₂) does not grow with σ_b²", async () => {
    const spread = async (bias: number): Promise<number> => {
      const network = { type: "fully-connected", widths: [8], activation: "identity", biasVariance: [0, bias] };
      const { predict } = await fit(exact, { network, inputs: rows(4, 6, 2), targets: rows(5, 6, 1), temperature: 0.3 }, { registry });
      const { covariance } = await predict(rows(6, 2, 2), { covariance: true });
      const [a, b, , d] = covariance!.data as unknown as [number, number, number, number];
      return a + d - 2 * b;
    };
    const [some, more] = [await spread(1e3), await spread(1e5)];
    expectClose(some, more, { relative: 1e-2 });
  });
});

const dense = (widths: readonly number[], weightVariance: readonly number[], biasVariance: readonly number[]) => ({
  type: "fully-connected",
  activation: "identity",
  widths,
  weightVariance,
  biasVariance,
});
const cases = [
  ["two outputs, no noise, bias of the readout", dense([6, 5], [1.1, 0.7, 1.5], [0.2, 0, 0.6]), "matrix", 2, 3, 5, 0],
  ["three outputs, biases of all layers", dense([4, 6], [1.2, 0.7, 1.5], [0.3, 0.2, 0.5]), "matrix", 3, 4, 5],
  ["two outputs, more points than features", dense([5, 3], [1.4, 0.6, 1.1], [0.3, 0.2, 0.8]), "matrix", 2, 7, 2],
  ["one output, more points than features", dense([3, 5], [1.4, 0.6, 1.9], [0.3, 0, 0.8]), "scalar", 1, 7, 3],
  ["one output, biases of the first layer and the readout", dense([4], [1.4, 0.6], [0.2, 0.5]), "scalar", 1, 4, 6],
  [
    "two outputs, a residual layer between layers of other widths",
    {
      type: "sequential",
      inputShape: [4],
      layers: [
        { layer: "dense", width: 3, weightVariance: 1.3 },
        { layer: "residual", body: [{ layer: "dense", width: 3, weightVariance: 0.6 }], skip: 0.8 },
        { layer: "dense", width: 5, weightVariance: 0.9 },
        { layer: "dense", weightVariance: 1.7 },
      ],
    },
    "matrix",
    2,
    4,
    4,
  ],
] as const;

describe.each(cases)(
  "draw by draw, with all covariances written out: %s",
  async (_, network, kind, outputs, points, features, temperature: number = 0.4) => {
    const [inputs, targets, test] = [rows(11, points, features), rows(12, points, outputs), rows(13, 3, features)];
    for (const row of targets) row.forEach((y, a) => (row[a] = (0.6 + a) * y));
    const problem = createProblem({ network, inputs, targets, temperature }, registry);
    const run = inlineRun({ registry, seed: 6 });
    const posterior = await exact.fit(problem, { draws: 200, chains: 2, chainDraws: 40, warmup: 40 }, run);
    const at: Matrix = { data: Float64Array.from(test.flat()), shape: [3, features] };
    const draws = drawByDraw(posterior, mixingLaw(layersOf(problem.network))!, at);
    const expected = averages(draws);
    const [plain, joint] = [
      await exact.predict(posterior, at, { covariance: false }, run),
      await exact.predict(posterior, at, { covariance: true }, run),
    ];
    const close = { relative: 1e-7, absolute: 1e-9 };

    it("outputs, mixing matrix and first hidden kernel", () => {
      expect(posterior.state.kind).toBe(kind);
      expectClose(posterior.train!.mean, expected.trainMean, close, "mean at training points");
      expectClose(posterior.train!.variance, expected.trainVariance, close, "variance at training points");
      for (const found of [plain, joint]) {
        expectClose(found.mean, expected.testMean, close, "mean");
        expectClose(found.variance, expected.testVariance, close, "variance");
      }
      expectClose(joint.covariance!, expected.testCovariance, close, "covariance");
      expectClose(posterior.orderParameter!, expected.mixing, close, "mixing matrix");
      expectClose(posterior.hiddenKernels![0]!, expected.kernel, close, "kernel");
    });

    it("the same from workers, and from its file", async () => {
      const elsewhere = await exact.fit(problem, posterior.options, scattered(run));
      expect([elsewhere.logEvidence, elsewhere.orderParameter]).toEqual([posterior.logEvidence, posterior.orderParameter]);
      const read = posteriorFromNpz(posteriorToNpz(posterior)) as typeof posterior;
      expect(await exact.predict(read, at, { covariance: true }, run)).toEqual(joint);
      if (kind === "matrix") expect(posterior.diagnostics).toMatchObject({ rank: Math.min(points, features + 1), kept: draws.length });
    });

    it("errors, where the draws are random", () => {
      const { standardError, train } = posterior;
      expect([standardError, train!.standardError, plain.standardError].every((each) => (each === undefined) === (kind === "scalar"))).toBe(
        true,
      );
      if (standardError === undefined) return;
      const errors = jackknife(draws);
      expectAlike((standardError.orderParameter as Matrix).data, errors("mixing"), "mixing matrix");
      expectAlike((standardError.hiddenKernels![0] as Matrix).data, errors("kernel"), "kernel");
      for (const found of [plain, joint]) {
        expectAlike(found.standardError!.mean.data, errors("testMean"), "mean");
        expectAlike(found.standardError!.variance.data, errors("testVariance"), "variance");
      }
      if (temperature === 0) return;
      expectAlike(train!.standardError!.mean.data, errors("trainMean"), "mean at training points");
      expectAlike(train!.standardError!.variance.data, errors("trainVariance"), "variance at training points");
    });
  },
);
