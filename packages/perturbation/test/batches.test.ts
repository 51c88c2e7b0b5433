import { createProblem, fit, validate, type Fitted, type Json, type Matrix } from "@finitewidth/core";
import { symmetrise } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { correctNetworkObservable, correctObservable, gaussianPieces, perturbative, sampledBatch } from "../src/index.js";
import { addBatch, type Batch } from "../src/theory/batch.js";
import { registry } from "./networks.js";

const numbers = (seed: number, count: number): Float64Array => stream(71, seed).normals(new Float64Array(count));
const rows = (seed: number, n: number, m: number): number[][] =>
  Array.from({ length: n }, (_, i) => [...numbers(seed, n * m).subarray(i * m, (i + 1) * m)]);

/** All numbers of plain data, in the order of the keys. */
const leaves = (value: unknown): number[] =>
  typeof value === "number"
    ? [value]
    : ArrayBuffer.isView(value) || Array.isArray(value)
      ? Array.from(value as ArrayLike<unknown>, leaves).flat()
      : Object.keys(value as object).toSorted().flatMap((key) => leaves((value as Record<string, unknown>)[key])); // prettier-ignore

test.each([true, false])("batches add up in every part, prior shifts included (shared by outputs: a matrix %s)", (matrix) => {
  const batch = (seed: number): Batch => {
    let next = 100 * seed;
    const m = (r: number, c: number) => ({ data: numbers(next++, r * c), shape: [r, c] as const });
    return {
      hidden: [m(2, 2), m(2, 2)],
      preactivation: [m(2, 2), m(2, 2), m(2, 2)],
      projected: { x: m(3, 3), meanPart: m(2, 3), shared: matrix ? m(3, 2) : numbers(next++, 3), outputs: m(2, 4) },
      traces: [0, 1].map(() => ({ gradientX: m(1, 1).data[0]!, weightsZ: m(1, 1).data[0]!, inverseZ: m(1, 1).data[0]! })),
      z: m(2, 2),
      priorShift: { output: m(3, 3), hidden: [m(2, 2), m(2, 2)] },
    };
  };
  const batches = [1, 2, 3].map(batch);
  const factors = [0.5, 0.2, -0.7];
  const total = batches.reduce<Batch | undefined>((sum, one, k) => addBatch(sum, one, factors[k]!), undefined);
  const [a, b, c] = batches.map(leaves) as [number[], number[], number[]];
  // shapes are numbers too: those of the total are those of a batch
  const shapes = leaves(addBatch(undefined, batches[0]!, 0)).map((value) => value !== 0);
  const expected = a.map((value, i) => (shapes[i] ? value : 0.5 * value + 0.2 * b[i]! - 0.7 * c[i]!));
  expectClose(leaves(total), expected, { relative: 1e-13, absolute: 1e-15 });
});

const [P, D] = [3, 2];
const problemOf = (widths: readonly number[], activation: string, outputs = D) => ({
  network: { type: "fully-connected", widths, activation, weightVariance: [1.2, 0.8, 1.5], biasVariance: [0.2, 0, 0.3] },
  inputs: rows(1, P, 4),
  targets: rows(2, P, outputs),
  temperature: 0.4,
});
const run = (widths: readonly number[], activation: string, options: Record<string, unknown> = {}, seed = 1): Promise<Fitted> =>
  fit(perturbative, problemOf(widths, activation), { registry, options, seed });

test("options have the documented defaults", () =>
  expect(validate(perturbative.options, {}, "options")).toEqual({ engine: "auto", samples: 4096 }));

