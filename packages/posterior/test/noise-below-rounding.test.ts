import { readFileSync } from "node:fs";
import { fit, matrixFromRows, rowsOf, type Theory } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { expectClose, normalRows } from "../../../tools/testing.ts";
import { conditionGaussianProcess, predictGaussianProcess } from "@finitewidth/numerics";
import { exact, nngp } from "../src/index.js";
import { testRegistry } from "./registry.ts";

interface Case {
  readonly id: string;
  readonly input: {
    readonly data: { readonly train: { inputs: number[][]; targets: number[][] }; readonly test: { inputs: number[][] } };
    readonly network: { type: string; widths: number[] };
    readonly likelihood: { temperature: number };
  };
}
const field = new URL("../../../verification/fixtures/field/handed.jsonl", import.meta.url);
const cases = new Map(
  readFileSync(field, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Case)
    .map((one) => [one.id, one]),
);
const registry = testRegistry();

describe("noise that is lost in the rounding of a singular kernel", () => {
  // 60 to 80 digits, from the fixtures
  it.each([
    ["nngp-inputs-1e8", [0.589465707, 0.065577327], [0.608473233, 0.374798621], 1e-6],
    ["fb-inputs-1e6", [0.5894657, 0.0655773], [0.608473233, 0.374798621], 1e-6],
    ["ea-T1e-12", [0.58946571, 0.06557733], [6.0847e-12, 3.748e-12], 1e-5],
  ])("nngp and exact: %s", async (id, mean, variance, relative) => {
    const { data, network, likelihood } = cases.get(id)!.input;
    for (const theory of [nngp, exact]) {
      const { predict } = await fit(theory as Theory, { network, ...data.train, temperature: likelihood.temperature }, { registry });
      const found = await predict(data.test.inputs, { covariance: true });
      expectClose(found.mean.data, mean, { relative });
      expectClose(found.variance.data, variance, { relative });
      expectClose([found.covariance!.data[0]!, found.covariance!.data[3]!], found.variance.data, { relative: 1e-12 });
    }
  });

  it.each([0, 1, 2, 3, 4, 5])("random linear kernels at every T against the posterior of the weights (%i)", (seed) => {
    const random = stream(81, seed);
    const [P, N0, size] = [7, 1 + (seed % 4), 10 ** (12 * random.uniform() - 4)];
    const rows = (n: number, m: number): number[][] => normalRows(random, n, m);
    const [x, test, y] = [rows(P, N0), rows(2, N0), rows(P, 1)];
    const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0);
    const gram = (a: number[][], b: number[][]) => matrixFromRows(a.map((u) => b.map((v) => size * size * dot(u, v))));
    for (const temperature of [1e-14, 1e-9, 1e-3, 10]) {
      const process = conditionGaussianProcess(gram(x, x), matrixFromRows(y), temperature);
      const prior = gram(test, test);
      const found = predictGaussianProcess(process, gram(x, test), prior);
      // w ~ N(0, 1): Σ_w = (1 + XᵀX/T)⁻¹ with X scaled, solved for N0 unknowns by Gauss–Jordan
      const precision = Array.from({ length: N0 }, (_, i) =>
        Array.from(
          { length: N0 },
          (_entry, j) => (i === j ? temperature / size ** 2 : 0) + x.reduce((sum, row) => sum + row[i]! * row[j]!, 0),
        ),
      );
      const inverse = invert(precision);
      const weights = inverse.map((row) =>
        row.reduce((sum, value, j) => sum + value * x.reduce((all, u, p) => all + u[j]! * y[p]![0]!, 0), 0),
      );
      expectClose(
        found.mean.data,
        test.map((row) => dot(row, weights)),
        { relative: 1e-7, absolute: 1e-9 },
      );
      const covariance = test.map((u) =>
        test.map(
          (v) =>
            temperature *
            dot(
              u,
              inverse.map((row) => dot(row, v)),
            ),
        ),
      );
      // Cholesky, above the noise, loses K/T of the digits
      rowsOf(found.covariance!).forEach((row, i) =>
        expectClose(row, covariance[i]!, { relative: 1e-3, absolute: 1e-3 * Math.max(...covariance.map((r, k) => r[k]!)) }),
      );
      expectClose(
        found.variance,
        covariance.map((row, i) => row[i]!),
        { relative: 1e-3 },
      );
    }
  });
});

function invert(m: number[][]): number[][] {
  const n = m.length;
  const a = m.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < n; i++) {
    const best = a.slice(i).reduce((most, row, k) => (Math.abs(row[i]!) > Math.abs(a[most]![i]!) ? i + k : most), i);
    [a[i], a[best]] = [a[best]!, a[i]!];
    const pivot = a[i]![i]!;
    a[i] = a[i]!.map((value) => value / pivot);
    for (let k = 0; k < n; k++) {
      const factor = a[k]![i]!;
      if (k !== i) a[k] = a[k]!.map((value, j) => value - factor * a[i]![j]!);
    }
  }
  return a.map((row) => row.slice(n));
}
