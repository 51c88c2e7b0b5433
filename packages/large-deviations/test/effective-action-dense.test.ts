import { fit, matrixFromRows, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  block,
  combine,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solve,
} from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction } from "../src/index.js";
import {
  column,
  diagonal,
  firstCovariance,
  hessianOf,
  logDeterminant,
  naive,
  outer,
  productMoments,
  regression,
  testPoints as tests,
  trainPoints as train,
  trainRegression,
  type NaiveActivation,
  type Rows,
} from "./naive-networks.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const outputsOf = (count: number): number[][] =>
  train.map((_, i) => Array.from({ length: count }, (__, d) => (1 + d) * Math.sin(3 * i + d + 1)));

interface Case {
  readonly title: string;
  readonly activation: NaiveActivation;
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly outputs: number;
  readonly options?: Record<string, unknown>;
  readonly temperature?: number;
  /** Windows of one filter, all read by weights of their own or averaged first. */
  readonly readout?: "flatten" | "global-average";
}
const shallow = { widths: [9], weightVariance: [1.3, 0.7], biasVariance: [0.2, 0.4] };
const cases: readonly Case[] = [
  { title: "three outputs", activation: "erf", outputs: 3, ...shallow },
  { title: "two outputs, mean", activation: "relu", outputs: 2, ...shallow },
  { title: "two outputs, mean left out", activation: "relu", outputs: 2, ...shallow, options: { mean: "plain" } },
  { title: "one output, mean, saddle", activation: "relu", outputs: 1, ...shallow, options: { mode: "saddle" } },
  { title: "one output, saddle", activation: "erf", outputs: 1, ...shallow, options: { mode: "saddle" } },
  { title: "three outputs, no noise", activation: "erf", outputs: 3, ...shallow, temperature: 0 },
  { title: "two outputs, mean, no noise", activation: "relu", outputs: 2, ...shallow, temperature: 0 },
  { title: "one output, much noise, saddle", activation: "erf", outputs: 1, ...shallow, options: { mode: "saddle" }, temperature: 30 },
  { title: "windows, two outputs, no noise", activation: "erf", outputs: 2, ...shallow, readout: "flatten", temperature: 0 },
  { title: "windows", activation: "erf", outputs: 1, ...shallow, readout: "flatten" },
  { title: "windows, two outputs", activation: "erf", outputs: 2, ...shallow, readout: "flatten" },
  { title: "windows, two outputs, mean", activation: "relu", outputs: 2, ...shallow, readout: "flatten" },
  { title: "averaged windows, two outputs", activation: "erf", outputs: 2, ...shallow, readout: "global-average" },
  { title: "averaged windows, mean", activation: "relu", outputs: 1, ...shallow, readout: "global-average" },
  {
    title: "chain, two outputs",
    activation: "relu",
    outputs: 2,
    widths: [6, 11],
    weightVariance: [1.3, 1.7, 0.7],
    biasVariance: [0.2, 0, 0.4],
  },
  {
    title: "chain, two outputs, product",
    activation: "erf",
    outputs: 2,
    widths: [11, 6, 8],
    weightVariance: [1.3, 1.7, 0.9, 0.7],
    biasVariance: [0.2, 0, 0, 0],
    options: { closure: "product" },
  },
];

/** Covariances B_ij and means m_i of what the readout sees, over training and test points, σ_w² of the readout included. */
function seen({ activation, weightVariance, biasVariance, widths, readout }: Case): { blocks: Matrix[][]; means: number[][] } {
  const all: Rows = [...train, ...tests];
  const windows = readout
    ? [(x: readonly number[]) => [x[0]!, x[1]!], (x: readonly number[]) => [x[1]!, x[2]!]]
    : [(x: readonly number[]) => x];
  const views = windows.map((cut) => all.map((x) => cut(x)));
  const [w1, b1] = [weightVariance[0]!, biasVariance[0]!];
  const own = views.map((x) => diagonal(firstCovariance(x, x, w1, b1)));
  const gain = weightVariance.at(-1)!;
  let blocks = views.map((x, i) =>
    views.map((z, j) => {
      let g = productMoments(activation, firstCovariance(x, z, w1, b1), own[i]!, own[j]!);
      for (let l = 1; l < widths.length; l++) {
        const k = combine(weightVariance[l]!, g, 0, g);
        const biased = { data: k.data.map((value) => value + biasVariance[l]!), shape: k.shape };
        g = productMoments(activation, biased, diagonal(biased), diagonal(biased));
      }
      return combine(gain / windows.length, g, 0, g);
    }),
  );
  let means = own.map((v) => v.map((value) => Math.sqrt(gain / windows.length) * naive[activation].mean(value)));
  if (readout === "global-average") {
    // half of each window
    blocks = [[blocks.flat().reduce((sum, b) => combine(1, sum, 0.5, b), combine(0, blocks[0]![0]!, 0, blocks[0]![0]!))]];
    means = [means[0]!.map((value, p) => Math.SQRT1_2 * (value + means[1]![p]!))];
  }
  return { blocks, means };
}