describe.each([
  ["sampled", 30, 0.47, 2.2],
  ["networks", 14, 0.36, 3.4],
] as const)("engine %s", (engine, seeds, least, most) => {
  it("states the scatter over seeds: evidence, training and test outputs, hidden kernels", async () => {
    const at = rows(3, 2, 4);
    const runs: { readonly values: number[][]; readonly errors: number[][] }[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const { posterior, predict } = await run([5, 8], "erf", { engine, samples: 256 }, seed);
      const test = await predict(at);
      const { train, standardError, hiddenKernels } = posterior;
      runs.push({
        values: [[posterior.logEvidence!], [...train!.mean.data], [...train!.variance.data], [...hiddenKernels![0]!.data], [...hiddenKernels![1]!.data], [...test.mean.data], [...test.variance.data]], // prettier-ignore
        errors: [[standardError!.logEvidence!], [...train!.standardError!.mean.data], [...train!.standardError!.variance.data], [...standardError!.hiddenKernels![0]!.data], [...standardError!.hiddenKernels![1]!.data], [...test.standardError!.mean.data], [...test.standardError!.variance.data]], // prettier-ignore
      });
      expect(posterior.diagnostics).toMatchObject({ engine, requestedEngine: engine, samples: 256 });
    }
    runs[0]!.values.forEach((entries, k) => {
      const ratios = entries.map((_, i) => {
        const values = runs.map((one) => one.values[k]![i]!);
        const mean = values.reduce((a, b) => a + b, 0) / runs.length;
        const scatter = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (runs.length - 1);
        const stated = runs.reduce((sum, one) => sum + one.errors[k]![i]! ** 2, 0) / runs.length;
        return stated === 0 && scatter < 1e-24 ? undefined : stated / scatter;
      });
      const seen = ratios.filter((ratio) => ratio !== undefined);
      if (seen.length === 0) return;
      const typical = Math.exp(seen.reduce((sum, ratio) => sum + Math.log(ratio), 0) / seen.length);
      // 1/χ² of so many seeds lies within these with probability 0.99 and more for a single entry; twice or half the error: 4 or 1/4
      expect(typical, `quantity ${k}`).toBeGreaterThan(least);
      expect(typical, `quantity ${k}`).toBeLessThan(most);
    });
  });
});

// one linear layer has no shift and no second order of its covariance, so that even drawn networks are unbiased
it.each([
  ["sampled", [5, 8], "erf", "exact"],
  ["networks", [4], "identity", "auto"],
] as const)("engine %s: joint covariances of points and outputs, on average over seeds", async (engine, widths, activation, other) => {
  const at = rows(4, 2, 4);
  const want = { covariance: true };
  const narrow = (options: Record<string, unknown>, seed = 1): Promise<Fitted> =>
    fit(perturbative, { ...problemOf(widths, activation), network: { ...problemOf(widths, activation).network, weightVariance: 1.2, biasVariance: 0.1 } }, { registry, options, seed }); // prettier-ignore
  const exact = await (await narrow({ engine: other })).predict(at, want);
  const seeds = 12;
  const found: Float64Array[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const one = await (await narrow({ engine, samples: 256 }, seed)).predict(at, want);
    found.push(one.covariance!.data);
    expectClose([0, 5, 10, 15].map((i) => one.covariance!.data[i]!), one.variance.data, { relative: 1e-10 }); // prettier-ignore
  }
  exact.covariance!.data.forEach((value, i) => {
    const mean = found.reduce((sum, row) => sum + row[i]! / seeds, 0);
    const error = Math.sqrt(found.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / (seeds * (seeds - 1)));
    // Student's t of 11 degrees of freedom, ten different entries: above 6.5 with probability 5e-4
    expect(Math.abs(mean - value) / error, `entry ${i}: ${mean} against ${value}`).toBeLessThan(6.5);
    // between outputs and between points there is something to be seen
    expect(Math.abs(value)).toBeGreaterThan(3 * error);
  });
});

