import { fit, type Matrix } from "@finitewidth/core";
import { addDiagonal, block, combine, identity, multiply, multiplyTransposedRight, solve } from "@finitewidth/linalg";
import { gaussLegendre, logGamma } from "@finitewidth/numerics";
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
} from "./naive-networks.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const y = [0.9, -0.4, 1.7, -2.1];
const P = 4;
const inner = (a: Matrix): Matrix => block(a, 0, P, 0, P);
const shifted = (a: Matrix, bias: number): Matrix => ({ data: a.data.map((value) => value + bias), shape: a.shape });
const near = { relative: 1e-8, absolute: 1e-9 };

describe("one hidden layer: averages over the order parameters as plain sums over a grid", () => {
  const [weightVariance, biasVariance] = [
    [1.3, 0.7],
    [0.2, 0.4],
  ];
  it.each([
    ["erf", 3, {}, 0.2],
    ["erf", 7, {}, 0],
    ["relu", 6, { mean: "plain" }, 0.2],
    ["relu", 5, {}, 0.2],
    ["relu", 7, {}, 0],
    ["relu", 2, {}, 0.2],
    ["relu", 1, {}, 0.2],
  ] as const)("%s, width %d, %j, T = %d", async (activation, N, options, T) => {
    const first = firstCovariance([...train, ...tests], [...train, ...tests], weightVariance[0]!, biasVariance[0]!);
    const second = productMoments(activation, first, diagonal(first), diagonal(first));
    const two = activation === "relu" && !("mean" in options);
    const m = diagonal(first).map((k) => (two ? Math.sqrt(0.7) * naive[activation].mean(k) : 0));
    const kernel = combine(0.7, second, -1, outer(m, m));
    const own = m.slice(0, P);
    // sin θ = ξ/√(NQ), θ with density cos^(N − 2) θ/B(½, (N − 1)/2); one unit has ξ = ±√Q
    const sphere = gaussLegendre(32, -Math.PI / 2, Math.PI / 2);
    const share = (theta: number): number =>
      Math.cos(theta) ** (N - 2) * Math.exp(logGamma(N / 2) - logGamma((N - 1) / 2) - 0.5 * Math.log(Math.PI));
    const directions = !two
      ? [{ t: 0, weight: 1 }]
      : N === 1
        ? [-1, 1].map((t) => ({ t, weight: 0.5 }))
        : Array.from(sphere.nodes, (theta, j) => ({ t: Math.sin(theta), weight: sphere.weights[j]! * share(theta) }));
    // small Q have a weight of Q^(N/2)
    const step = 0.08;
    const parts = Array.from({ length: N < 3 ? 570 : 160 }, (_, i) => 4.4 - step * i).flatMap((u) => {
      const Q = Math.exp(u);
      const prior = shifted(combine(Q, kernel, 0, kernel), 0.4);
      const a = addDiagonal(inner(prior), T);
      const inverse = solve(a, identity(P));
      const constant = 0.5 * N * (Math.log(N / 2) + u - Q) - logGamma(N / 2) - 0.5 * P * Math.log(2 * Math.PI) - 0.5 * logDeterminant(a);
      return directions.map(({ t, weight }) => {
        const xi = t * Math.sqrt(N * Q);
        const left = y.map((value, p) => value - xi * own[p]!);
        const r = multiply(inverse, column(left));
        const quadratic = left.reduce((sum, value, p) => sum + value * r.data[p]!, 0);
        return { Q, xi, prior, inverse, left, r, weight: step * weight * Math.exp(constant - 0.5 * quadratic) };
      });
    });
    const total = parts.reduce((sum, { weight }) => sum + weight, 0);
    const used = parts.filter(({ weight }) => weight > 1e-13 * total);
    const average = (of: (part: (typeof parts)[number]) => ArrayLike<number>): number[] => {
      const out: number[] = [];
      for (const part of used) Array.from(of(part)).forEach((value, i) => (out[i] = (out[i] ?? 0) + (part.weight / total) * value));
      return out;
    };
    const moments = (of: typeof regression, means: readonly number[]) => {
      // y − ξm is a line in ξ: two regressions for every Q
      const solved = new Map(
        Array.from(new Set(used.map(({ prior }) => prior)), (prior) => [prior, [of(prior, y, T), of(prior, own, T)] as const]),
      );
      const found = new Map(
        used.map((part) => {
          const [from, along] = solved.get(part.prior)!;
          const at = from.mean.data.map((value, t) => value + part.xi * (means[t]! - along.mean.data[t]!));
          return [part, { mean: at, covariance: from.covariance }];
        }),
      );
      const mean = average((part) => found.get(part)!.mean);
      const covariance = average((part) => {
        const { mean: here, covariance: cov } = found.get(part)!;
        return cov.data.map((value, k) => {
          const [s, t] = [Math.floor(k / mean.length), k % mean.length];
          return value + (here[s]! - mean[s]!) * (here[t]! - mean[t]!);
        });
      });
      return { mean, covariance, variance: mean.map((_, t) => covariance[t * (mean.length + 1)]!) };
    };

    const network = { type: "fully-connected", widths: [N], activation, weightVariance, biasVariance };
    const { posterior, predict } = await fit(
      effectiveAction,
      { network, inputs: train, targets: y, temperature: T },
      { registry, options },
    );
    expectClose(posterior.logEvidence!, Math.log(total), near, "log evidence");
    const found = posterior.diagnostics["orderParameterPosterior"] as Record<string, number>;
    const [mean] = average(({ Q }) => [Q]);
    expectClose(found["mean"]!, mean!, near, "E Q");
    if (two)
      expectClose(
        [found["xiMean"]!, found["xiSquareMean"]!],
        average(({ xi }) => [xi, xi * xi]),
        near,
        "ξ",
      );
    else expectClose(found["variance"]!, average(({ Q }) => [(Q - mean!) ** 2])[0]!, near, "Var Q");
    const expected = moments(regression, m.slice(P));
    const [alone, together] = [await predict(tests), await predict(tests, { covariance: true })];
    for (const prediction of [alone, together]) {
      expect([prediction.mean.shape, prediction.variance.shape]).toEqual(Array.from({ length: 2 }, () => [tests.length, 1]));
      expectClose(prediction.mean.data, expected.mean, near, "mean");
      expectClose(prediction.variance.data, expected.variance, near, "variance");
    }
    expectClose(together.covariance!.data, expected.covariance, near, "covariance");
    const at = moments(trainRegression, own);
    expectClose(posterior.train!.mean.data, at.mean, near, "train mean");
    expectClose(posterior.train!.variance.data, at.variance, near, "train variance");
    const missed = at.variance.reduce((sum, v, i) => sum + v + (at.mean[i]! - y[i]!) ** 2, 0) / P;
    expectClose(posterior.diagnostics["trainError"] as number, missed, near, "train error");
    if (!two) {
      const bias = average(({ r }) => [r.data.reduce((sum, value) => sum + (T * value) ** 2, 0) / P])[0]!;
      expectClose(posterior.diagnostics["trainErrorBias"] as number, bias, near, "its bias");
    }
    const K = inner(kernel);
    const learned = average(({ Q, xi, r, inverse }) => {
      const seen = multiply(K, multiply(combine(1, multiplyTransposedRight(r, r), -1, inverse), K));
      const pull = Array.from(multiply(K, r).data);
      const mixed = combine(1, outer(own, pull), 1, outer(pull, own));
      return combine(1, combine(1, outer(own, own), 1, K), 1, combine(Q / N, seen, xi / N, mixed)).data;
    });
    expectClose(
      posterior.hiddenKernels![0]!.data.map((value) => 0.7 * value),
      learned,
      near,
      "learned kernel",
    );
  });
});

