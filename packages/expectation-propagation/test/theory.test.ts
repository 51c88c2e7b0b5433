import {
  createProblem,
  fit,
  inlineRun,
  resolveArchitecture,
  validate,
  type Matrix,
  type Run,
  type Task,
  type Theory,
} from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { cholesky, multiply, solveCholesky } from "@finitewidth/linalg";
import { denseChain, fullyConnectedKernels } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectationPropagation, expectationPropagationOptions } from "../src/index.js";
import { importanceSampling, registry, ridge } from "./importance-sampling.js";
import { normalMatrix } from "../../../tools/testing.ts";
const network = (width: number, activation = "erf", biasVariance: number | number[] = 0, weightVariance: number | number[] = 1) => ({
  type: "fully-connected",
  widths: [width],
  activation,
  weightVariance,
  biasVariance,
});
const normals = (rows: number, columns: number, seed: number): Matrix => normalMatrix(stream(seed), rows, columns);

describe("conformance", () => {
  const problem = (points: number, features: number) => ({
    network: network(6),
    inputs: normals(points, features, 21),
    targets: { data: normals(points, 1, 22).data.map((y) => 0.5 * y), shape: [points, 1] as const },
    temperature: 0.1,
  });
  const cases = [
    { problem: problem(3, 2), testInputs: normals(3, 2, 23), options: { averages: "nodes" } },
    {
      problem: problem(8, 8),
      testInputs: normals(3, 8, 23),
      options: { averages: "sampling", particles: 400, sweeps: 20 },
      tolerance: 0.1,
    },
  ];
  const refused = { ...problem(3, 2), network: { ...network(6), widths: [6, 6] } };
  for (const check of theoryChecks(expectationPropagation as Theory, { registry, cases, refused }))
    it(check.name, { timeout: 60_000 }, () => check.run());
});