it("a sampled block does not depend on the blocks before it: seventy points, errors and replicates too", async () => {
  const { predict } = await run([5, 8], "erf", { engine: "sampled", samples: 256 });
  const at = rows(9, 70, 4);
  const [whole, part] = [await predict(at), await predict(at.slice(64))];
  const tail = ({ data }: Matrix): Float64Array => data.slice(64 * D);
  const pairs = (one: typeof whole) => [one, one.standardError!, ...one.replicates!] as { readonly mean: Matrix; readonly variance: Matrix }[]; // prettier-ignore
  expect(pairs(whole)).toHaveLength(18);
  pairs(whole).forEach(({ mean, variance }, k) => {
    expectClose(tail(mean), pairs(part)[k]!.mean, { relative: 1e-8, absolute: 1e-12 });
    expectClose(tail(variance), pairs(part)[k]!.variance, { relative: 1e-8, absolute: 1e-12 });
  });
});

describe("observables from draws of the prior", () => {
  const count = 37;
  const square = (seed: number): Matrix => symmetrise({ data: numbers(seed, 9), shape: [3, 3] });
  const draws = Array.from({ length: count }, (_, s) => ({ kernel: square(200 + s), values: numbers(300 + s, 2) }));
  const kernel: Matrix = { data: Float64Array.of(2, 0.3, -0.4, 0.3, 1.5, 0.2, -0.4, 0.2, 1), shape: [3, 3] };
  const targets: Matrix = { data: numbers(7, 6), shape: [3, 2] };
  it("are their prior mean and half their covariance with A:K, errors from sixteen batches", () => {
    const { gradient } = gaussianPieces(kernel, targets, 0.3);
    const scores = draws.map((draw) => 0.5 * draw.kernel.data.reduce((sum, value, i) => sum + gradient.data[i]! * value, 0));
    const over = (from: number, to: number, i: number): readonly [number, number] => {
      const part = Array.from({ length: to - from }, (_, k) => [scores[from + k]!, draws[from + k]!.values[i]!] as const);
      const [score, value] = [0, 1].map((c) => part.reduce((sum, pair) => sum + pair[c]!, 0) / part.length) as [number, number];
      return [value, part.reduce((sum, [s, v]) => sum + (s - score) * (v - value), 0) / (part.length - 1)];
    };
    const error = (values: readonly number[]): number => {
      const mean = values.reduce((sum, value) => sum + value / 16, 0);
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (16 * 15));
    };
    const found = correctObservable(draws, kernel, targets, 0.3);
    for (const i of [0, 1]) {
      const [prior, correction] = over(0, count, i);
      expectClose([found.prior[i]!, found.correction[i]!, found.posterior[i]!], [prior, correction, prior + correction], { relative: 1e-11 }); // prettier-ignore
      const batches = Array.from({ length: 16 }, (_, b) => over(2 * b, 2 * b + 2, i));
      expectClose(found.standardError.correction[i]!, error(batches.map(([, value]) => value)), { relative: 1e-10 });
      expectClose(found.standardError.posterior[i]!, error(batches.map(([a, b]) => a + b)), { relative: 1e-10 });
    }
    expect(found.draws).toBe(count);
  });
  it("of networks that are drawn: 4096 of them with seed 1, where nothing else is said", () => {
    const problem = createProblem(problemOf([2, 3], "relu"), registry);
    const of = (settings: object) =>
      correctNetworkObservable(problem, (state) => state.hiddenKernels()[0]!.data, { registry, ...settings });
    const found = of({});
    expect(found.draws).toBe(4096);
    expect(of({ samples: 4096, seed: 1 })).toEqual(found);
    expect(of({ seed: 2 })).not.toEqual(found);
  });
  it("need 32 draws of one size", () => {
    const of = (list: typeof draws) => () => correctObservable(list, kernel, targets, 0.3);
    expect(of(draws.slice(0, 32))().draws).toBe(32);
    expect(of(draws.slice(0, 31))).toThrow(/^draws: expected at least 32 draws, got 31/);
    expect(of([...draws, { ...draws[0]!, values: numbers(1, 3) }])).toThrow(/^draws\[\]\.values: expected 2 numbers, got 3/);
    expect(of([{ ...draws[0]!, kernel: { data: numbers(1, 4), shape: [2, 2] } }])).toThrow(/^draws\[\]\.kernel: expected 3 × 3, got 2 × 2/);
  });
});

