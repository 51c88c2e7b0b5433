import { readoutOf, resolveNetworkInput, stackRows, type Matrix } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { block, diagonalOf, multiplyTransposedRight } from "@finitewidth/linalg";
import { conditionGaussianProcess, predictGaussianProcess } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { normalMatrix } from "../../../tools/testing.ts";
import { layersOf, testRegistry } from "./registry.js";

export type NetworkInput = { readonly type: string; readonly [field: string]: unknown };
export const registry = testRegistry();
export const rows = (seed: number, n: number, m: number): Matrix => normalMatrix(stream(91, seed), n, m);
export const points = 3;
/** Draws of the mixing matrices: their errors count beside those of the reference. */
export const fewer = { draws: 2000, chainDraws: 400 };

export const problemOf = (network: NetworkInput, features: number, outputs: number, temperature: number) => ({
  network,
  inputs: rows(1, points, features),
  targets: { data: rows(2, points, outputs).data.map((y, i) => 1.5 + (1 + (i % outputs)) * y), shape: [points, outputs] as const },
  temperature,
});

/**
 * Posterior by networks drawn from the prior with the readout integrated out: log evidence, first and second moments of the outputs at
 * all inputs, hidden kernels; with errors from batches. Nothing of the law of mixing matrices enters.
 */
export function byNetworks(problem: ReturnType<typeof problemOf>, testInputs: Matrix, draws: number) {
  const { network, inputs, targets, temperature } = problem;
  const outputs = targets.shape[1];
  const architecture = layersOf(resolveNetworkInput(network, registry));
  const net = realise(architecture, stackRows(inputs, testInputs), outputs);
  const bias = readoutOf(architecture).biasVariance;
  const random = stream(23);
  const theta = new Float64Array(net.parameters);
  const batches = 40;
  const sums = Array.from({ length: batches }, () => ({ weight: 0, terms: new Float64Array(0) }));
  let total = new Float64Array(0);
  for (let k = 0; k < draws; k++) {
    random.normals(theta);
    const state = net.forward(theta);
    const kernel = multiplyTransposedRight(state.features, state.features);
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
    const n = kernel.shape[0];
    const process = conditionGaussianProcess(block(kernel, 0, points, 0, points), targets, temperature);
    const { mean, variance } = predictGaussianProcess(process, block(kernel, 0, points, 0, n), diagonalOf(kernel));
    const terms = [
      ...mean.data,
      ...mean.data.map((value, i) => variance[Math.floor(i / outputs)]! + value * value),
      ...state.hiddenKernels().flatMap((hidden) => [...block(hidden, 0, points, 0, points).data]),
    ];
    const weight = Math.exp(process.logEvidence);
    const batch = sums[k % batches]!;
    if (batch.terms.length === 0) batch.terms = new Float64Array(terms.length);
    if (total.length === 0) total = new Float64Array(terms.length);
    batch.weight += weight;
    terms.forEach((value, i) => (batch.terms[i]! += weight * value));
  }
  const weight = sums.reduce((sum, batch) => sum + batch.weight, 0);
  for (const batch of sums) batch.terms.forEach((value, i) => (total[i]! += value));
  const n = points + testInputs.shape[0];
  const evaluate = (terms: Float64Array, w: number): number[] => {
    const average = terms.map((value) => value / w);
    const means = average.slice(0, n * outputs);
    const variances = average.slice(n * outputs, 2 * n * outputs).map((value, i) => value - means[i]! ** 2);
    return [...means, ...variances, ...average.slice(2 * n * outputs), Math.log(w)];
  };
  const value = evaluate(total, weight);
  const squares = new Float64Array(value.length);
  for (const batch of sums) {
    const without = evaluate(
      total.map((entry, i) => entry - batch.terms[i]!),
      weight - batch.weight,
    );
    without[without.length - 1]! += Math.log(batches / (batches - 1));
    without.forEach((entry, i) => (squares[i]! += (entry - value[i]!) ** 2));
  }
  value[value.length - 1]! -= Math.log(draws);
  const standardError = [...squares].map((sum) => Math.sqrt((sum * (batches - 1)) / batches));
  return { value, standardError };
}
