import { fit, type FittedScenario, type Matrix, type PriorResult, type StandardSchemaV1, type Tensor } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose, normalRows } from "../../../tools/testing.ts";
import { posteriorClaims, priorClaims } from "../src/exact/claims.js";
import { likelihoodClaims } from "../src/exact/likelihood-claims.js";
import { exactOptions } from "../src/exact/options.js";
import { exact } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number): number[][] => {
  const random = stream(91, seed);
  return normalRows(random, n, m);
};
const network = (widths: readonly number[], extra: object = {}) => ({ type: "fully-connected", widths, activation: "identity", ...extra });
const values = (value: number | Tensor | undefined): number[] => (typeof value === "number" ? [value] : [...value!.data]);

describe("two outputs, sampled", () => {
  const problem = {
    network: network([6, 9], { weightVariance: [1.2, 0.8, 1.5], biasVariance: [0.3, 0, 0] }),
    inputs: rows(1, 4, 3),
    targets: rows(2, 4, 2).map(([a, b]) => [a!, 2 * b!]),
    temperature: 0.3,
  };
  const at = rows(3, 2, 3);
  it("states the scatter over seeds: evidence, order parameter, outputs, kernels", async () => {
    const runs: { readonly values: number[][]; readonly errors: number[][] }[] = [];
    for (let seed = 1; seed <= 16; seed++) {
      const { posterior, predict } = await fit(exact, problem, { registry, seed, options: { draws: 1000 } });
      const { train, standardError: stated, hiddenKernels, logEvidence, orderParameter } = posterior;
      const test = await predict(at);
      runs.push({
        values: [
          values(logEvidence),
          values(orderParameter),
          values(train!.mean),
          values(train!.variance),
          values(test.mean),
          values(test.variance),
          ...hiddenKernels!.map(values),
        ],
        errors: [
          values(stated!.logEvidence),
          values(stated!.orderParameter),
          values(train!.standardError!.mean),
          values(train!.standardError!.variance),
          values(test.standardError!.mean),
          values(test.standardError!.variance),
          ...stated!.hiddenKernels!.map(values),
        ],
      });
    }
    expect(runs[0]!.values).toHaveLength(8);
    runs[0]!.values.forEach((entries, k) => {
      const logs = entries.map((_, i) => {
        const all = runs.map((one) => one.values[k]![i]!);
        const mean = all.reduce((a, b) => a + b / all.length, 0);
        const scatter = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (all.length - 1);
        return Math.log(runs.reduce((sum, one) => sum + one.errors[k]![i]! ** 2 / all.length, 0) / scatter);
      });
      const typical = Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length);
      // 15/χ²₁₅ lies within these with probability 0.99 and more for a single entry; half or twice the error are 1/4 and 4
      expect(typical, `quantity ${k}`).toBeGreaterThan(0.4);
      expect(typical, `quantity ${k}`).toBeLessThan(3.4);
    });
  });
});

const filters = (readout: number) => ({
  type: "convolutional",
  inputShape: [1, 3],
  layers: [{ channels: 4, kernelSize: [2], padding: "valid" }],
  readout: "flatten",
  activation: "identity",
  weightVariance: [1.2, readout],
  biasVariance: [0.3, 0],
});
describe("mean-field scaling: the mixing matrix in units of the last width, its error and its figures too; all else as in standard form", () => {
  const twice = { inputs: rows(1, 4, 3), targets: rows(2, 4, 2).map(([a, b]) => [a!, 2 * b!]) };
  it.each([
    ["dense", (readout: number) => network([6, 9], { weightVariance: [1.2, 0.8, readout], biasVariance: [0.3, 0, 0] }), 9],
    ["over sites", filters, 4],
  ] as const)("%s", async (_, networkOf, width) => {
    const options = { registry, seed: 4, options: { draws: 1000 } };
    const meanField = await fit(exact, { ...twice, network: networkOf(1.5), temperature: 0.3, scaling: "mean-field" }, options);
    const standard = await fit(exact, { ...twice, network: networkOf(1.5 / width), temperature: 0.3 / width }, options);
    const [a, b] = [meanField.posterior, standard.posterior];
    const scaled = (list: number[]) => list.map((value) => width * value);
    expectClose(values(a.orderParameter), scaled(values(b.orderParameter)), { relative: 1e-10, absolute: 1e-12 });
    expectClose(values(a.standardError!.orderParameter), scaled(values(b.standardError!.orderParameter)), { relative: 1e-9 });
    expectClose(a.logEvidence!, b.logEvidence!, { relative: 1e-10 });
    a.hiddenKernels!.forEach((kernel, l) => expectClose(kernel, b.hiddenKernels![l]!, { relative: 1e-10 }));
    expectClose(a.train!.mean, b.train!.mean, { relative: 1e-10 });
    const numbers = (figure: object): number[] => {
      const {
        series = [],
        panels = [],
        marks = [],
      } = figure as { series?: { x: Float64Array }[]; panels?: { values: Matrix }[]; marks?: { x: number }[] };
      return [...series.flatMap(({ x }) => [...x]), ...panels.flatMap((panel) => [...panel.values.data]), ...marks.map(({ x }) => x)];
    };
    expect(a.figures!.map(({ kind }) => kind)).toEqual(width === 4 ? ["heatmaps", "density"] : ["density"]);
    a.figures!.forEach((figure, i) => expectClose(numbers(figure), scaled(numbers(b.figures![i]!)), { relative: 1e-9, absolute: 1e-11 }));
  });
});

