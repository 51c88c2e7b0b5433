import { plugin as activations } from "@finitewidth/activations";
import { createProblem, createRegistry, resolveArchitecture, type Matrix, type ProblemInput } from "@finitewidth/core";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { cholesky, gram, multiply, solveCholesky } from "@finitewidth/linalg";
import { denseChain, firstLayerKernel } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { normalMatrix } from "../../../tools/testing.ts";

export const registry = createRegistry([activations, fullyConnected]);

/** Posterior of f at test points by weighing drawn networks with their Gaussian readout likelihood: means, covariances and their errors. */
export function importanceSampling(input: ProblemInput, tests: Matrix, draws: number) {
  const problem = createProblem(input, registry);
  const chain = denseChain(resolveArchitecture(registry, problem.network))!;
  const [P, S] = [problem.inputs.shape[0], tests.shape[0]];
  const n = P + S;
  const all: Matrix = { data: Float64Array.from([...problem.inputs.data, ...tests.data]), shape: [n, problem.inputs.shape[1]] };
  const root = cholesky(ridge(firstLayerKernel(chain, all))).factor;
  const [N] = chain.widths as [number];
  const [alpha, bias] = [chain.weightVariance[1]! / N, chain.biasVariance[1]!];
  const random = stream(17);
  const batches = 20;
  const sums = Array.from({ length: batches }, () => ({ weight: 0, mean: new Float64Array(S), second: new Float64Array(S * S) }));
  for (let i = 0; i < draws; i++) {
    const h = multiply(root, normalMatrix(random, n, N));
    for (let k = 0; k < h.data.length; k++) h.data[k] = chain.activation.value(h.data[k]!);
    const K = gram(h).data.map((value) => alpha * value + bias);
    const A = { data: new Float64Array(P * P), shape: [P, P] as const };
    const right = { data: new Float64Array(P * (S + 1)), shape: [P, S + 1] as const };
    for (let a = 0; a < P; a++) {
      for (let b = 0; b < P; b++) A.data[a * P + b] = K[a * n + b]! + (a === b ? problem.temperature : 0);
      right.data[a * (S + 1)] = problem.targets.data[a]!;
      for (let b = 0; b < S; b++) right.data[a * (S + 1) + 1 + b] = K[a * n + P + b]!;
    }
    const factor = cholesky(A);
    const solved = solveCholesky(factor, right).data;
    let exponent = 0;
    for (let a = 0; a < P; a++) exponent += problem.targets.data[a]! * solved[a * (S + 1)]!;
    const weight = Math.exp(-0.5 * (exponent + factor.logDeterminant));
    const sum = sums[i % batches]!;
    sum.weight += weight;
    for (let s = 0; s < S; s++) {
      let mean = 0;
      for (let a = 0; a < P; a++) mean += K[(P + s) * n + a]! * solved[a * (S + 1)]!;
      sum.mean[s]! += weight * mean;
      for (let t = 0; t < S; t++) {
        let [other, covariance] = [0, K[(P + s) * n + P + t]!];
        for (let a = 0; a < P; a++) {
          other += K[(P + t) * n + a]! * solved[a * (S + 1)]!;
          covariance -= K[(P + s) * n + a]! * solved[a * (S + 1) + 1 + t]!;
        }
        sum.second[s * S + t]! += weight * (covariance + mean * other);
      }
    }
  }
  const estimate = (of: readonly (typeof sums)[number][]) => {
    const total = of.reduce((sum, { weight }) => sum + weight, 0);
    const mean = Float64Array.from({ length: S }, (_, s) => of.reduce((sum, batch) => sum + batch.mean[s]!, 0) / total);
    const covariance = Float64Array.from(
      { length: S * S },
      (_, k) => of.reduce((sum, batch) => sum + batch.second[k]!, 0) / total - mean[Math.floor(k / S)]! * mean[k % S]!,
    );
    return [...mean, ...covariance];
  };
  const value = estimate(sums);
  // jackknife over batches
  const error = value.map((_, k) => {
    const without = sums.map((_batch, b) => estimate(sums.filter((_other, c) => c !== b))[k]!);
    const mean = without.reduce((sum, x) => sum + x / batches, 0);
    return Math.sqrt(((batches - 1) / batches) * without.reduce((sum, x) => sum + (x - mean) ** 2, 0));
  });
  return { value, error };
}
export const ridge = (a: Matrix): Matrix => {
  const data = a.data.slice();
  for (let i = 0; i < a.shape[0]; i++) data[i * (a.shape[0] + 1)]! += 1e-10;
  return { data, shape: a.shape };
};
