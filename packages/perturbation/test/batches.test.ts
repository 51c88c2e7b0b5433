import { fit, validate, type Fitted, type Json } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { perturbative } from "../src/index.js";
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