it("rounds the draws up to sixteen batches of a power of two", async () => {
  for (const [samples, used] of [
    [1, 256],
    [256, 256],
    [257, 512],
    [600, 1024],
  ] as const)
    // prettier-ignore
    expect((await run([5, 8], "erf", { engine: "sampled", samples })).posterior.diagnostics["samples"]).toBe(used);
});

describe("what a fit tells beside its numbers", () => {
  const json = (fitted: Fitted, key: string) => fitted.posterior.diagnostics[key] as Record<string, Json>;
  it("coefficients of inverse widths do not depend on the widths, shares do", async () => {
    const widths = [6, 15];
    const fitted = await run(widths, "identity");
    const { leading, correction, coefficientsOfInverseWidths: found } = json(fitted, "logEvidence");
    const coefficients = found as number[];
    expectClose(coefficients, json(await run([30, 9], "identity"), "logEvidence")["coefficientsOfInverseWidths"] as number[], { relative: 1e-9 }); // prettier-ignore
    const parts = coefficients.map((value, l) => value / widths[l]!);
    expectClose(correction as number, parts[0]! + parts[1]!, { relative: 1e-12 });
    expectClose(fitted.posterior.logEvidence!, (leading as number) + (correction as number), { relative: 1e-14 });
    const total = Math.abs(parts[0]!) + Math.abs(parts[1]!);
    expectClose(fitted.posterior.diagnostics["layerShares"] as number[], parts.map((part) => Math.abs(part) / total), { relative: 1e-12 }); // prettier-ignore
  });
  it("shifts of the kernels are drawn as they are counted", async () => {
    const { posterior } = await run([6, 15], "erf", { engine: "exact" });
    const { panels } = posterior.figures![0] as unknown as { panels: { label: string; values: { data: Float64Array }; diverging?: boolean }[] }; // prettier-ignore
    const kernels = posterior.diagnostics["hiddenKernels"] as unknown as Record<"leading" | "priorShift" | "dataShift", number[][]>[];
    expect(panels.map(({ label, diverging }) => [label, diverging])).toEqual([
      ["layer 1, infinite width", undefined],
      ["layer 1, shift", true],
      ["layer 2, infinite width", undefined],
      ["layer 2, shift", true],
    ]);
    kernels.forEach(({ leading, priorShift, dataShift }, l) => {
      const shift = priorShift.flat().map((value, i) => value + dataShift.flat()[i]!);
      expectClose(panels[2 * l]!.values.data, leading.flat(), { relative: 1e-14 });
      expectClose(panels[2 * l + 1]!.values.data, shift, { relative: 1e-12, absolute: 1e-15 });
      expectClose(posterior.hiddenKernels![l]!.data, leading.flat().map((value, i) => value + shift[i]!), { relative: 1e-12 }); // prettier-ignore
    });
  });
  it.each(["exact", "sampled"])("kernels of preactivations are those of the layer below, weighed and biased (%s)", async (engine) => {
    const { posterior } = await run([6, 15], "erf", { engine, samples: 256 });
    type Parts = Record<"leading" | "priorShift" | "dataShift", number[][]> & { layer: number };
    const [hidden, units] = [posterior.diagnostics["hiddenKernels"], posterior.diagnostics["preactivationKernels"]] as unknown as [Parts[], Parts[]]; // prettier-ignore
    expect([hidden.map(({ layer }) => layer), units.map(({ layer }) => layer)]).toEqual([[1, 2], [1, 2, 3]]); // prettier-ignore
    hidden.forEach(({ leading, priorShift, dataShift }, l) => {
      const [w, b] = [[0.8, 1.5][l]!, [0, 0.3][l]!];
      expectClose(units[l + 1]!.leading, leading.flat().map((value) => w * value + b), { relative: 1e-12 }); // prettier-ignore
      expectClose(units[l + 1]!.priorShift, priorShift.flat().map((value) => w * value), { relative: 1e-12 }); // prettier-ignore
      expectClose(units[l + 1]!.dataShift, dataShift.flat().map((value) => w * value), { relative: 1e-9, absolute: 1e-14 }); // prettier-ignore
    });
    const zero = Array.from({ length: P * P }, () => 0);
    expectClose([units[0]!.priorShift, units[0]!.dataShift, hidden[0]!.priorShift], [zero, zero, zero], { absolute: 1e-15 });
    const first = Array.from({ length: P * P }, (_, k) => 0.2 + (1.2 / 4) * rows(1, P, 4)[Math.floor(k / P)]!.reduce((sum, x, j) => sum + x * rows(1, P, 4)[k % P]![j]!, 0)); // prettier-ignore
    expectClose(units[0]!.leading, first, { relative: 1e-12, absolute: 1e-14 });
    expect(Math.max(...hidden[1]!.priorShift.flat().map(Math.abs))).toBeGreaterThan(1e-3);
  });
  it("training outputs are the sums of their parts, and predictions at the training inputs", async () => {
    const fitted = await run([12, 15], "relu", { engine: "exact" });
    const train = json(fitted, "train") as unknown as Record<string, number[][]>;
    const { mean, variance } = fitted.posterior.train!;
    for (const [part, value] of [["Mean", mean], ["Variance", variance]] as const) // prettier-ignore
      expectClose(value.data, train[`leading${part}`]!.flat().map((x, i) => x + train[`${part.toLowerCase()}Correction`]!.flat()[i]!), { relative: 1e-12 }); // prettier-ignore
    const again = await fitted.predict(rows(1, P, 4));
    expectClose(again.mean, mean, { relative: 1e-8 });
    expectClose(again.variance, variance, { relative: 1e-8 });
  });
});

