import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, hiddenWidths, resolveArchitecture, resolveNetworkInput, stackRows, type Problem } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { plugin as observables } from "../src/observables.js";
import { sampleNetworks } from "../src/sample-networks.js";
import type { SufficientSums } from "../src/sufficient-sums.js";

const registry = createRegistry([activations, likelihoods, priorFc, observables]);
const tick = (): void => undefined;
const close = (got: ArrayLike<number>, expected: readonly number[]): void => expectClose(got, expected, { absolute: 1e-9 });

/** x with A x = b, by Gauss–Jordan. */
function solve(matrix: readonly (readonly number[])[], right: readonly (readonly number[])[]): number[][] {
  const rows = matrix.map((row, i) => [...row, ...right[i]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows[k]![k]!;
    rows[k] = rows[k]!.map((value) => value / pivot);
    rows.forEach((other, i) => {
      if (i === k) return;
      const factor = other[k]!;
      rows[i] = other.map((value, j) => value - factor * rows[k]![j]!);
    });
  }
  return rows.map((row) => row.slice(n));
}
function determinant(matrix: readonly (readonly number[])[]): number {
  if (matrix.length === 0) return 1;
  return matrix[0]!.reduce((sum, value, j) => sum + (j % 2 === 0 ? 1 : -1) * value * determinant(matrix.slice(1).map((row) => row.filter((_, c) => c !== j))), 0); // prettier-ignore
}

describe("sampled networks", () => {
  const [P, tests, D, T] = [3, 2, 2, 0.4];
  const written = {
    type: "fully-connected",
    widths: [3, 2],
    activation: "erf",
    weightVariance: [1.5, 2, 1.7],
    biasVariance: [0.1, 0.2, 0.3],
  };
  const numbers = (count: number, shift: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(3 * i + shift));
  const problem: Problem = {
    network: resolveNetworkInput(written, registry),
    inputs: { data: numbers(P * 2, 1), shape: [P, 2] },
    targets: { data: numbers(P * D, 2), shape: [P, D] },
    temperature: T,
    scaling: "standard",
  };
  const testInputs = { data: numbers(tests * 2, 5), shape: [tests, 2] as const };
  const samples = 12;
  const chunk = { problem, testInputs, samples, seed: 4, index: 7 };
  const sample = (of: "prior" | "posterior", quantities: string[], change: object = {}): SufficientSums =>
    sampleNetworks.run({ ...chunk, of, quantities, ...change }, { registry, tick }) as SufficientSums;

  it("count with the density of the targets given the hidden layers, which decides the means of the rest", () => {
    const all = stackRows(problem.inputs, testInputs);
    const network = realise(resolveArchitecture(registry, problem.network), all, D);
    const random = stream(4, 7);
    const theta = new Float64Array(network.parameters);
    const draws = Array.from({ length: samples }, () => {
      const state = network.forward(random.normals(theta));
      const [n, width] = state.features.shape;
      const phi = Array.from({ length: n }, (_, i) => [...state.features.data.subarray(i * width, (i + 1) * width)]);
      const kernel = phi.map((a) => phi.map((b) => a.reduce((sum, value, k) => sum + value * b[k]!, 0) + 0.3));
      const A = kernel.slice(0, P).map((row, i) => row.slice(0, P).map((value, j) => value + (i === j ? T : 0)));
      const Y = Array.from({ length: P }, (_, i) => [...problem.targets.data.subarray(i * D, (i + 1) * D)]);
      const weights = solve(A, Y);
      const quadratic = Y.flat().reduce((sum, y, k) => sum + y * weights.flat()[k]!, 0);
      const logWeight = -0.5 * (quadratic + D * Math.log(determinant(A)) + P * D * Math.log(2 * Math.PI));
      const cross = kernel.map((row) => row.slice(0, P));
      const mean = cross.map((row) => [0, 1].map((d) => row.reduce((sum, value, i) => sum + value * weights[i]![d]!, 0)));
      const solved = solve(
        A,
        cross[0]!.map((_, i) => cross.map((row) => row[i]!)),
      );
      const variance = kernel.map((row, i) => row[i]! - cross[i]!.reduce((sum, value, k) => sum + value * solved[k]![i]!, 0));
      // r = Φᵀ A⁻¹ Y + noise of covariance 1 − Φᵀ A⁻¹ Φ: second moments over the width
      const features = phi.slice(0, P);
      const inverse = solve(
        A,
        A.map((_, i) => A.map((__, j) => (i === j ? 1 : 0))),
      );
      const norm = [0, 1].map((a) =>
        [0, 1].map((b) => {
          let sum = 0;
          for (let k = 0; k < width; k++) {
            const m = (d: number): number => features.reduce((total, row, i) => total + row[k]! * weights[i]![d]!, 0);
            let own = 1;
            features.forEach((row, i) => features.forEach((other, j) => (own -= row[k]! * inverse[i]![j]! * other[k]!)));
            sum += m(a) * m(b) + (a === b ? own : 0);
          }
          return sum / width;
        }),
      );
      const hidden = state.hiddenKernels().map(({ data, shape: [m] }) => [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => data[i * m + j]!)));
      return { logWeight, mean, variance, norm, hidden, kernel };
    });
    const found = sample("posterior", [
      "predictive.mean",
      "predictive.variance",
      "train.mean",
      "readoutNorm",
      "hiddenKernel",
      "logEvidence",
    ]);
    const w = draws.map(({ logWeight }) => Math.exp(logWeight));
    const total = w.reduce((a, b) => a + b, 0);
    const scale = Math.exp(found.logScale);
    expect(found.samples).toBe(samples);
    expect(found.logScale).toBeCloseTo(Math.max(...draws.map(({ logWeight }) => logWeight)), 10);
    expect(found.weight * scale).toBeCloseTo(total, 12);
    expect(found.weightSquared * scale ** 2).toBeCloseTo(
      w.reduce((sum, value) => sum + value ** 2, 0),
      12,
    );
    const average = (of: (draw: (typeof draws)[number]) => number[]): number[] =>
      of(draws[0]!).map((_, i) => draws.reduce((sum, draw, s) => sum + (w[s]! / total) * of(draw)[i]!, 0));
    const sums = (name: string): number[] => [...found.sums[name]!].map((value) => value / found.weight);
    close(
      sums("train.mean"),
      average(({ mean }) => mean.slice(0, P).flat()),
    );
    close(
      sums("predictive.mean"),
      average(({ mean }) => mean.slice(P).flat()),
    );
    close(
      sums("predictive.square"),
      average(({ mean, variance }) => mean.slice(P).flatMap((row, i) => row.map((value) => value ** 2 + variance[P + i]!))),
    );
    close(
      sums("readoutNorm"),
      average(({ norm }) => norm.flat()),
    );
    for (const l of [1, 2])
      close(
        sums(`hidden.${l}`),
        average(({ hidden }) => hidden[l - 1]!),
      );
    expect(Object.keys(found.sums).toSorted()).toEqual(["hidden.1", "hidden.2", "predictive.mean", "predictive.square", "readoutNorm", "train.mean", "train.square"]); // prettier-ignore
  });

  it("of the prior count all the same, at the training inputs", () => {
    const network = realise(resolveArchitecture(registry, problem.network), problem.inputs, D);
    const random = stream(4, 7);
    const theta = new Float64Array(network.parameters);
    const kernels = Array.from({ length: samples }, () => {
      const { features } = network.forward(random.normals(theta));
      const [n, width] = features.shape;
      return Array.from({ length: n * n }, (_, k) => {
        const [i, j] = [Math.floor(k / n), k % n];
        return features.data
          .subarray(i * width, (i + 1) * width)
          .reduce((sum, value, c) => sum + value * features.data[j * width + c]!, 0.3);
      });
    });
    const found = sample("prior", ["kernelMean"]);
    expect(found).toMatchObject({ samples, weight: samples, weightSquared: samples, logScale: 0 });
    close(
      found.sums["kernel"]!,
      kernels[0]!.map((_, k) => kernels.reduce((sum, kernel) => sum + kernel[k]!, 0)),
    );
    expect(Object.keys(found.sums)).toEqual(["kernel"]);
  });

  it("in mean-field scaling are those of the standard problem that is the same", () => {
    const [, width] = hiddenWidths(resolveArchitecture(registry, problem.network));
    const same: Problem = {
      ...problem,
      network: resolveNetworkInput(
        { ...written, weightVariance: [1.5, 2, 1.7 / width!], biasVariance: [0.1, 0.2, 0.3 / width!] },
        registry,
      ),
      temperature: T / width!,
    };
    const quantities = ["predictive.mean", "train.variance"];
    const [meanField, standard] = [
      sample("posterior", quantities, { problem: { ...problem, scaling: "mean-field" } }),
      sample("posterior", quantities, { problem: same }),
    ];
    expect(meanField.logScale).toBeCloseTo(standard.logScale, 10);
    for (const [key, values] of Object.entries(standard.sums)) close(meanField.sums[key]!, [...values]);
  });

  it("with labels of classes count with the probability of the labels that their own outputs give", () => {
    const labels = { data: Float64Array.of(1, -1, 1), shape: [P, 1] as const };
    const logistic: Problem = { ...problem, targets: labels, temperature: 0, likelihood: { type: "logistic", scale: 0.5 } };
    const found = sample("posterior", ["predictive.probabilities", "predictive.mean"], { problem: logistic });
    const all = stackRows(problem.inputs, testInputs);
    const network = realise(resolveArchitecture(registry, problem.network), all, 1);
    const random = stream(4, 7);
    const theta = new Float64Array(network.parameters);
    const outputs = Array.from({ length: samples }, () => [...network.forward(random.normals(theta)).outputs.data]);
    const p = (f: number): number => 1 / (1 + Math.exp(-f / 0.5));
    const w = outputs.map((f) => p(f[0]!) * p(-f[1]!) * p(f[2]!));
    const total = w.reduce((a, b) => a + b, 0);
    expect(found.weight * Math.exp(found.logScale)).toBeCloseTo(total, 10);
    const average = (of: (f: number[]) => number[]): number[] =>
      of(outputs[0]!).map((_, i) => outputs.reduce((sum, f, s) => sum + (w[s]! / total) * of(f)[i]!, 0));
    const sums = (name: string): number[] => [...found.sums[name]!].map((value) => value / found.weight);
    close(
      sums("predictive.mean"),
      average((f) => f.slice(P)),
    );
    close(
      sums("predictive.square"),
      average((f) => f.slice(P).map((value) => value ** 2)),
    );
    close(
      sums("predictive.probabilities"),
      average((f) => f.slice(P).flatMap((value) => [p(-value), p(value)])),
    );
  });
});
