import { inlineRun, resolveArchitecture, resolveNetworkInput, type Matrix, type Problem, type Run } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import {
  addDiagonal,
  block,
  cholesky,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  symmetricSquareRoot,
} from "@finitewidth/linalg";
import { conditionTargets, predictGaussianProcess } from "@finitewidth/numerics";
import { exact } from "@finitewidth/posterior";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { infiniteWidthBaseline } from "../src/referee/baseline.js";
import { runRefereeChains, type RefereeChunk, type RefereeGroup } from "../src/referee/chains.js";
import { linearResponse } from "../src/referee/controls.js";
import { referee } from "../src/index.js";
import { randomMatrix, registry } from "./helpers.js";

const [points, tests, features] = [8, 5, 6];
const inputs = randomMatrix(points, features, 1);
const at = randomMatrix(tests, features, 2);
const label = (x: Matrix): Matrix => ({
  data: Float64Array.from({ length: x.shape[0] }, (_, i) => 2 * x.data[i * features]! - Math.sin(2 * x.data[i * features + 1]!)),
  shape: [x.shape[0], 1],
});
/** Further columns are of another size and order. */
const labels = (x: Matrix, outputs: number): Matrix => {
  const first = label(x).data;
  const data = Float64Array.from({ length: first.length * outputs }, (_, k) => {
    const i = Math.floor(k / outputs);
    return k % outputs === 0 ? first[i]! : 1.5 - 0.4 * first[first.length - 1 - i]!;
  });
  return { data, shape: [first.length, outputs] };
};
const problemOf = (width: number, activation: string, biasVariance = 0, outputs = 1): Problem => ({
  network: resolveNetworkInput({ type: "fully-connected", widths: [width], activation, biasVariance } as { type: string }, registry),
  inputs,
  targets: labels(inputs, outputs),
  temperature: 0.2,
  scaling: "standard",
});

test("the response is the derivative of the Gaussian process's moments with respect to its kernel", () => {
  const base = infiniteWidthBaseline(problemOf(10, "erf"), at, registry)!.response!;
  // K + εΦΦᵀ of training and test inputs, from any kernel and features
  const [phi, psi, targets] = [randomMatrix(points, 4, 3), randomMatrix(tests, 4, 4), label(inputs)];
  const [root, rootTests] = [randomMatrix(points, 20, 5), randomMatrix(tests, 20, 6)];
  const moments = (epsilon: number) => {
    const sum = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value + epsilon * b.data[i]!), shape: a.shape });
    const kernel = sum(multiplyTransposedRight(root, root), multiplyTransposedRight(phi, phi));
    const cross = sum(multiplyTransposedRight(root, rootTests), multiplyTransposedRight(phi, psi));
    const own = sum(multiplyTransposedRight(rootTests, rootTests), multiplyTransposedRight(psi, psi));
    const factor = cholesky(addDiagonal(kernel, 0.2));
    const [weights, projection] = [solveCholesky(factor, targets), solveCholesky(factor, cross)];
    const reduction = multiplyTransposedLeft(cross, projection);
    const variance = Float64Array.from({ length: tests }, (_, i) => own.data[i * (tests + 1)]! - reduction.data[i * (tests + 1)]!);
    return { weights, projection, mean: multiplyTransposedLeft(cross, weights).data, variance };
  };
  const [below, middle, above] = [moments(-1e-4), moments(0), moments(1e-4)];
  const found = linearResponse(phi, psi, middle);
  for (const part of ["mean", "variance"] as const)
    found[part].forEach((value, i) => expect(value).toBeCloseTo((above[part][i]! - below[part][i]!) / 2e-4, 5));
  expect(base.mean.length).toBe(tests);
});

