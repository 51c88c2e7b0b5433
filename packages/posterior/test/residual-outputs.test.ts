import { fit, matrixFromRows, rowsOf, type Matrix } from "@finitewidth/core";
import { affine, cholesky, gram, identity, multiply, solveLower } from "@finitewidth/linalg";
import { logDensityOfLogProduct, logNormalFactor } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectWithinStandardErrors, flatten, readFixture } from "../../../tools/testing.ts";
import {
  exact,
  hiddenKernelSums,
  hiddenKernelsOnTraining,
  importanceSample,
  laplaceFit,
  logNormalTrunk,
  logPriorDensity,
  matrixTarget,
  meanMixing,
  mixingDraws,
  predictMatrix,
  type PlainChain,
  integrateScalarPosterior,
  projectCross,
  scalarData,
  scalarLaw,
  spectralProblem,
} from "../src/index.js";
import { testRegistry } from "./registry.js";
import { type ScalarCase, kernelOf } from "./residual-cases.js";

interface MatrixFixture {
  readonly inputs: Omit<ScalarCase, "targets"> & { readonly targets: number[][] };
  readonly expected: Record<"logEvidence" | "mixing" | "predictiveMean" | "predictiveSecondMoment" | "hiddenKernels", Estimate>;
  readonly tolerance: { readonly zScore: number };
}

interface Estimate {
  readonly estimate: Nested;
  readonly standardError: Nested;
}

type Nested = number | Nested[];

