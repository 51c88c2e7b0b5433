import { resolveNetwork, stackRows, toStandardScaling, type Matrix, type Problem, type Task } from "@finitewidth/core";
import { block, cholesky, multiply, multiplyTransposedRight, solveCholesky, solveLower, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { accumulate, type SufficientSums } from "./sufficient-sums.js";

/** One chunk of networks drawn from the prior. */
export interface SampleChunk {
  readonly problem: Problem;
  readonly testInputs: Matrix;
  readonly of: "prior" | "posterior";
  readonly samples: number;
  readonly seed: number;
  readonly index: number;
}

/**
 * Draws networks from the prior and sums, Rao–Blackwellised over the readout, what the estimands need: given the hidden layers the outputs
 * are Gaussian with kernel K̂ = ΦΦᵀ + σ_b², so a draw contributes its exact conditional moments with weight N(Y | 0, K̂ + T). No theory
 * enters.
 */
export const sampleNetworks: Task<SampleChunk, SufficientSums> = {
  module: import.meta.url,
  name: "sampleNetworks",
  run(chunk, { registry, tick }) {
    const problem = toStandardScaling(chunk.problem);
    const { priorModel, activation } = resolveNetwork(registry, problem.network);
    const posterior = chunk.of === "posterior";
    const inputs = posterior ? stackRows(problem.inputs, chunk.testInputs) : problem.inputs;
    const network = priorModel.realise(problem.network, activation, inputs, problem.targets.shape[1]);
    const random = stream(chunk.seed, chunk.index);
    const theta = new Float64Array(network.parameters);
    const bias = problem.network.biasVariance.at(-1)!;

    const draws = posterior ? posteriorSums(problem, chunk.testInputs.shape[0]) : priorSums();
    for (let s = 0; s < chunk.samples; s++) {
      if (s % 256 === 0) tick(s / chunk.samples);
      random.normals(theta);
      const state = network.forward(theta);
      const kernel = multiplyTransposedRight(state.features, state.features);
      if (bias !== 0) for (let i = 0; i < kernel.data.length; i++) kernel.data[i]! += bias;
      draws.add(kernel, () => state.hiddenKernels());
    }
    return draws.finish(chunk.samples);
  },
};

interface Accumulator {
  add(kernel: Matrix, hidden: () => readonly Matrix[]): void;
  finish(samples: number): SufficientSums;
}

function priorSums(): Accumulator {
  const sums: Record<string, Float64Array> = {};
  return {
    add(kernel) {
      accumulate(sums, "kernel", kernel, 1);
      const n = kernel.data.length;
      const products = (sums.kernelProducts ??= new Float64Array(n * n));
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) products[i * n + j]! += kernel.data[i]! * kernel.data[j]!;
    },
    finish: (samples) => ({ samples, logScale: 0, weight: samples, weightSquared: samples, sums }),
  };
}

function posteriorSums(problem: Problem, tests: number): Accumulator {
  const [P, D] = problem.targets.shape;
  const T = problem.temperature;
  const draws: { logWeight: number; parts: Record<string, Float64Array> }[] = [];
  return {
    add(kernel, hidden) {
      const trainKernel = block(kernel, 0, P, 0, P);
      const noisy: Matrix = { data: trainKernel.data.slice(), shape: [P, P] };
      for (let i = 0; i < P; i++) noisy.data[i * P + i]! += T;
      const factor = cholesky(noisy);
      const half = solveLower(factor.factor, problem.targets);
      let quadratic = 0;
      for (const value of half.data) quadratic += value * value;
      const logWeight = -0.5 * (quadratic + D * factor.logDeterminant + P * D * Math.log(2 * Math.PI));
      const parts: Record<string, Float64Array> = {};
      const residual = solveCholesky(factor, problem.targets);
      const predict = (name: string, cross: Matrix, diagonal: (i: number) => number): void => {
        const mean = multiply(cross, residual);
        const whitened = solveLower(factor.factor, transpose(cross));
        const rows = cross.shape[0];
        const square = new Float64Array(rows * D);
        for (let i = 0; i < rows; i++) {
          let explained = 0;
          for (let k = 0; k < P; k++) explained += whitened.data[k * rows + i]! ** 2;
          for (let d = 0; d < D; d++) square[i * D + d] = diagonal(i) - explained + mean.data[i * D + d]! ** 2;
        }
        parts[`${name}.mean`] = mean.data;
        parts[`${name}.square`] = square;
      };
      const n = P + tests;
      predict("train", trainKernel, (i) => kernel.data[i * n + i]!);
      predict("predictive", block(kernel, P, n, 0, P), (i) => kernel.data[(P + i) * n + P + i]!);
      hidden().forEach((layer, l) => (parts[`hidden.${l + 1}`] = block(layer, 0, P, 0, P).data));
      draws.push({ logWeight, parts });
    },
    finish(samples) {
      const logScale = Math.max(...draws.map((draw) => draw.logWeight));
      const sums: Record<string, Float64Array> = {};
      let [weight, weightSquared] = [0, 0];
      for (const draw of draws) {
        const w = Math.exp(draw.logWeight - logScale);
        weight += w;
        weightSquared += w * w;
        for (const [key, values] of Object.entries(draw.parts)) accumulate(sums, key, values, w);
      }
      return { samples, logScale, weight, weightSquared, sums };
    },
  };
}
