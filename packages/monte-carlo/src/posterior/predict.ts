import {
  createPause,
  FinitewidthError,
  resolveArchitecture,
  rowRange,
  toStandardScaling,
  zeros,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
  type Task,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { batchCount, batchOf, mergeBatches, predictionOf, singleBatch, type BatchMeans } from "./batch-means.js";
import { samplingProblem } from "./chain.js";
import type { MonteCarloOptions } from "../options.js";
import { readoutAt } from "./densities.js";
import type { MonteCarloState } from "./fit.js";

/** A batch of stored draws of one chain, and where to predict. */
export interface PredictChunk {
  readonly problem: Problem;
  readonly testInputs: Matrix;
  /** Draws × hidden parameters. */
  readonly theta: Matrix;
  readonly covariance: boolean;
}
export interface PredictResult {
  readonly sums: BatchMeans;
  /** Sums over draws, when asked for: of the covariance of one output given the hidden layers (P* × P*), of m mᵀ ((P*·D)²). */
  readonly within?: Float64Array;
  readonly between?: Float64Array;
}

/** Test inputs that a network is run on at once. */
const blockRows = 1024;

/** Conditional moments of the outputs at the test inputs, averaged over the draws of the chunk. */
export const predictDraws: Task<PredictChunk, PredictResult> = {
  module: import.meta.url,
  name: "predictDraws",
  async run({ problem, testInputs, theta, covariance }, { registry, tick }) {
    const training = samplingProblem(problem, registry);
    const architecture = resolveArchitecture(registry, problem.network);
    const outputs = problem.targets.shape[1];
    const [draws, parameters] = theta.shape;
    const tests = testInputs.shape[0];
    const size = tests * outputs;
    const rowsAtOnce = covariance ? Math.max(1, tests) : blockRows;
    const blocks = Array.from({ length: Math.ceil(tests / rowsAtOnce) }, (_, b) => {
      const from = b * rowsAtOnce;
      const rows = rowRange(testInputs, from, Math.min(tests, from + rowsAtOnce));
      return { from, network: realise(architecture, rows, outputs) };
    });
    const [mean, second] = [new Float64Array(size), new Float64Array(size)];
    const within = covariance ? new Float64Array(tests * tests) : undefined;
    const between = covariance ? new Float64Array(size * size) : undefined;
    const full = new Float64Array(training.network.parameters);
    const pause = createPause();
    for (let k = 0; k < draws; k++) {
      const { readout } = readoutAt(training, theta.data.subarray(k * parameters, (k + 1) * parameters), full);
      for (const { from, network } of blocks) {
        tick(k / draws);
        const { features } = network.forward(full);
        const moments = readout.predict(features);
        for (let i = 0; i < moments.mean.data.length; i++) {
          const m = moments.mean.data[i]!;
          mean[from * outputs + i]! += m / draws;
          second[from * outputs + i]! += (moments.variance[Math.floor(i / outputs)]! + m * m) / draws;
        }
        if (within && between) {
          const one = readout.covariance(features).data;
          for (let i = 0; i < one.length; i++) within[i]! += one[i]!;
          const m = moments.mean.data;
          for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) between[i * size + j]! += m[i]! * m[j]!;
        }
      }
      await pause();
    }
    return { sums: singleBatch(mean, second), ...(within && between ? { within, between } : {}) };
  },
};

/** Most bytes that a covariance may take. */
const covarianceLimit = 2 ** 31;

/**
 * Latent outputs at test inputs from the stored draws: mean and variance with Monte Carlo errors from batches. @throws FinitewidthError
 * (code "memory").
 */
export async function predictFromDraws(
  posterior: Posterior<MonteCarloOptions, MonteCarloState>,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Promise<Prediction> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const stored = posterior.state.theta;
  const [chains, draws, parameters] = stored.shape as [number, number, number];
  const outputs = problem.targets.shape[1];
  const size = inputs.shape[0] * outputs;
  if (want.covariance && 8 * size * size > covarianceLimit) {
    throw new FinitewidthError(`a covariance of ${size} outputs takes ${8 * size * size} bytes; ask for it at fewer inputs`, {
      code: "memory",
    });
  }
  if (size === 0) return { mean: zeros(0, outputs), variance: zeros(0, outputs) };
  const batches = Math.min(batchCount(draws), draws);
  const chunks: PredictChunk[] = [];
  for (let c = 0; c < chains; c++) {
    for (let b = 0; b < batches; b++) {
      const members = Array.from({ length: draws }, (_, i) => i).filter((i) => batchOf(i, draws, batches) === b);
      const [first, last] = [c * draws + members[0]!, c * draws + members.at(-1)! + 1];
      const theta: Matrix = { data: stored.data.slice(first * parameters, last * parameters), shape: [last - first, parameters] };
      chunks.push({ problem, testInputs: inputs, theta, covariance: want.covariance });
    }
  }
  let sums: BatchMeans | undefined;
  const within = want.covariance ? new Float64Array(inputs.shape[0] ** 2) : undefined;
  const between = want.covariance ? new Float64Array(size * size) : undefined;
  for await (const result of run.map(predictDraws, chunks)) {
    sums = sums === undefined ? result.sums : mergeBatches(sums, result.sums);
    result.within?.forEach((value, i) => (within![i]! += value / (chains * draws)));
    result.between?.forEach((value, i) => (between![i]! += value / (chains * draws)));
  }
  const prediction = predictionOf(sums!, outputs);
  if (!within || !between) return prediction;
  const tests = inputs.shape[0];
  const covariance = zeros(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const sameOutput = i % outputs === j % outputs ? within[Math.floor(i / outputs) * tests + Math.floor(j / outputs)]! : 0;
      covariance.data[i * size + j] = between[i * size + j]! - prediction.mean.data[i]! * prediction.mean.data[j]! + sameOutput;
    }
  }
  return { ...prediction, covariance };
}