describe("several outputs of a residual network", () => {
  const chainOf = (c: Pick<ScalarCase, "width" | "alphas" | "betas" | "readoutVariance">): PlainChain => ({
    widths: Array.from({ length: c.alphas.length + 1 }, () => c.width),
    variances: [...c.betas.map((b) => b * b), c.readoutVariance],
    skips: [...c.alphas, undefined],
    hiddenBias: Array.from({ length: c.alphas.length + 1 }, () => 0),
    readoutBias: 0,
  });
  const analyse = (chain: PlainChain, x: Matrix, y: Matrix, temperature: number, seed: number) => {
    const [n, p] = [x.shape[0], y.shape[0]];
    const all = kernelOf(rowsOf(x), 1);
    const block = (from: number, to: number, left: number, right: number) =>
      matrixFromRows(
        Array.from({ length: to - from }, (_, i) => Array.from(all.data.slice((from + i) * n + left, (from + i) * n + right))),
      );
    const problem = spectralProblem(block(0, p, 0, p), y, temperature);
    const target = matrixTarget(chain, problem);
    const varying = importanceSample(target, laplaceFit(target), 20_000, stream(seed, 1));
    const sample = { ...varying, logEvidence: varying.logEvidence + target.logConstant! };
    const draws = mixingDraws(target, sample);
    const cross = projectCross(problem.spectrum.vectors, block(0, p, p, n));
    return {
      sample,
      order: meanMixing(draws, identity(y.shape[1])),
      prediction: predictMatrix(problem, draws, identity(y.shape[1]), cross, block(p, n, p, n)),
      kernels: hiddenKernelsOnTraining(target, problem, hiddenKernelSums(target, problem, sample, sample.batchCount)),
    };
  };

  it("fixture residual-posterior-matrix: importance sampling", () => {
    const { inputs, expected, tolerance } = readFixture<MatrixFixture>("attention-residual/residual-posterior-matrix");
    const { sample, order, prediction, kernels } = analyse(
      chainOf(inputs),
      matrixFromRows(inputs.inputs),
      matrixFromRows(inputs.targets),
      inputs.temperature,
      3,
    );
    const compare = (what: string, value: ArrayLike<number>, error: ArrayLike<number>, { estimate, standardError }: Estimate): void =>
      expectWithinStandardErrors(
        value,
        flatten(estimate),
        flatten(standardError).map((e, i) => Math.hypot(e, error[i]!)),
        tolerance.zScore,
        what,
      );
    compare("evidence", [sample.logEvidence], [sample.logEvidenceStandardError], expected.logEvidence);
    compare("mixing", order.mean.data, order.standardError.data, expected.mixing);
    compare("mean", prediction.mean.data, prediction.standardError!.mean.data, expected.predictiveMean);
    const mean = prediction.mean.data;
    compare(
      "second moment",
      prediction.variance.data.map((value, i) => value + mean[i]! ** 2),
      prediction.standardError!.variance.data.map((value, i) => Math.hypot(value, 2 * mean[i]! * prediction.standardError!.mean.data[i]!)),
      expected.predictiveSecondMoment,
    );
    compare("hidden kernels", flatten(kernels.mean), flatten(kernels.standardError!), expected.hiddenKernels);
  });

  it("mixed with dense layers, a bottleneck of two units, three outputs: hidden kernels are those of weighted networks", () => {
    // x⁰ of 5 units, two residual layers, a dense layer of 2 units, three outputs
    const chain: PlainChain = {
      widths: [5, 5, 5, 2],
      variances: [0.6, 0.9, 0.8, 1.1],
      skips: [0.9, -1.1],
      hiddenBias: [0, 0, 0, 0],
      readoutBias: 0,
    };
    const random = stream(17);
    const draw = (rows: number, columns: number, scale: number): Matrix => ({
      data: random.normals(new Float64Array(rows * columns)).map((value) => scale * value),
      shape: [rows, columns],
    });
    const [x, y, temperature] = [draw(2, 2, 1), draw(2, 3, 1.5), 0.8];
    const { kernels, sample } = analyse(chain, x, y, temperature, 4);
    const n = 60_000;
    const size = 16;
    const weights = new Float64Array(n);
    const values = new Float64Array(n * size);
    for (let k = 0; k < n; k++) {
      let h = multiply(x, draw(2, 5, Math.sqrt(1 / 2)));
      const states = [h];
      for (const [a, s] of [
        [0.9, 0.6],
        [-1.1, 0.9],
      ] as const) {
        const moved = multiply(h, draw(5, 5, Math.sqrt(s / 5)));
        h = { data: h.data.map((value, i) => a * value + moved.data[i]!), shape: h.shape };
        states.push(h);
      }
      h = multiply(h, draw(5, 2, Math.sqrt(0.8 / 5)));
      states.push(h);
      const covariance = affine(1.1 / 2, gram(h));
      for (let i = 0; i < 2; i++) covariance.data[i * 3]! += temperature;
      const root = cholesky(covariance);
      const half = solveLower(root.factor, y);
      weights[k] = Math.exp(
        -0.5 * (half.data.reduce((sum, value) => sum + value * value, 0) + 3 * root.logDeterminant + 6 * Math.log(2 * Math.PI)),
      );
      states.forEach((state, l) => values.set(affine(1 / state.shape[1], gram(state)).data, k * size + 4 * l));
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const spread = Math.sqrt(weights.reduce((sum, weight) => sum + (weight - total / n) ** 2, 0)) / total;
    expect(Math.abs(sample.logEvidence - Math.log(total / n))).toBeLessThan(3.5 * Math.hypot(spread, sample.logEvidenceStandardError));
    const [exact, error] = [flatten(kernels.mean), flatten(kernels.standardError!)];
    for (let i = 0; i < size; i++) {
      let mean = 0;
      for (let k = 0; k < n; k++) mean += (weights[k]! * values[k * size + i]!) / total;
      let square = 0;
      for (let k = 0; k < n; k++) square += ((weights[k]! / total) * (values[k * size + i]! - mean)) ** 2;
      expect(Math.abs(mean - exact[i]!), `entry ${i}: ${mean} against ${exact[i]}`).toBeLessThan(
        4 * Math.hypot(Math.sqrt(square), error[i]!),
      );
    }
  });
});

describe("depth", () => {
  it("log q becomes log-normal beside the readout at β² = t/L, with the mean and variance of geometric Brownian motion", () => {
    const [width, t] = [5, 0.8];
    const errors = [8, 32].map((depth) => {
      const law = scalarLaw(
        Array.from({ length: depth + 1 }, () => width),
        [...Array.from({ length: depth }, () => t / depth), 1],
        Array.from({ length: depth }, () => 1),
      );
      const limit = logNormalTrunk(law)!;
      const brownian = {
        factors: [limit.factors[0]!, { factor: logNormalFactor(t * (1 - 2 / width), (4 * t) / width), count: 1 }],
        shift: 0,
      };
      const at = (product: typeof limit): number[] => [-1.5, 0, 1.2].map((u) => logDensityOfLogProduct(product, u));
      const exact = [-1.5, 0, 1.2].map((u) => logPriorDensity(law, u));
      const distance = (other: number[]): number => Math.max(...exact.map((value, i) => Math.abs(value - other[i]!)));
      return { matched: distance(at(limit)), brownian: distance(at(brownian)) };
    });
    // both fall as 1/L; matching mean and variance leaves less
    for (const kind of ["matched", "brownian"] as const) expect(errors[0]![kind] / errors[1]![kind]).toBeGreaterThan(3);
    expect(errors[1]!.matched).toBeLessThan(errors[1]!.brownian);
    expect(logNormalTrunk(scalarLaw([4, 4]))).toBeUndefined();
  });

  it("a body of several layers of weights is refused in one line that names what takes it; a body of one is not", async () => {
    const registry = testRegistry();
    const withBody = (...widths: number[]) =>
      fit(
        exact,
        {
          network: {
            type: "sequential",
            inputShape: [2],
            layers: [
              { layer: "dense", width: 4 },
              { layer: "residual", body: widths.map((width) => ({ layer: "dense", width })) },
              { layer: "dense" },
            ],
          },
          inputs: [
            [1, 0],
            [0.3, 1],
          ],
          targets: [1, -1],
          temperature: 0.1,
        },
        { registry },
      );
    await expect(withBody(3, 4)).rejects.toThrow(
      /^\[exact\] branches that are added up may have one layer of weights.*; use "monte-carlo"$/,
    );
    expect((await withBody(4)).posterior.logEvidence).toBeLessThan(0);
  });

  it("refuses what has no law, by name", () => {
    const { inputs } = readFixture<{
      inputs: {
        cases: { kind: string; width: number; alphas: number[]; betas: (number | null)[]; temperature: number; targets: number[] }[];
      };
    }>("attention-residual/invalid-inputs");
    const cases = inputs.cases.filter(({ kind }) => kind === "residual");
    expect(cases).toHaveLength(6);
    for (const c of cases) {
      const solveCase = (): unknown => {
        const law = scalarLaw(
          Array.from({ length: c.alphas.length + 1 }, () => c.width),
          [...c.betas.map((b) => (b === null ? Number.NaN : b * b)), 1],
          [...c.alphas, undefined],
        );
        const problem = spectralProblem(
          kernelOf(
            [
              [1, 0],
              [0, 1],
            ],
            1,
          ),
          matrixFromRows(c.targets.map((y) => [y])),
          c.temperature,
        );
        return integrateScalarPosterior(law, scalarData(problem));
      };
      expect(solveCase, JSON.stringify(c)).toThrow(/widths|variances|skips|targets/);
    }
  });
});