describe("claims of exact", () => {
  const claimsAt = async (temperature: number, outputs: number, widths: readonly number[]) => {
    const input = {
      network: network(widths, { weightVariance: [1.3, ...widths.map((_, l) => 0.7 + 0.4 * l)] }),
      inputs: rows(1, 3, 4),
      targets: rows(2, 3, outputs),
      temperature,
    };
    const { posterior, predict } = await fit(exact, input, { registry, options: { draws: 1000 } });
    const tests: Matrix = { data: Float64Array.from(rows(3, 2, 4).flat()), shape: [2, 4] };
    const predictive = await predict(tests, { covariance: true });
    const scenario = { name: "test", problem: posterior.problem, testInputs: tests };
    return {
      posterior,
      predictive,
      claims: [...exact.claims({ scenario, posterior, predictive } as FittedScenario<never, never>, registry)],
    };
  };
  it("one layer, one output: everything, the order parameter in units of its prior mean", async () => {
    const { posterior, predictive, claims } = await claimsAt(0.2, 1, [5]);
    const by = Object.fromEntries(claims.map((claim) => [claim.id, claim]));
    expect(Object.keys(by)).toEqual([
      "log-evidence",
      "predictive-mean",
      "predictive-variance",
      "predictive-covariance",
      "train-mean",
      "train-variance",
      "order-parameter",
      "hidden-kernel-1",
    ]);
    expect(claims.every(({ error, standardError }) => error === "exact" && standardError === undefined)).toBe(true);
    expect([...by["log-evidence"]!.value.data]).toEqual([posterior.logEvidence]);
    expect(by["predictive-mean"]!.value).toEqual(predictive.mean);
    expect(by["predictive-variance"]!.value).toEqual(predictive.variance);
    expect(by["predictive-covariance"]!.value).toEqual(predictive.covariance);
    expect(by["train-mean"]!.value).toEqual(posterior.train!.mean);
    expect(by["train-variance"]!.value).toEqual(posterior.train!.variance);
    expect(by["hidden-kernel-1"]).toMatchObject({ value: posterior.hiddenKernels![0], estimand: { quantity: "hiddenKernel", layer: 1 } });
    expect(by["order-parameter"]!.estimand.quantity).toBe("readoutNorm");
    expect(by["order-parameter"]!.value.data[0]).toBeCloseTo((posterior.orderParameter as number) / 0.7, 12);
  });
  it("deeper networks claim no order parameter, T = 0 no training outputs, samples come with their errors and no covariance", async () => {
    expect((await claimsAt(0.2, 1, [5, 6])).claims.map(({ id }) => id)).not.toContain("order-parameter");
    expect((await claimsAt(0, 1, [5])).claims.map(({ id }) => id)).not.toContain("train-mean");
    const { claims, posterior, predictive } = await claimsAt(0.2, 2, [5, 6]);
    const ids = claims.map(({ id }) => id);
    expect(ids).not.toContain("predictive-covariance");
    for (const { id, value, standardError } of claims) {
      expect(standardError!.shape.length, id).toBeGreaterThan(0);
      expect(standardError!.data.length, id).toBe(value.data.length);
    }
    const by = Object.fromEntries(claims.map((claim) => [claim.id, claim]));
    expect(by["predictive-mean"]!.standardError).toEqual(predictive.standardError!.mean);
    expect(by["predictive-variance"]!.standardError).toEqual(predictive.standardError!.variance);
    expect(by["train-mean"]!.standardError).toEqual(posterior.train!.standardError!.mean);
    expect(by["train-variance"]!.standardError).toEqual(posterior.train!.standardError!.variance);
    expect(by["hidden-kernel-1"]!.standardError).toEqual(posterior.standardError!.hiddenKernels![0]);
    // of one layer the matrix is integrated on a lattice: no samples, no errors
    const shallow = await claimsAt(0.2, 2, [5]);
    const order = shallow.claims.find(({ id }) => id === "order-parameter")!;
    expect(order.standardError).toBeUndefined();
    expectClose(
      order.value,
      values(shallow.posterior.orderParameter).map((value) => value / 0.7),
      { relative: 1e-12 },
    );
  });
});

