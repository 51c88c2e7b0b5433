import { fit, type Prediction, type ProblemInput } from "@finitewidth/core";
import { firstLayerDiagonal, firstLayerKernel } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { addDiagonal, combine, identity, multiply, multiplyTransposedLeft, solve, transpose } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { createClosure } from "../src/forward-backward/create-closure.ts";
import { nodeErrors } from "../src/forward-backward/node-errors.ts";
import type { ForwardBackwardOptions } from "../src/forward-backward/options.ts";
import { closureOptionsOf, settingOf } from "../src/forward-backward/setting.ts";
import type { ProportionalState } from "../src/forward-backward/state.ts";
import type { TiltedSample } from "../src/forward-backward/tilted-sample.ts";
import { testRegistry } from "./registry.ts";

const normals = (rows: number, columns: number, seed: number, scale = 1) => {
  const random = stream(seed, 0);
  return { data: Float64Array.from({ length: rows * columns }, () => scale * random.normal()), shape: [rows, columns] as const };
};
const inputs = normals(4, 4, 1);
const problem = (fields: Partial<ProblemInput>): ProblemInput => ({
  network: { type: "fully-connected", widths: [12], activation: "erf", weightVariance: [1.4, 1.7], biasVariance: [0.2, 0.3] },
  inputs,
  targets: normals(4, 2, 2, 1.6),
  temperature: 0.3,
  scaling: "mean-field",
  ...fields,
});
const deep = (layers: number): ProblemInput =>
  problem({
    network: {
      type: "fully-connected",
      widths: Array.from({ length: layers }, () => 12),
      activation: "erf",
      weightVariance: [1.4, ...Array.from({ length: layers }, () => 1.7)],
      biasVariance: [0.2, ...Array.from({ length: layers }, () => 0.3)],
    },
    targets: normals(4, 1, 2, 1.6),
  });
/** Of φ of degree 1, whose nodes are carried along their rays. */
const strong = (layers: number): ProblemInput => {
  const widths = Array.from({ length: layers }, () => 12);
  return problem({
    network: { type: "fully-connected", widths, activation: "relu", weightVariance: 1.4, biasVariance: 0.1 },
    targets: normals(4, 1, 2, layers === 1 ? 3 : 1.5),
    scaling: "standard",
  });
};
const tests = normals(2, 4, 3);
const registry = testRegistry();
const theory = registry.theory("forward-backward");
const predictions = async (given: ProblemInput, options: Record<string, unknown>, seed: number) => {
  const { predict } = await fit(theory, given, { registry, seed, options });
  return predict(tests);
};
/** Means row by row, and variances, which all outputs share. */
const errorsOf = ({ diagnostics }: Prediction) => {
  const { mean, variance = [] } = diagnostics!["nodeErrors"] as { mean: number[][]; variance?: number[] };
  return { mean: Float64Array.from(mean.flat()), variance: Float64Array.from(variance) };
};
const rms = (rows: readonly Float64Array[]) =>
  Array.from(rows[0]!, (_, j) => Math.sqrt(rows.reduce((sum, row) => sum + row[j]! ** 2, 0) / rows.length));

