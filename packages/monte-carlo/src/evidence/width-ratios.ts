import type { FiniteNetwork, Matrix, RandomStream } from "@finitewidth/core";
import type { DenseChain } from "@finitewidth/kernels";
import { addDiagonal, cholesky, gram, solveLower } from "@finitewidth/linalg";
import { createRotationSampler, logMean, logSumExp, resampleStates, type RotationState } from "@finitewidth/numerics";
import { collapsedLogLikelihood, readoutAt, type SamplingProblem } from "../posterior/densities.js";

/** Weights λ of a fading unit, from a full unit to none. */
const fading: readonly number[] = [1, 0.75, 0.5, 0.3, 0.15, 0.05, 0.01, 0];

/** A draw θ of a network, or the states of all particles of an island, and log Z_{N−1}/Z_N from them. */
export type DrawRatio = (theta: Float64Array) => number;
export type PopulationRatio = (states: readonly RotationState[], stepSize: number, moves: number, random: RandomStream) => number;

/**
 * For one draw θ of a network with N units in its last hidden layer, log (1/N) Σ_i p(Y|K̂^{(−i)})/p(Y|K̂), whose exponential has the
 * posterior mean Z_{N−1}/Z_N. A″ = T + σ_b² + N/(N−1) ΦΦᵀ = L Lᵀ is factorised once; without unit i, log N(Y|0, A″ − s φ_iφ_iᵀ) follows
 * from κ_i = s|L⁻¹φ_i|² and u_i = √s (L⁻¹φ_i)ᵀL⁻¹Y. O(P²(P + N)). Source: docs/theories/evidence.md, "Widths".
 */
export function lastLayerDeletions(problem: SamplingProblem): DrawRatio {
  const scratch = new Float64Array(problem.network.parameters);
  const outputs = problem.targets.shape[1];
  const bias = problem.readoutBias ** 2;
  return (theta) => {
    const { readout, state } = readoutAt(problem, theta, scratch);
    const [points, width] = state.features.shape;
    const scale = width / (width - 1);
    const kernel = gram(state.features);
    for (let i = 0; i < kernel.data.length; i++) kernel.data[i] = scale * kernel.data[i]! + bias;
    const { factor, logDeterminant } = cholesky(addDiagonal(kernel, problem.temperature));
    const units = solveLower(factor, state.features).data;
    const labels = solveLower(factor, problem.targets).data;
    let quadratic = 0;
    for (const value of labels) quadratic += value * value;
    const full = -0.5 * (outputs * (logDeterminant + points * Math.log(2 * Math.PI)) + quadratic);
    const terms = new Float64Array(width);
    const projected = new Float64Array(outputs);
    for (let i = 0; i < width; i++) {
      let norm = 0;
      projected.fill(0);
      for (let p = 0; p < points; p++) {
        const value = units[p * width + i]!;
        norm += scale * value * value;
        for (let d = 0; d < outputs; d++) projected[d]! += value * labels[p * outputs + d]!;
      }
      let square = 0;
      for (const value of projected) square += scale * value * value;
      terms[i] = full - 0.5 * (outputs * Math.log1p(-norm) + square / (1 - norm));
    }
    return logSumExp(terms) - Math.log(width) - readout.logLikelihood;
  };
}

/**
 * log Z_{N−1}/Z_N of any hidden layer (from 0) by fading out its last unit: K̂_λ ∝ (Σ_i φ_iφ_iᵀ + λφ_Nφ_Nᵀ)/(N − 1 + λ) from λ = 1 to 0 in
 * steps of resampled and moved particles, a product of means with no bias. Where deleting at once has tails that are too heavy: inner
 * layers and the narrowest ones.
 */
export function fadeLastUnit(network: DenseChain, problem: SamplingProblem, layer: number): PopulationRatio {
  return (states, stepSize, moves, random) => {
    let here = states;
    let logRatio = 0;
    for (const weight of fading.slice(1)) {
      const faded = { ...problem, network: fadedNetwork(network, problem.network, layer, weight) };
      const sampler = createRotationSampler(collapsedLogLikelihood(faded));
      const next = here.map(({ position }) => sampler.open(position));
      const rises = Float64Array.from(next, (state, k) => state.logLikelihood - here[k]!.logLikelihood);
      logRatio += logMean(rises);
      here = resampleStates(next, rises, random);
      for (const state of here) for (let k = 0; k < moves; k++) sampler.move(state, { exponent: 1, stepSize }, random);
    }
    return logRatio;
  };
}

/**
 * The network whose last unit of a hidden layer counts λ times: what reads the layer is scaled by √(N/(N − 1 + λ)), that unit by √λ more.
 */
function fadedNetwork(network: DenseChain, full: FiniteNetwork, layer: number, weight: number): FiniteNetwork {
  const width = network.widths[layer]!;
  const common = Math.sqrt(width / (width - 1 + weight));
  const scaleOf = (unit: number): number => (unit === width - 1 ? common * Math.sqrt(weight) : common);
  const scaleColumns = (data: Float64Array, from: number, rows: number): void => {
    for (let i = 0; i < rows; i++) for (let j = 0; j < width; j++) data[from + i * width + j]! *= scaleOf(j);
  };
  const readers = network.widths[layer + 1];
  if (readers === undefined) {
    const scaled = (m: Matrix): Matrix => {
      const data = m.data.slice();
      scaleColumns(data, 0, m.shape[0]);
      return { data, shape: m.shape };
    };
    return {
      ...full,
      forward: (theta) => {
        const state = full.forward(theta);
        return { ...state, features: scaled(state.features) };
      },
      pullbackFeatures: (theta, state, cotangent, gradient) => full.pullbackFeatures(theta, state, scaled(cotangent), gradient),
    };
  }
  const inner = new Float64Array(full.parameters);
  const load = (theta: Float64Array): Float64Array => {
    inner.set(theta);
    scaleColumns(inner, full.offsets[layer + 1]!, readers);
    return inner;
  };
  return {
    ...full,
    forward: (theta) => full.forward(load(theta)),
    pullbackFeatures: (theta, state, cotangent, gradient) => {
      full.pullbackFeatures(load(theta), state, cotangent, gradient);
      scaleColumns(gradient, full.offsets[layer + 1]!, readers);
    },
  };
}