test("fourth moments of the prior are the cumulant and the three pairings, entry by entry", () => {
  const n = 2;
  const second: Matrix = { data: Float64Array.of(2, 0.3, 0.3, 5), shape: [n, n] };
  const cumulant: Tensor = { data: Float64Array.from({ length: 16 }, (_, i) => 0.01 * i), shape: [n, n, n, n] };
  const prior = {
    secondMoment: second,
    fourthCumulant: cumulant,
    excessKurtosis: Float64Array.of(1, 2),
    kernelCovariance: cumulant,
  } as unknown as PriorResult;
  const claims = [...priorClaims(prior)];
  expect(claims.map(({ id }) => id)).toEqual([
    "prior-secondMoment",
    "prior-fourthMoment",
    "prior-excessKurtosis",
    "prior-kernelCovariance",
  ]);
  const s = (i: number, j: number) => second.data[i * n + j]!;
  let at = 0;
  for (const i of [0, 1])
    for (const j of [0, 1])
      for (const k of [0, 1])
        for (const l of [0, 1]) {
          expect(claims[1]!.value.data[at]).toBeCloseTo(0.01 * at + s(i, j) * s(k, l) + s(i, k) * s(j, l) + s(i, l) * s(j, k), 12);
          at++;
        }
  expect([...priorClaims({ excessKurtosis: Float64Array.of(1, 2) } as unknown as PriorResult)].map(({ value }) => [...value.data])).toEqual(
    [[1, 2]],
  );
  expect([...posteriorClaims({ problem: { temperature: 1 } } as never, { mean: second, variance: second })].map(({ id }) => id)).toEqual([
    "predictive-mean",
    "predictive-variance",
  ]);
});

it("claims about the generalisation error take the distance from test targets of every output, and its error", () => {
  const two = (...values: readonly number[]): Matrix => ({ data: Float64Array.from(values), shape: [1, 2] });
  const predictive = { mean: two(1, 2), variance: two(0.1, 0.3), standardError: { mean: two(0.01, 0.02), variance: two(0.004, 0.002) } };
  const claims = [...posteriorClaims({ problem: { temperature: 0 } } as never, predictive as never, undefined, two(1.5, -1))];
  const claim = claims.find(({ id }) => id === "generalization-error")!;
  expect(claim.estimand).toEqual({ of: "posterior", quantity: "generalizationError" });
  expect(claim.value.data[0]).toBeCloseTo((0.25 + 9) / 2 + 0.2, 12);
  expect(claim.standardError!.data[0]).toBeCloseTo(0.5 * 0.01 + 3 * 0.02 + 0.003, 12);
});

it("claims under other likelihoods: exact with errors where sampled, probabilities and kernels to 3 % elsewhere, evidence with an error only", () => {
  const [number, error] = [3, 0.5];
  const tensor = (value: number): Tensor => ({ data: Float64Array.of(value, 2 * value), shape: [1, 2] });
  const kernels = [tensor(3), tensor(4)];
  const sampled = [
    ...likelihoodClaims(
      { logEvidence: number, hiddenKernels: kernels, standardError: { logEvidence: error, hiddenKernels: [tensor(0.3)] } } as never,
      { probabilities: tensor(1), standardError: { probabilities: tensor(0.1) } } as never,
    ),
  ];
  expect(sampled.map(({ id }) => id)).toEqual(["log-evidence", "probabilities", "hidden-kernel-1", "hidden-kernel-2"]);
  expect(sampled.map(({ estimand }) => estimand)).toEqual([
    { of: "posterior", quantity: "logEvidence" },
    { of: "posterior", quantity: "predictive.probabilities" },
    { of: "posterior", quantity: "hiddenKernel", layer: 1 },
    { of: "posterior", quantity: "hiddenKernel", layer: 2 },
  ]);
  expect(sampled.map(({ value }) => value.data[0])).toEqual([3, 1, 3, 4]);
  expect(sampled.map(({ standardError }) => standardError?.data[0])).toEqual([0.5, 0.1, 0.3, undefined]);
  expect(sampled.map(({ error: stated }) => stated)).toEqual(["exact", "exact", "exact", { relative: 0.03 }]);
  const propagated = [...likelihoodClaims({ logEvidence: 3 } as never, { probabilities: tensor(1) } as never)];
  expect(propagated.map(({ id, error: stated }) => [id, stated])).toEqual([["probabilities", { relative: 0.03 }]]);
  expect([...likelihoodClaims({} as never, {} as never)]).toEqual([]);
});

it("options have least values and no others", async () => {
  const check = async (value: object) => ((await (exactOptions as StandardSchemaV1)["~standard"].validate(value)) as { issues?: unknown[] }).issues; // prettier-ignore
  const least = { draws: 1000, chains: 2, chainDraws: 40, warmup: 20 };
  expect(await check({})).toBeUndefined();
  expect(await check(least)).toBeUndefined();
  for (const [key, value] of Object.entries(least)) {
    expect(await check({ [key]: value - 1 }), key).toHaveLength(1);
    expect(await check({ [key]: value + 0.5 }), key).toBeDefined();
  }
  expect(await check({ importanceLimit: 20 })).toBeDefined();
});