describe("expectation propagation", () => {
  it("predicts means and covariances of networks with biases, test inputs outside the span of the training inputs", async () => {
    const input = { network: network(12, "erf", [0.2, 0.3], [1.2, 1.4]), inputs: normals(2, 4, 1), targets: [1.2, -0.7], temperature: 0.2 };
    const tests = normals(3, 4, 2);
    const { value, error } = importanceSampling(input, tests, 20_000);
    for (const averages of ["nodes", "sampling"] as const) {
      const { predict, posterior } = await fit(expectationPropagation, input, {
        registry,
        options: { averages, particles: 2000 },
        seed: 4,
      });
      expect(posterior.diagnostics["averages"]).toBe(averages);
      const { mean, covariance } = await predict(tests, { covariance: true });
      // four standard errors, and 1/N² for the theory; 3/√(8·2000) for draws of the units
      const own = averages === "nodes" ? 0.012 : 0.025;
      for (const [k, got] of [...mean.data, ...covariance!.data].entries())
        expect(Math.abs(got - value[k]!), `${averages} ${k}`).toBeLessThan(4 * error[k]! + own);
      const alone = await predict(tests);
      for (let s = 0; s < 3; s++) expect(Math.abs(alone.variance.data[s]! - covariance!.data[4 * s]!)).toBeLessThan(own);
    }
  });

  it("becomes infinite width for wide networks", { timeout: 60_000 }, async () => {
    const inputs = normals(20, 12, 3);
    const targets = Array.from({ length: 20 }, (_, i) => (i % 2 ? 1 : -1));
    const tests = normals(6, 12, 4);
    const input = { network: network(100_000), inputs, targets, temperature: 0.1 };
    const { posterior, predict } = await fit(expectationPropagation, input, { registry, options: { particles: 500, sweeps: 30 } });
    const chain = denseChain(resolveArchitecture(registry, posterior.problem.network))!;
    const total = ridge(fullyConnectedKernels(chain, inputs).preactivation[1]!);
    for (let i = 0; i < 20; i++) total.data[21 * i]! += 0.1;
    const cross = fullyConnectedKernels(chain, tests, inputs).preactivation[1]!;
    const weights = solveCholesky(cholesky(total), { data: Float64Array.from(targets), shape: [20, 1] });
    const expected = multiply(cross, weights).data;
    const { mean } = await predict(tests);
    // what 1/N is worth here, with labels of norm √20: r·K r/N
    for (let s = 0; s < 6; s++) expect(Math.abs(mean.data[s]! - expected[s]!)).toBeLessThan(2e-3);
    expect(posterior.diagnostics["alignedUnits"]).toMatchObject({ none: 1 });
  });

  it("has the same numbers whoever runs its chunks, and after saving", { timeout: 60_000 }, async () => {
    const problem = createProblem(
      { network: network(6), inputs: normals(10, 8, 5), targets: normals(10, 1, 6), temperature: 0.1 },
      registry,
    );
    const options = validate(expectationPropagationOptions, { averages: "sampling", particles: 250, sweeps: 15 });
    const inline = inlineRun({ registry, seed: 9 });
    /** Last chunk first, plain data in and out, as a pool of workers may do. */
    const shuffled: Run = {
      ...inline,
      async *map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B> {
        const results: B[] = [];
        for (let i = chunks.length - 1; i >= 0; i--)
          results[i] = structuredClone(await task.run(structuredClone(chunks[i]!), { registry, tick: () => undefined }));
        yield* results;
      },
    };
    const tests = normals(4, 8, 7);
    const [one, other] = await Promise.all([inline, shuffled].map((run) => expectationPropagation.fit(problem, options, run)));
    const first = await expectationPropagation.predict(one!, tests, { covariance: false }, inline);
    const second = await expectationPropagation.predict(other!, tests, { covariance: false }, shuffled);
    const saved = posteriorFromNpz(posteriorToNpz(one!)) as typeof one;
    const third = await expectationPropagation.predict(saved!, tests, { covariance: false }, inline);
    expect([...second.mean.data, ...second.variance.data]).toEqual([...first.mean.data, ...first.variance.data]);
    expect([...third.mean.data]).toEqual([...first.mean.data]);
    expect(other!.logEvidence).toBe(one!.logEvidence);
  });

  it("keeps the symmetries of the posterior", async () => {
    const rows = [
      [0.4, 1.1],
      [-1.2, 0.3],
      [0.8, -0.5],
    ];
    const targets = [1.5, -1, 0.7];
    const tests = [[0.3, 0.2]];
    const solve = async (inputs: number[][], y: number[], at: number[][]) => {
      const { posterior, predict } = await fit(
        expectationPropagation,
        { network: network(8), inputs, targets: y, temperature: 0.1 },
        { registry, options: { averages: "nodes" } },
      );
      const { mean, variance } = await predict(at);
      return [mean.data[0]!, variance.data[0]!, posterior.logEvidence!];
    };
    const [m, v, evidence] = await solve(rows, targets, tests);
    const flipped = await solve(
      rows,
      targets.map((y) => -y),
      tests,
    );
    const swapped = await solve([rows[2]!, rows[0]!, rows[1]!], [targets[2]!, targets[0]!, targets[1]!], tests);
    const turn = ([x, y]: number[]): number[] => [0.6 * x! - 0.8 * y!, 0.8 * x! + 0.6 * y!];
    const turned = await solve(rows.map(turn), targets, tests.map(turn));
    for (const [k, sign] of [-1, 1, 1].entries()) expect(flipped[k]! - sign * [m, v, evidence][k]!).toBeCloseTo(0, 7);
    for (const k of [0, 1, 2]) {
      expect(swapped[k]! - [m, v, evidence][k]!).toBeCloseTo(0, 7);
      // nodes turn with the eigenvectors only up to their sign
      expect(turned[k]! - [m, v, evidence][k]!).toBeCloseTo(0, 5);
    }
  });

  it.each<readonly [change: Record<string, unknown>, targets: number[] | number[][], message: string, temperature: number]>([
    [{ widths: [5, 5] }, [1, -1], "one hidden layer is needed, got 2", 0.1],
    [{ activation: "quadratic" }, [1, -1], "grows faster than linearly", 0.1],
    [{ activation: "sign" }, [1, -1], "jumps", 0.1],
    [
      {},
      [
        [1, 0],
        [0, 1],
      ],
      "one output is needed, got 2",
      0.1,
    ],
    [{ widths: [2] }, [1, -1], "without noise", 0],
  ])("refuses %j with %j: %s", async (change, targets, message, temperature) => {
    const inputs = [
      [1, 0],
      [0, 1],
    ];
    await expect(
      fit(expectationPropagation, { network: { ...network(5), ...change }, inputs, targets, temperature }, { registry }),
    ).rejects.toThrow(message);
  });

  it.each([
    [
      "inputs that are all zero",
      [
        [0, 0],
        [0, 0],
      ],
      [1, 0.5],
      6,
      0.1,
    ],
    [
      "equal inputs",
      [
        [1, 2],
        [1, 2],
        [0, 1],
      ],
      [1, 0.5, -1],
      6,
      0.1,
    ],
    [
      "a single unit",
      [
        [1, 0],
        [0, 1],
      ],
      [1, -0.5],
      1,
      0.1,
    ],
    [
      "no noise",
      [
        [1, 0],
        [0, 1],
      ],
      [1, -0.5],
      8,
      0,
    ],
  ])("has finite answers for %s", async (_, inputs, targets, width, temperature) => {
    const { posterior, predict } = await fit(
      expectationPropagation,
      { network: network(width), inputs, targets, temperature },
      { registry, options: { particles: 200, sweeps: 15 } },
    );
    const { mean, variance } = await predict([[0.3, -0.2]]);
    for (const value of [...mean.data, ...variance.data, ...posterior.train!.mean.data, ...posterior.hiddenKernels![0]!.data])
      expect(Number.isFinite(value)).toBe(true);
    if (temperature === 0) for (const [i, y] of targets.entries()) expect(posterior.train!.mean.data[i]).toBeCloseTo(y, 9);
  });

  it("says which option is wrong", () => {
    expect(() => validate(expectationPropagationOptions, { particles: 5 }, "options")).toThrow(
      "options.particles: expected an integer ≥ 100, got 5",
    );
  });
});