it("of infinite width: a Gaussian process of two outputs, and the response at the kernel itself, its readout bias left out", () => {
  const bias = 0.5;
  const problem = problemOf(10, "erf", bias, 2);
  const found = infiniteWidthBaseline(problem, at, registry)!;
  const architecture = resolveArchitecture(registry, problem.network);
  const joint: Matrix = { data: Float64Array.of(...inputs.data, ...at.data), shape: [points + tests, features] };
  const kernel = infiniteWidthKernels(architecture, joint).preactivation.at(-1)!;
  const [own, cross, others] = [
    block(kernel, 0, points, 0, points),
    block(kernel, 0, points, points, points + tests),
    block(kernel, points, points + tests, points, points + tests),
  ];
  const process = conditionTargets(own, problem.targets, 0.2);
  const { mean, variance } = predictGaussianProcess(process, cross, Float64Array.from({ length: tests }, (_, i) => others.data[i * (tests + 1)]!)); // prettier-ignore
  expectClose(found.mean, mean, { relative: 1e-10 });
  expectClose(found.variance, variance, { relative: 1e-9 });
  expectClose(found.logEvidence, process.logEvidence, { relative: 1e-12 });
  expectClose(found.hidden[0]!, infiniteWidthKernels(architecture, inputs).hidden[0]!, { relative: 1e-12 });
  const response = found.response!;
  const root = symmetricSquareRoot({ data: kernel.data.map((value) => value - bias), shape: kernel.shape });
  const rows = (from: number, to: number): Matrix => block(root, from, to, 0, points + tests);
  const here = linearResponse(rows(0, points), rows(points, points + tests), response);
  expectClose(here.mean, response.mean, { relative: 1e-9, absolute: 1e-11 });
  expectClose(here.variance, response.variance, { relative: 1e-9 });
  // ∂ log N(Y | 0, K + T)/∂K by differences, both outputs
  const without = own.data.map((value) => value - bias);
  const evidenceAt = (factor: number): number => conditionTargets({ data: own.data.map((value, i) => value + factor * without[i]!), shape: own.shape }, problem.targets, 0.2).logEvidence; // prettier-ignore
  expectClose(response.likelihood, (evidenceAt(1e-5) - evidenceAt(-1e-5)) / 2e-5, { relative: 1e-6 });
  expectClose(
    response.likelihood,
    response.slope.data.reduce((sum, value, i) => sum + value * without[i]!, 0),
    { relative: 1e-10 },
  );
  expect(response.kernel).toEqual(found.hidden[0]!.data);
});

describe("controls of the referee's chains", () => {
  const run = inlineRun({ registry, seed: 3 });
  async function groupsOf(problem: Problem): Promise<readonly RefereeGroup[]> {
    const response = infiniteWidthBaseline(problem, at, registry)!.response!;
    const base: RefereeChunk = {
      problem,
      testInputs: at,
      seed: 3,
      look: 0,
      group: 0,
      chains: 0,
      particles: 32,
      burnIn: 0,
      draws: 0,
      response,
    };
    const found: RefereeGroup[] = [];
    for await (const pilot of run.map(runRefereeChains, [base]))
      for await (const group of run.map(
        runRefereeChains,
        Array.from({ length: 8 }, (_, g) => ({
          ...base,
          group: g + 1,
          chains: 6,
          particles: 24,
          ladder: pilot.ladder,
          burnIn: 4,
          draws: 30,
        })),
      ))
        found.push(group);
    return found;
  }
  it.each([
    ["erf", 12, 0, 1],
    ["tanh", 16, 0.5, 2],
  ] as const)(
    "%s, N = %d, biases %d, %d outputs: mean zero, where the shift of the response is not",
    async (activation, width, bias, outputs) => {
      const problem = problemOf(width, activation, bias, outputs);
      const baseline = infiniteWidthBaseline(problem, at, registry)!;
      const groups = await groupsOf(problem);
      const chains = groups.flatMap(({ averages }) => averages);
      const scores = (rows: readonly Float64Array[]): readonly number[] =>
        [...rows[0]!].map((_, i) => {
          const mean = rows.reduce((sum, row) => sum + row[i]! / rows.length, 0);
          const scatter = rows.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / (rows.length - 1);
          return Math.abs(mean) / Math.sqrt(scatter / rows.length + 1e-30);
        });
      // 5 (10) + 5 + 64 numbers, Student with 47 degrees of freedom: above 4.7 with probability 2e-3
      for (const part of ["mean", "variance", "kernel"] as const)
        expect(Math.max(...scores(chains.map(({ control }) => control![part]))), part).toBeLessThan(4.7);
      // in the direction of the likelihood the kernel itself has moved: a control without a fifth of its Stein–Mehler term would be off
      const along = (kernels: readonly Float64Array[]): readonly Float64Array[] =>
        kernels.map((kernel) => Float64Array.of(kernel.reduce((sum, value, i) => sum + value * baseline.response!.slope.data[i]!, 0)));
      const shift = chains.map(({ control }, c) => {
        const kernel = groups[Math.floor(c / 6)]!.kernels[c % 6]![0]!;
        return kernel.map((value, i) => value - baseline.hidden[0]!.data[i]! - control!.kernel[i]!);
      });
      expect(scores(along(shift))[0]).toBeGreaterThan(25);
      expect(scores(along(chains.map(({ control }) => control!.kernel)))[0]).toBeLessThan(3.5);
      // every level of the annealing: islands are independent
      const levels = groups[0]!.levels.length;
      for (let k = 0; k < levels; k++)
        expect(scores(groups.map((group) => Float64Array.of(group.levels[k]!.control!)))[0], `level ${k}`).toBeLessThan(5.5);
    },
    60_000,
  );
});

