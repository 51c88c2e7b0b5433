import { FinitewidthError, type FiniteNetwork, type Matrix } from "@finitewidth/core";
import type { LogDensity, LogLikelihood } from "@finitewidth/numerics";
import { collapsedReadout, type CollapsedReadout } from "./collapsed-readout.js";
import { conditionReadout, type ReadoutPosterior } from "./readout.js";

/** A problem in standard scaling as the samplers see it. */
export interface SamplingProblem {
  readonly network: FiniteNetwork;
  readonly targets: Matrix;
  readonly temperature: number;
  /** σ_b(L+1). */
  readonly readoutBias: number;
}

/** Runs the hidden layers at θ (hidden parameters, or all of them) and conditions the readout on the data. */
export function readoutAt(
  problem: SamplingProblem,
  theta: Float64Array,
  scratch: Float64Array,
): { readonly readout: ReadoutPosterior; readonly state: ReturnType<FiniteNetwork["forward"]> } {
  const { network, targets, temperature, readoutBias } = problem;
  scratch.set(theta);
  const state = network.forward(scratch);
  return { readout: conditionReadout(state.features, readoutBias, targets, temperature), state };
}

/** Subtracts the gradient of the prior's energy, θ, and returns that energy, ½|θ|². */
function addPrior(theta: Float64Array, gradient: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < theta.length; i++) {
    const value = theta[i]!;
    gradient[i]! -= value;
    sum += value * value;
  }
  return 0.5 * sum;
}

/** The readout integrated out at the hidden parameters θ: calls `then` with the likelihood, or returns NaN where there is none. */
function collapsedEvaluation(
  problem: SamplingProblem,
  then: (
    readout: CollapsedReadout,
    logLikelihood: number,
    state: ReturnType<FiniteNetwork["forward"]>,
    full: Float64Array,
    theta: Float64Array,
    gradient: Float64Array,
  ) => number,
) {
  const { network, targets, temperature, readoutBias } = problem;
  const full = new Float64Array(network.parameters);
  let readout: CollapsedReadout | undefined;
  return (theta: Float64Array, gradient: Float64Array): number => {
    try {
      full.set(theta);
      const state = network.forward(full);
      readout ??= collapsedReadout(state.features.shape[1], readoutBias, targets, temperature);
      const logLikelihood = readout.logLikelihood(state.features);
      return Number.isFinite(logLikelihood) ? then(readout, logLikelihood, state, full, theta, gradient) : Number.NaN;
    } catch (error) {
      // an overflow far from the mass: the sampler counts it as a divergence and turns back
      if (isNumerical(error)) return Number.NaN;
      throw error;
    }
  };
}

/**
 * ℓ(θ) = log N(Y | 0, T + σ_b² + ΦΦᵀ) in the hidden parameters θ and its gradient: the likelihood with the readout integrated out. NaN
 * where A is not positive definite. One forward and one backward run of the network and O(min(P, F)² max(P, F)) for the readout on F
 * features.
 */
export function collapsedLogLikelihood(problem: SamplingProblem): LogDensity {
  const { network } = problem;
  return {
    dimension: network.parameters - network.readoutParameters,
    evaluate: collapsedEvaluation(problem, (readout, logLikelihood, state, full, _theta, gradient) => {
      network.pullbackFeatures(full, state, readout.cotangent(), gradient);
      return logLikelihood;
    }),
  };
}

/** −½|θ|² + ℓ(θ): the posterior with the readout integrated out, see `collapsedLogLikelihood`. Cost of `collapsedLogLikelihood`. */
export const collapsedDensity = (problem: SamplingProblem): LogDensity => withPrior(collapsedLogLikelihood(problem));

/** −½|θ|² + ℓ(θ): the posterior of all whitened parameters, see `fullLogLikelihood`. Cost of `fullLogLikelihood`. */
export const fullDensity = (problem: SamplingProblem): LogDensity => withPrior(fullLogLikelihood(problem));

const withPrior = ({ dimension, evaluate }: LogDensity): LogDensity => ({
  dimension,
  evaluate: (theta, gradient) => evaluate(theta, gradient) - addPrior(theta, gradient),
});

/** log N(Y | 0, T + σ_b² + ΦΦᵀ) in the hidden parameters alone, without gradient; NaN where A is not positive definite. */
export function collapsedLikelihood(problem: SamplingProblem): LogLikelihood {
  const evaluate = collapsedEvaluation(problem, (_readout, logLikelihood) => logLikelihood);
  const unused = new Float64Array(0);
  return { dimension: problem.network.parameters - problem.network.readoutParameters, evaluate: (theta) => evaluate(theta, unused) };
}

/** Trouble of the linear algebra at extreme weights, not of the caller. */
const isNumerical = (error: unknown): boolean =>
  error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "input");

/** ℓ(θ) = −|Y − f|²/2T − ½PD log 2πT in all parameters. */
export function fullLogLikelihood(problem: SamplingProblem): LogDensity {
  const { network, targets, temperature } = problem;
  const [points, outputs] = targets.shape;
  const constant = -0.5 * points * outputs * Math.log(2 * Math.PI * temperature);
  const cotangent: Matrix = { data: new Float64Array(points * outputs), shape: targets.shape };
  return {
    dimension: network.parameters,
    evaluate: (theta, gradient) => {
      const state = network.forward(theta);
      let misfit = 0;
      for (let i = 0; i < cotangent.data.length; i++) {
        const residual = targets.data[i]! - state.outputs.data[i]!;
        cotangent.data[i] = residual / temperature;
        misfit += residual * residual;
      }
      network.pullback(theta, state, cotangent, gradient);
      return constant - (0.5 * misfit) / temperature;
    },
  };
}
