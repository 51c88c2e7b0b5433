import { matrixFromRows, resolveArchitecture, resolveNetworkInput, rowsOf, type Matrix, type Network } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { addDiagonal, cholesky, multiply, multiplyTransposedRight, solveCholesky, transpose } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { collapsedDensity, conditionReadout, fullDensity, type SamplingProblem } from "../src/index.js";
import { collapsedReadout } from "../src/posterior/collapsed-readout.js";
import { randomMatrix, registry } from "./helpers.js";

/** Everything by dense P × P algebra with A = T + σ_b² + ΦΦᵀ. */
function dense(phi: Matrix, bias: number, y: Matrix, t: number, test: Matrix) {
  const plus = (m: Matrix): Matrix => ({ data: m.data.map((value) => value + bias * bias), shape: m.shape });
  const kernel = plus(multiplyTransposedRight(phi, phi));
  const cross = plus(multiplyTransposedRight(test, phi));
  const prior = plus(multiplyTransposedRight(test, test));
  const factor = cholesky(addDiagonal(kernel, t));
  const residual = solveCholesky(factor, y);
  const explained = multiply(cross, solveCholesky(factor, transpose(cross)));
  const [P, D] = y.shape;
  const quadratic = y.data.reduce((sum, value, i) => sum + value * residual.data[i]!, 0);
  return {
    logLikelihood: -0.5 * (D * factor.logDeterminant + quadratic + P * D * Math.log(2 * Math.PI)),
    residual,
    mean: multiply(cross, residual),
    covariance: prior.data.map((value, i) => value - explained.data[i]!),
  };
}