/** The same run without control variates. */
const without = (run: Run): Run => ({
  ...run,
  map: (task, chunks) =>
    run.map(
      task,
      [...chunks].map((chunk) => {
        const { response: _, ...bare } = chunk as object & { readonly response?: unknown };
        return bare as typeof chunk;
      }),
    ),
});

it("a linear network of 60 units: errors and evidence stand at the exact ones, within half of the noise", async () => {
  const problem = problemOf(60, "identity");
  const held = { inputs: at, targets: label(at) };
  const own = inlineRun({ registry, seed: 1 });
  const posterior = await exact.fit(problem, {}, own);
  const predictive = await exact.predict(posterior, at, { covariance: false }, own);
  const expected =
    predictive.mean.data.reduce((sum, m, i) => sum + (m - held.targets.data[i]!) ** 2 / tests, 0) +
    predictive.variance.data.reduce((sum, v) => sum + v / tests, 0);
  const found = async (run: Run) => {
    const { referee: report } = await referee(problem, {}, held, { looks: 1 }, run);
    const [error, standardError] = [report["generalizationError"], report["generalizationErrorStandardError"]] as Record<string, number>[];
    return {
      error: [error!["total"]! - expected, standardError!["total"]!] as const,
      evidence: [Number(report["logEvidence"]) - posterior.logEvidence!, Number(report["logEvidenceStandardError"])] as const,
    };
  };
  const runs: Awaited<ReturnType<typeof found>>[] = [];
  for (let seed = 1; seed <= 12; seed++) runs.push(await found(inlineRun({ registry, seed })));
  const plain = [];
  for (let seed = 1; seed <= 3; seed++) plain.push(await found(without(inlineRun({ registry, seed }))));
  for (const quantity of ["error", "evidence"] as const) {
    const square = runs.reduce((sum, { [quantity]: [x, s] }) => sum + (x / s) ** 2 / 12, 0);
    // χ² of 12 scores between its 0.1 % and 99.9 % points, those of Student's t with six degrees of freedom for the evidence
    expect(square, quantity).toBeGreaterThan(0.18);
    expect(square, quantity).toBeLessThan(quantity === "error" ? 2.75 : 4.5);
    const typical = (all: typeof runs) => all.map(({ [quantity]: [, s] }) => s).toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
    expect(typical(runs), quantity).toBeLessThan(typical(plain) / 2);
  }
}, 120_000);