it.each([
  ["as they are", 0],
  ["carried along their rays", 1],
])("error of a prediction: what a little more weight of each node changes of it, training kernel included, nodes %s", (_, carried) => {
  const [count, size, outputs, gain, bias, temperature] = [7, 3, 2, 1.7, 0.3, 0.4];
  const [features, values, targets] = [normals(count, size, 4), normals(count, 4, 5), normals(size, outputs, 6)];
  /** Moments of the test point at the nodes of the proposal, and where the tilt has them: both in units of their reach. */
  const momentsOf = (at: number) => {
    const mean = Float64Array.from({ length: count }, (_, i) => values.data[4 * i + at]!);
    return { mean, square: mean.map((m, i) => m * m + values.data[4 * i + at + 1]! ** 2) };
  };
  const [base, tilt] = [momentsOf(0), momentsOf(2 * carried)];
  const reaches = normals(count, 1, 8).data.map((value) => Math.exp(0.3 * carried * value));
  const p = normals(count, 1, 7).data.map(Math.abs);
  const weights = p.map((value) => value / p.reduce((a, b) => a + b));
  const uniform = weights.map(() => 1 / count);
  /** Kernels that nodes with these weights make: training, cross, own. */
  const kernelsOf = (of: Float64Array, { mean, square }: typeof base) => {
    const rows = { data: features.data.map((value, at) => of[Math.floor(at / size)]! * value), shape: features.shape };
    return [
      multiplyTransposedLeft(features, rows),
      multiplyTransposedLeft({ data: mean, shape: [count, 1] }, rows),
      { data: Float64Array.of(square.reduce((sum, value, i) => sum + of[i]! * value, 0)), shape: [1, 1] },
    ] as const;
  };
  const squares = weights.map((value, i) => value * reaches[i]! ** 2);
  const known = kernelsOf(squares, tilt);
  const readout = (kernel: (typeof known)[number]) => ({ data: kernel.data.map((value) => gain * value + bias), shape: kernel.shape });
  const predict = (change: ReturnType<typeof kernelsOf>, step: number) => {
    const [training, cross, own] = known.map((kernel, k) => readout(combine(1, kernel, step, change[k]!)));
    const noisy = addDiagonal(training!, temperature);
    const v = solve(noisy, targets);
    const explained = multiply(cross!, solve(noisy, transpose(cross!)));
    return { v, values: [...multiply(cross!, v).data, own!.data[0]! - explained.data[0]!] };
  };
  /** Derivative of the prediction towards node i alone, from these weights. */
  const towards = (i: number, from: Float64Array, reach: (j: number) => number, moments: typeof base) => {
    const change = kernelsOf(
      from.map((value, j) => reach(j) ** 2 * ((i === j ? 1 : 0) - value)),
      moments,
    );
    const [up, down] = [predict(change, 1e-5), predict(change, -1e-5)];
    return up.values.map((value, k) => (value - down.values[k]!) / 2e-5);
  };
  const expected = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [tilted, proposed] = [towards(i, weights, (j) => reaches[j]!, tilt), towards(i, uniform, () => 1, base)];
    expected.forEach((_, k) => (expected[k]! += (weights[i]! * tilted[k]! - uniform[i]! * proposed[k]!) ** 2));
  }
  const resolvent = solve(addDiagonal(readout(known[0]), temperature), identity(size));
  const differences = squares.map((value, i) => value - uniform[i]!);
  const sample = { blocks: { features }, weights, squares, differences } as unknown as TiltedSample;
  const found = nodeErrors(sample, { weights: predict(known, 0).v, resolvent, gain, bias })({ tilt, base, cross: known[1].data });
  [...found.mean, found.variance].forEach((error, k) => expect(error).toBeCloseTo(Math.sqrt(expected[k]!), 7));
});