it("predicts in blocks what it predicts at once: seventy points of a closed form, seven of an exact problem", async () => {
  for (const [activation, count, from] of [
    ["identity", 70, 61],
    ["erf", 7, 3],
  ] as const) {
    // prettier-ignore
    const { predict } = await run([20, 30], activation, activation === "erf" ? { engine: "exact" } : {});
    const at = rows(9, count, 4);
    const [whole, part] = [await predict(at), await predict(at.slice(from))];
    expect(whole.mean.shape).toEqual([count, D]);
    for (const key of ["mean", "variance"] as const) {
      expectClose(whole[key].data.subarray(from * D), part[key].data, { relative: 1e-10 });
      const { infiniteWidth, correction } = whole.diagnostics as unknown as Record<"infiniteWidth" | "correction", Record<string, number[][]>>; // prettier-ignore
      expectClose(whole[key].data, infiniteWidth[key]!.flat().map((value, i) => value + correction[key]!.flat()[i]!), { relative: 1e-10 }); // prettier-ignore
    }
    const joint = await predict(at.slice(from), { covariance: true });
    const n = (count - from) * D;
    expectClose(Array.from({ length: n }, (_, i) => joint.covariance!.data[i * (n + 1)]!), part.variance.data, { relative: 1e-9 }); // prettier-ignore
  }
});

it("every sampled batch tells how far it is, never back, and stops when the run is cancelled", async () => {
  const problem = createProblem(problemOf([5, 8], "erf"), registry);
  for (const engine of ["sampled", "networks"] as const) {
    const told: number[] = [];
    const chunk = { problem, engine, log2Draws: 5, seed: 1, batch: 2, covariance: false };
    await sampledBatch.run(chunk, { registry, tick: (fraction) => void told.push(fraction) });
    expect(told.length, engine).toBeGreaterThan(1);
    expect(told, engine).toEqual(told.toSorted((a, b) => a - b));
    expect([told[0], told.at(-1)! >= 0.5, told.at(-1)! < 1], engine).toEqual([0, true, true]);
  }
  const cancelled = AbortSignal.abort(new Error("enough"));
  await expect(fit(perturbative, problemOf([5, 8], "erf"), { registry, signal: cancelled })).rejects.toThrow("enough");
});