describe.each(cases.map((entry) => [entry.title, entry] as const))("%s: everything as from dense matrices", async (_, entry) => {
  const { activation, widths, weightVariance, biasVariance, outputs: D, options = {}, readout } = entry;
  const network = readout
    ? { type: "convolutional", inputShape: [1, 3], layers: [{ channels: widths[0]!, kernelSize: [2], padding: "valid" }], readout }
    : { type: "fully-connected", widths };
  const targets = outputsOf(D);
  const [P, T, N] = [train.length, entry.temperature ?? 0.2, widths[0]!];
  const problem = { network: { ...network, activation, weightVariance, biasVariance }, inputs: train, targets, temperature: T };
  const { posterior, predict } = await fit(effectiveAction, problem, { registry, options });
  const { diagnostics } = posterior;
  const asMatrix = (value: unknown): Matrix =>
    typeof value === "number" ? matrixFromRows([[value]]) : Array.isArray(value) ? matrixFromRows(value as number[][]) : (value as Matrix);
  const Q = asMatrix(posterior.orderParameter);
  const withMean = activation === "relu" && options["mean"] !== "plain" && widths.length === 1;
  const zeta = withMean ? asMatrix(diagnostics["zeta"]) : undefined;
  const { blocks, means } = seen(entry);
  const S = blocks.length;
  const n = S * D;
  const all = P + tests.length;
  const bias = biasVariance.at(-1)!;
  const centred = blocks.map((row, i) => row.map((b, j) => (withMean ? combine(1, b, -1, outer(means[i]!, means[j]!)) : b)));
  /** Σ q_(id)(je) B_ij + Σ ζ_(id)(je) m_i m_jᵀ + b between equal outputs, index point · D + output. */
  const prior = (q: Matrix, z: Matrix | undefined): Matrix => {
    const out = new Float64Array((all * D) ** 2);
    out.forEach((__, at) => {
      const [row, col] = [Math.floor(at / (all * D)), at % (all * D)];
      const [p, d, r, e] = [Math.floor(row / D), row % D, Math.floor(col / D), col % D];
      let value = d === e ? bias : 0;
      for (let i = 0; i < S; i++)
        for (let j = 0; j < S; j++) {
          const k = (i * D + d) * n + j * D + e;
          value += q.data[k]! * centred[i]![j]!.data[p * all + r]! + (z ? z.data[k]! * means[i]![p]! * means[j]![r]! : 0);
        }
      out[at] = value;
    });
    return { data: out, shape: [all * D, all * D] };
  };
  const y = targets.flat();
  const joint = prior(Q, zeta);
  const a = addDiagonal(block(joint, 0, P * D, 0, P * D), T);
  const inverse = solve(a, identity(P * D));
  const residual = multiply(inverse, column(y)).data;
  /** Σ_μν X[μd, νe] B_ij[μν]. */
  const traced = (x: (row: number, col: number) => number): Matrix => {
    const out = new Float64Array(n * n);
    for (let i = 0; i < S; i++)
      for (let j = 0; j < S; j++)
        for (let d = 0; d < D; d++)
          for (let e = 0; e < D; e++)
            for (let p = 0; p < P; p++)
              for (let r = 0; r < P; r++) out[(i * D + d) * n + j * D + e]! += x(p * D + d, r * D + e) * centred[i]![j]!.data[p * all + r]!;
    return { data: out, shape: [n, n] };
  };
  const energy = (q: Matrix): number => {
    const matrix = addDiagonal(block(prior(q, undefined), 0, P * D, 0, P * D), T);
    return logDeterminant(matrix) + multiplyTransposedLeft(column(y), solve(matrix, column(y))).data[0]!;
  };

  it("predictions, joint and not, and outputs at the training points", async () => {
    const near = { relative: 1e-8, absolute: 1e-9 };
    const { mean, covariance } = regression(joint, y, T);
    const [alone, together] = [await predict(tests), await predict(tests, { covariance: true })];
    for (const found of [alone, together]) {
      expectClose(found.mean.data, mean.data, near, "mean");
      expectClose(found.variance.data, diagonal(covariance), near, "variance");
      expect([found.mean.shape, found.variance.shape]).toEqual(Array.from({ length: 2 }, () => [tests.length, D]));
    }
    expect([posterior.train!.mean.shape, posterior.train!.variance.shape]).toEqual(Array.from({ length: 2 }, () => [P, D]));
    expect(together.covariance!.shape).toEqual([tests.length * D, tests.length * D]);
    expectClose(together.covariance!, covariance, near, "covariance");
    const own = trainRegression(joint, y, T);
    expectClose(posterior.train!.mean.data, own.mean.data, near, "train mean");
    expectClose(posterior.train!.variance.data, diagonal(own.covariance), near, "train variance");
    const missed = diagonal(own.covariance).reduce((sum, v, i) => sum + v + (own.mean.data[i]! - y[i]!) ** 2, 0);
    expectClose(diagnostics["trainError"] as number, missed / y.length, near, "train error");
  });

  it("figures show the order parameters", () => {
    if (D === 1 && S === 1) return;
    const [figure] = posterior.figures as unknown as { panels: { label: string; values: Matrix }[] }[];
    const label = readout ? (D > 1 && !zeta ? "sites × outputs" : "sites") : "outputs";
    expect(figure!.panels.map((panel) => panel.label)).toEqual([label]);
    expectClose(figure!.panels[0]!.values, addDiagonal(Q, -1), { absolute: 1e-14 });
  });

  it("the order parameters solve their equations; action and Laplace evidence", () => {
    const quadratic = (row: number, col: number): number => residual[row]! * residual[col]!;
    const force = combine(
      1,
      traced((row, col) => inverse.data[row * P * D + col]!),
      -1,
      traced(quadratic),
    );
    if (zeta) {
      const v = matrixFromRows(
        y.map((__, at) => Array.from({ length: n }, (___, k) => (k % D === at % D ? means[Math.floor(k / D)]![Math.floor(at / D)]! : 0))),
      );
      const xi = multiply(zeta, multiplyTransposedLeft(v, column(residual)));
      const explained = multiply(zeta, multiply(multiplyTransposedLeft(v, multiply(inverse, v)), zeta));
      const spread = combine(1, combine(1, zeta, -1, explained), 1, multiplyTransposedRight(xi, xi));
      expectClose(solve(zeta, identity(n)), addDiagonal(combine(1 / N, force, 0, force), 1), { absolute: 1e-8 }, "ζ");
      expectClose(Q, combine(1 - 1 / N, zeta, 1 / N, spread), { absolute: 1e-8 }, "Q");
      if (D > 1 && S === 1) expectClose(diagnostics["xi"] as number[], xi.data, { absolute: 1e-8 }, "ξ");
      expect(posterior.logEvidence === undefined).toBe(D > 1 || S > 1 || readout !== undefined);
      return;
    }
    if (widths.length > 1) {
      const matrices = [...(diagnostics["matricesByLayer"] as number[][][]).map((rows) => matrixFromRows(rows)), identity(D)];
      let action = energy(Q);
      const value = (l: number, shift = identity(D)): number => {
        const ratio = solve(matrices[l + 1]!, multiply(multiply(shift, matrices[l]!), shift));
        return widths[l]! * (diagonal(ratio).reduce((sum, x) => sum + x, 0) - logDeterminant(ratio));
      };
      for (let l = 0; l < widths.length; l++) action += value(l);
      expectClose(matrices[0]!, Q, { absolute: 0 });
      expectClose(diagnostics["action"] as number, action, { relative: 1e-10 }, "action");
      // M_1⁻¹ = M_2⁻¹ + force/N_1 and N_l(M_{l+1}⁻¹ − M_l⁻¹) = N_{l−1} M_l⁻¹(M_{l−1} − M_l)M_l⁻¹ above
      const inverses = matrices.map((m) => solve(m, identity(D)));
      expectClose(inverses[0]!, combine(1, inverses[1]!, 1 / widths[0]!, force), { absolute: 1e-8 }, "M_1");
      for (let l = 1; l < widths.length; l++) {
        const pull = multiply(inverses[l]!, multiply(combine(1, matrices[l - 1]!, -1, matrices[l]!), inverses[l]!));
        expectClose(
          combine(1, inverses[l + 1]!, -1, inverses[l]!),
          combine(widths[l - 1]! / widths[l]!, pull, 0, pull),
          { absolute: 1e-8 },
          `M_${l + 1}`,
        );
      }
      return;
    }
    expectClose(solve(Q, identity(n)), addDiagonal(combine(1 / N, force, 0, force), 1), { absolute: 1e-7 }, "Q");
    const pairs = Array.from({ length: n }, (__, i) => Array.from({ length: n - i }, (___, j) => [i, i + j] as const)).flat();
    const free = pairs.map(([i, j]) => Q.data[i * n + j]!);
    const at = (x: readonly number[]): number => {
      const q: Matrix = { data: new Float64Array(n * n), shape: [n, n] };
      pairs.forEach(([i, j], k) => (q.data[i * n + j] = q.data[j * n + i] = x[k]!));
      return diagonal(q).reduce((sum, value) => sum + value, 0) - logDeterminant(q) + energy(q) / N;
    };
    expectClose(diagnostics["action"] as number, at(free), { relative: 1e-9 }, "action");
    // in the chart X of Q^½ exp(X) Q^½ the Hessian is larger by |Q|^(n + 1), and 2^(n(n − 1)/2) for the prior
    const chart = logDeterminant(hessianOf(at, free, 1e-4)) + (n + 1) * logDeterminant(Q) - 0.5 * n * (n - 1) * Math.LN2;
    const evidence = -0.5 * (P * D * Math.log(2 * Math.PI) + N * (at(free) - n) + chart);
    expectClose(posterior.logEvidence!, evidence, { absolute: 2e-5 }, "log evidence");
  });

  it("the learned kernel, where there is one", () => {
    if (readout === "global-average" || widths.length > 1 || (readout && withMean)) {
      expect(posterior.hiddenKernels).toBeUndefined();
      return;
    }
    const cut = (m: Matrix): Matrix => block(m, 0, P, 0, P);
    const B = centred.map((row) => row.map(cut));
    const part = (d: number, e: number): Matrix =>
      matrixFromRows(
        train.map((__, p) =>
          train.map((___, r) => residual[p * D + d]! * residual[r * D + e]! - inverse.data[(p * D + d) * P * D + r * D + e]!),
        ),
      );
    let kernel = B.reduce((sum, row, i) => combine(1, sum, 1, row[i]!), combine(0, B[0]![0]!, 0, B[0]![0]!));
    for (let i = 0; i < S; i++)
      for (let k = 0; k < n; k++)
        for (let l = 0; l < n; l++) {
          const middle = multiply(B[i]![Math.floor(k / D)]!, multiply(part(k % D, l % D), B[Math.floor(l / D)]![i]!));
          kernel = combine(1, kernel, Q.data[k * n + l]! / N, middle);
        }
    if (zeta) {
      const m = means[0]!.slice(0, P);
      const fluctuating = addDiagonal(block(prior(Q, undefined), 0, P * D, 0, P * D), T);
      const v = matrixFromRows(y.map((__, at) => Array.from({ length: D }, (___, d) => (d === at % D ? m[Math.floor(at / D)]! : 0))));
      const xi = multiply(zeta, multiplyTransposedLeft(v, column(residual))).data;
      const spread = combine(1, zeta, -1, multiply(zeta, multiply(multiplyTransposedLeft(v, multiply(inverse, v)), zeta)));
      const seenMean = multiply(solve(fluctuating, v), spread);
      const both = train.map((__, p) =>
        xi.reduce((sum, value, d) => sum + value * residual[p * D + d]! - seenMean.data[(p * D + d) * D + d]!, 0),
      );
      const shift = multiply(B[0]![0]!, column(both)).data;
      kernel = combine(1, kernel, 1, outer(m, m));
      kernel = combine(1, kernel, 1 / N, combine(1, outer(m, Array.from(shift)), 1, outer(Array.from(shift), m)));
    }
    expectClose(posterior.hiddenKernels![0]!, combine(1 / weightVariance[1]!, kernel, 0, kernel), { relative: 1e-7, absolute: 1e-8 });
  });
});