describe("standard errors that importance nodes leave in predictions", () => {
  for (const [name, given, options] of [
    ["order full, two outputs, biases", problem({}), { nodes: 8 }],
    ["order proportional", problem({ targets: normals(4, 1, 2, 1.6), scaling: "standard" }), { nodes: 8, order: "proportional" }],
    ["two hidden layers", deep(2), { nodes: 8 }],
    ["three hidden layers", deep(3), { nodes: 8 }],
    ["relu, strong targets", strong(1), { nodes: 9 }],
    ["relu, two hidden layers", strong(2), { nodes: 8 }],
  ] as const)
    it(`are of the size of the scatter over seeds: ${name}`, async () => {
      const seeds = Array.from({ length: 24 }, (_, k) => k + 1);
      const all = [];
      for (const seed of seeds) all.push(await predictions(given, options, seed));
      for (const quantity of ["mean", "variance"] as const) {
        if (quantity === "variance" && "order" in options) continue;
        // of the variances, which all outputs share, those of the first
        const [, outputs] = all[0]!.variance.shape;
        const values = all.map((one) => one[quantity].data.filter((_, at) => quantity === "mean" || at % outputs === 0));
        const centre = Float64Array.from(values[0]!, (_, j) => values.reduce((sum, row) => sum + row[j]! / values.length, 0));
        const scatter = rms(values.map((row) => row.map((value, j) => value - centre[j]!)));
        const stated = rms(all.map((one) => errorsOf(one)[quantity]));
        // quasi-random nodes do better than the errors of random ones say, and kernels move one another
        const ratios = stated.map((error, j) => error / scatter[j]!);
        for (const ratio of ratios) expect(ratio).toBeGreaterThan(/^(two|three)/.test(name) ? 1.2 : 0.6);
        for (const ratio of ratios) expect(ratio).toBeLessThan(8);
      }
    }, 60_000);

  it("fall as the root of the number of nodes, and are said where they are large", async () => {
    const [few, many] = [await predictions(problem({}), { nodes: 8 }, 5), await predictions(problem({}), { nodes: 14 }, 5)];
    const norm = (values: Float64Array) => Math.hypot(...values);
    expect(norm(errorsOf(few).mean) / norm(errorsOf(many).mean)).toBeGreaterThan(5);
    expect(norm(errorsOf(few).mean) / norm(errorsOf(many).mean)).toBeLessThan(13);
    expect(many.warnings).toBeUndefined();
    const hard = await predictions(problem({ temperature: 0.01, targets: normals(4, 2, 2, 6) }), { nodes: 6 }, 5);
    expect(hard.warnings?.join()).toMatch(/importance nodes leave standard errors of up to .* raise "nodes"/);
  });

  it("with the Onsager term: none at training inputs without noise, and of C*V/(1 + τ) elsewhere", async () => {
    const given = (temperature: number) => problem({ targets: normals(4, 1, 2, 1.6), scaling: "standard", temperature });
    const options = { nodes: 8, order: "proportional" };
    const noiseless = await fit(theory, given(1e-9), { registry, options });
    expect(Math.max(...errorsOf(await noiseless.predict(inputs)).mean)).toBeLessThan(1e-6);
    const { posterior, predict } = await fit(theory, given(0.3), { registry, options });
    const { kernels, conjugates, weights, seed, tau } = posterior.state as ProportionalState;
    const setting = settingOf(posterior.problem, registry);
    const closure = createClosure(setting.activation, closureOptionsOf(setting, posterior.options as ForwardBackwardOptions, seed));
    const first = { cross: firstLayerKernel(setting.chain, tests, inputs), variances: firstLayerDiagonal(setting.chain, tests) };
    const [gain, bias] = [1.7, 0.3];
    const scaled = { data: kernels[1]!.data.map((value) => value / (1 + tau)), shape: kernels[1]!.shape };
    const inverse = solve(addDiagonal(scaled, 0.3), identity(4));
    const resolvent = { data: inverse.data.map((value) => value / (1 + tau)), shape: inverse.shape };
    const measure = { kernel: kernels[0]!, conjugate: conjugates[0]!, weightVariance: gain };
    const { errors } = closure.extend(measure, first, { weights, resolvent, gain, bias });
    const found = errorsOf(await predict(tests)).mean;
    expect(tau).toBeGreaterThan(0.1);
    errors!.mean.data.forEach((error, t) => expect(found[t]! / (error / (1 + tau))).toBeCloseTo(1, 9));
  });

  it("are none where a lattice or a closed form serves", async () => {
    const two = problem({ inputs: normals(2, 4, 1), targets: normals(2, 1, 2) });
    for (const given of [two, problem({ network: { type: "fully-connected", widths: [12], activation: "identity" } })])
      expect((await predictions(given, {}, 1)).diagnostics).toBeUndefined();
    expect((await predictions(problem({}), { closure: "gaussian-variational" }, 1)).diagnostics).toBeUndefined();
  });
});