describe("several hidden layers: the renormalised recursion written out", () => {
  const T = 0.2;
  interface Case {
    readonly activation: NaiveActivation;
    readonly closure: "nested" | "affine" | "product";
    readonly widths: readonly number[];
    readonly biasVariance: readonly number[];
  }
  const weightVariance = [1.3, 1.7, 0.9, 0.7];
  const chainOf = ({ activation, closure, biasVariance }: Case, orders: readonly number[]): Matrix[] => {
    const points = [...train, ...tests];
    const first = firstCovariance(points, points, 1.3, biasVariance[0]!);
    const kernels = [first];
    let [infinite, product] = [first, 1];
    for (const [l, q] of orders.entries()) {
      const [w, b] = [weightVariance[l + 1]!, biasVariance[l + 1]!];
      const variances = diagonal(infinite);
      const g = productMoments(activation, infinite, variances, variances);
      const below = kernels[l]!;
      product *= q;
      let map = productMoments(activation, below, diagonal(below), diagonal(below));
      if (closure === "product") map = combine(product / q, g, 0, g);
      if (closure === "affine") {
        const slopes = outer(variances.map(naive[activation].slope), variances.map(naive[activation].slope));
        map = { data: g.data.map((value, k) => value + slopes.data[k]! * (below.data[k]! - infinite.data[k]!)), shape: g.shape };
      }
      kernels.push(shifted(combine(w * q, map, 0, map), b));
      infinite = shifted(combine(w, g, 0, g), b);
    }
    return kernels;
  };
  const cases: readonly Case[] = [
    { activation: "erf", closure: "nested", widths: [6, 11, 4], biasVariance: [0.2, 0.3, 0.1, 0.4] },
    { activation: "relu", closure: "nested", widths: [11, 6], biasVariance: [0.2, 0.3, 0.4] },
    { activation: "relu", closure: "nested", widths: [11, 6, 8], biasVariance: [0.2, 0, 0, 0.4] },
    // powers 4, 2, 1 of the order parameters, and 0, 0, 1
    { activation: "quadratic", closure: "nested", widths: [11, 20, 8], biasVariance: [0.2, 0, 0, 0.4] },
    { activation: "sign", closure: "nested", widths: [6, 11, 8], biasVariance: [0.2, 0, 0, 0.4] },
    { activation: "quadratic", closure: "affine", widths: [12, 16], biasVariance: [0.2, 0.1, 0.4] },
    { activation: "erf", closure: "affine", widths: [6, 11, 4], biasVariance: [0.2, 0.3, 0.1, 0.4] },
    { activation: "relu", closure: "affine", widths: [6, 9], biasVariance: [0.2, 0.3, 0.4] },
    { activation: "erf", closure: "product", widths: [6, 11, 4], biasVariance: [0.2, 0, 0, 0] },
  ];
  it.each(cases)("$activation, $closure, widths $widths", async (entry) => {
    const { activation, closure, widths, biasVariance } = entry;
    const network = {
      type: "fully-connected",
      widths,
      activation,
      weightVariance: weightVariance.slice(0, widths.length + 1),
      biasVariance,
    };
    const { posterior, predict } = await fit(
      effectiveAction,
      { network, inputs: train, targets: y, temperature: T },
      { registry, options: { closure } },
    );
    const orders = Array.from((posterior.orderParameter as { data: Float64Array }).data);
    const kernels = chainOf(entry, orders);
    const { mean, covariance } = regression(kernels.at(-1)!, y, T);
    const [alone, together] = [await predict(tests), await predict(tests, { covariance: true })];
    for (const prediction of [alone, together]) {
      expect([prediction.mean.shape, prediction.variance.shape]).toEqual(Array.from({ length: 2 }, () => [tests.length, 1]));
      expectClose(prediction.mean.data, mean.data, near, "mean");
      expectClose(prediction.variance.data, diagonal(covariance), near, "variance");
    }
    expectClose(together.covariance!, covariance, near, "covariance");
    const own = trainRegression(kernels.at(-1)!, y, T);
    expectClose(posterior.train!.mean.data, own.mean.data, near, "train mean");
    expectClose(posterior.train!.variance.data, diagonal(own.covariance), near, "train variance");
    const missed = diagonal(own.covariance).reduce((sum, v, i) => sum + v + (own.mean.data[i]! - y[i]!) ** 2, 0);
    expectClose(posterior.diagnostics["trainError"] as number, missed / P, near, "train error");
    const action = (u: readonly number[]): number => {
      const a = addDiagonal(inner(chainOf(entry, u.map(Math.exp)).at(-1)!), T);
      const r = solve(a, column(y)).data;
      const energy = logDeterminant(a) + y.reduce((sum, value, p) => sum + value * r[p]!, 0);
      return u.reduce((sum, x, l) => sum + widths[l]! * (Math.exp(x) - x), energy);
    };
    const u = orders.map(Math.log);
    expectClose(posterior.diagnostics["action"] as number, action(u), near, "action");
    for (const l of u.keys()) {
      const along = (h: number): number => action(u.map((x, k) => (k === l ? x + h : x)));
      expect(Math.abs(along(1e-4) - along(-1e-4)) / 2e-4, `slope in layer ${l + 1}`).toBeLessThan(1e-6);
    }
    const prior = widths.reduce((sum, n) => sum + n + Math.log(n), 0);
    const evidence = -0.5 * (P * Math.log(2 * Math.PI) + action(u) - prior + logDeterminant(hessianOf(action, u, 1e-3)));
    expectClose(posterior.logEvidence!, evidence, { absolute: 1e-5 }, "log evidence");
    if (activation === "erf" || activation === "sign") return expect(posterior.warnings.join()).not.toContain("component along the mean");
    // ξ̂ = Q_L m·r against its prior's spread N
    const gain = Math.sqrt(weightVariance[widths.length]!);
    const along = diagonal(inner(kernels.at(-2)!)).map((k) => gain * naive[activation].mean(k));
    const r = solve(addDiagonal(inner(kernels.at(-1)!), T), column(y)).data;
    const xi = orders.at(-1)! * along.reduce((sum, value, p) => sum + value * r[p]!, 0);
    expect(/component along the mean/.test(posterior.warnings.join())).toBe(xi * xi > 0.25 * widths.at(-1)!);
  });
  it("warns of targets along the mean of the activation with their ξ̂²", async () => {
    const network = { type: "fully-connected", widths: [9, 3], activation: "relu", weightVariance: 1, biasVariance: 0 };
    const of = async (offset: number) =>
      (await fit(effectiveAction, { network, inputs: train, targets: y.map((value) => value + offset), temperature: T }, { registry }))
        .posterior.warnings;
    expect((await of(4)).join()).toMatch(/\(ξ̂² = \d+\.\d against N = 3\)/);
  });
});