describe.each([
  ["fewer points than features", 5, 9, 0],
  ["fewer points, bias", 5, 9, 0.7],
  ["fewer features than points", 9, 4, 0],
  ["fewer features, bias", 9, 4, 0.7],
  ["one feature", 6, 1, 0],
])("readout given the hidden layers: %s", (_name, P, F, bias) => {
  const [phi, y, test] = [randomMatrix(P, F, 1), randomMatrix(P, 2, 2), randomMatrix(3, F, 3)];
  it.each([2, 0.01, 1e-6])("equals dense algebra at T = %s", (t) => {
    const found = conditionReadout(phi, bias, y, t);
    const expected = dense(phi, bias, y, t, test);
    // the condition of A is 10/T; the dense route loses that many digits
    const tolerance = { relative: 1e-13 / Math.min(1, t), absolute: 1e-13 / Math.min(1, t) };
    expectClose(found.logLikelihood, expected.logLikelihood, tolerance, "log likelihood");
    const prediction = found.predict(test);
    expectClose(prediction.mean, expected.mean, tolerance, "mean");
    expectClose(
      prediction.variance,
      [0, 1, 2].map((i) => expected.covariance[i * 4]!),
      tolerance,
      "variance",
    );
    expectClose(found.covariance(test), expected.covariance, tolerance, "covariance");
    const atTraining = dense(phi, bias, y, t, phi);
    const train = found.train();
    expectClose(train.mean, atTraining.mean, tolerance, "train mean");
    expectClose(
      train.variance,
      Array.from({ length: P }, (_, i) => atTraining.covariance[i * (P + 1)]!),
      tolerance,
      "train variance",
    );
  });

  it("readout norm is the posterior second moment of the weights", () => {
    const t = 0.3;
    const { data } = conditionReadout(phi, bias, y, t).readoutNorm();
    // second moments from the posterior in the space of all readout weights, bias included
    const full = matrixFromRows(Array.from({ length: P }, (_, i) => [...phi.data.slice(i * F, (i + 1) * F), ...(bias ? [bias] : [])]));
    const M = addDiagonal(multiply(transpose(full), full), t);
    const inverse = solveCholesky(cholesky(M), addDiagonal({ data: new Float64Array(M.data.length), shape: M.shape }, 1));
    const weights = multiply(inverse, multiply(transpose(full), y));
    const n = M.shape[0];
    for (const [a, b] of [
      [0, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      let sum = 0;
      for (let j = 0; j < F; j++)
        sum += weights.data[j * 2 + a]! * weights.data[j * 2 + b]! + (a === b ? t * inverse.data[j * (n + 1)]! : 0);
      expectClose(data[a * 2 + b]!, sum / F, { relative: 1e-11 }, `${a}${b}`);
    }
  });

  it("cotangent is the derivative of the log likelihood", () => {
    const readout = collapsedReadout(F, bias, y, 0.3);
    readout.logLikelihood(phi);
    const found = readout.cotangent().data.slice();
    const step = 1e-5;
    for (let i = 0; i < phi.data.length; i++) {
      const at = (sign: number) =>
        readout.logLikelihood({ data: phi.data.map((value, k) => (k === i ? value + sign * step : value)), shape: phi.shape });
      expectClose(found[i]!, (at(1) - at(-1)) / (2 * step), { relative: 1e-6, absolute: 1e-6 });
    }
  });

  it("in place: the same log likelihood, again and again, and NaN for features that are not numbers", () => {
    for (const t of [2, 0.01, 1e-6]) {
      const readout = collapsedReadout(F, bias, y, t);
      const tolerance = { relative: 1e-13 / Math.min(1, t) };
      expectClose(readout.logLikelihood(phi), conditionReadout(phi, bias, y, t).logLikelihood, tolerance);
      readout.cotangent();
      expect(readout.logLikelihood({ data: phi.data.map((value, i) => (i === 1 ? Number.NaN : value)), shape: phi.shape })).toBeNaN();
      const other = randomMatrix(P, F, 9);
      expectClose(readout.logLikelihood(other), conditionReadout(other, bias, y, t).logLikelihood, tolerance);
    }
  });
});

describe("log densities", () => {
  const network = resolveNetworkInput({ type: "fully-connected", widths: [4, 3], activation: "erf", biasVariance: 0.2 }, registry);
  const problem: SamplingProblem = {
    network: realise(resolveArchitecture(registry, network), randomMatrix(5, 3, 4), 2),
    targets: randomMatrix(5, 2, 5),
    temperature: 0.1,
    readoutBias: Math.sqrt(0.2),
  };
  it.each([
    ["collapsed", collapsedDensity(problem)],
    ["full", fullDensity(problem)],
  ])("%s: gradient by finite differences", (_name, density) => {
    const theta = randomMatrix(1, density.dimension, 6).data;
    const gradient = new Float64Array(density.dimension);
    const scratch = new Float64Array(density.dimension);
    density.evaluate(theta, gradient);
    const step = 1e-5;
    for (let i = 0; i < density.dimension; i++) {
      const at = (sign: number) =>
        density.evaluate(
          theta.map((value, k) => (k === i ? value + sign * step : value)),
          scratch,
        );
      expectClose(gradient[i]!, (at(1) - at(-1)) / (2 * step), { relative: 1e-6, absolute: 1e-6 }, `θ[${i}]`);
    }
  });

  it("weights that overflow give NaN, which samplers reject", () => {
    const density = collapsedDensity({
      ...problem,
      network: realise(resolveArchitecture(registry, { ...network, activation: "quadratic" } as Network), randomMatrix(5, 3, 4), 2),
    });
    expect(density.evaluate(new Float64Array(density.dimension).fill(1e120), new Float64Array(density.dimension))).toBeNaN();
    expect(problem.network.parameters).toBeGreaterThan(0);
  });
});

describe.each([
  ["fewer points than features", 4, 9, 0],
  ["fewer features than points", 6, 3, 0],
  ["a bias", 6, 3, 0.7],
])("noise below the rounding of repeated points: %s", (_name, P, F, bias) => {
  const [phi, y, test] = [randomMatrix(P, F, 1), randomMatrix(P, 2, 2), randomMatrix(3, F, 3)];
  const twice = (m: Matrix, split = 0): Matrix =>
    matrixFromRows(rowsOf(m).flatMap((row) => [row.map((value) => value + split), row.map((value) => value - split)]));
  it.each([1e-8, 1e-10, 1e-12])("every point twice is every point once at half the noise, T = %s", (t) => {
    const split = Math.sqrt(t);
    // labels that the features make: others are worth 1/T
    const labels = F < P ? multiply(phi, randomMatrix(F, 2, 4)) : y;
    const [all, halves] = [conditionReadout(twice(phi), bias, twice(labels, split), t), conditionReadout(phi, bias, labels, t / 2)];
    const pairs = 2 * P * (Math.log(2 * Math.PI * t) + Math.log(2) + (2 * split ** 2) / t);
    expect(Math.abs(all.logLikelihood - (halves.logLikelihood - 0.5 * pairs))).toBeLessThan(1e-4);
    const [found, expected] = [all.predict(test), halves.predict(test)];
    expectClose(found.mean, expected.mean, { absolute: 1e-7 }, "mean");
    expectClose(found.variance, expected.variance, { absolute: 1e-7 }, "variance");
    expectClose(all.readoutNorm(), halves.readoutNorm(), { absolute: 1e-7 }, "readout norm");
    const resident = collapsedReadout(F, bias, twice(labels, split), t);
    expect(Math.abs(resident.logLikelihood(twice(phi)) - all.logLikelihood)).toBeLessThan(1e-4);
    if (F < P) return;
    const single = collapsedReadout(F, bias, labels, t / 2);
    single.logLikelihood(phi);
    const [pulled, once] = [resident.cotangent(), single.cotangent()];
    const summed = once.data.map((_, at) => {
      const [i, f] = [Math.floor(at / F), at % F];
      return pulled.data[2 * i * F + f]! + pulled.data[(2 * i + 1) * F + f]!;
    });
    expectClose(summed, once.data, { relative: 1e-6, absolute: 1e-6 }, "gradient");
  });
});
