import { FinitewidthError, type FiniteNetwork, type Matrix } from "@finitewidth/core";
import type { LogDensity, LogLikelihood } from "@finitewidth/numerics";
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
export function readoutAt(problem: SamplingProblem, theta: Float64Array, scratch: Float64Array): { readonly readout: ReadoutPosterior; readonly state: ReturnType<FiniteNetwork["forward"]> } {
  const { network, targets, temperature, readoutBias } = problem;
  scratch.set(theta);
  const state = network.forward(scratch);
  return { readout: conditionReadout(state.features, readoutBias, targets, temperature), state };
}

const halfSquare = (x: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return 0.5 * sum;
};

/** −½|θ|² + log N(Y | 0, T + σ_b² + ΦΦᵀ) in the hidden parameters θ: the posterior with the readout integrated out. NaN where A is not positive definite. */
export function collapsedDensity(problem: SamplingProblem): LogDensity {
  const { network } = problem;
  const dimension = network.parameters - network.readoutParameters;
  const full = new Float64Array(network.parameters);
  return {
    dimension,
    evaluate: (theta, gradient) => {
      try {
        const { readout, state } = readoutAt(problem, theta, full);
        network.pullbackFeatures(full, state, readout.cotangent(), gradient);
        for (let i = 0; i < dimension; i++) gradient[i]! -= theta[i]!;
        return readout.logLikelihood - halfSquare(theta);
      } catch (error) {
        // an overflow far from the mass: the sampler counts it as a divergence and turns back
        if (isNumerical(error)) return Number.NaN;
        throw error;
      }
    },
  };
}

/** log N(Y | 0, T + σ_b² + ΦΦᵀ) in the hidden parameters alone, without gradient; NaN where A is not positive definite. */
export function collapsedLikelihood(problem: SamplingProblem): LogLikelihood {
  const { network } = problem;
  const full = new Float64Array(network.parameters);
  return {
    dimension: network.parameters - network.readoutParameters,
    evaluate: (theta) => {
      try {
        return readoutAt(problem, theta, full).readout.logLikelihood;
      } catch (error) {
        if (isNumerical(error)) return Number.NaN;
        throw error;
      }
    },
  };
}

/** Trouble of the linear algebra at extreme weights, not of the caller. */
const isNumerical = (error: unknown): boolean => error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "input");

/** −½|θ|² − |Y − f|²/2T − ½PD log 2πT in all parameters. */
export function fullDensity(problem: SamplingProblem): LogDensity {
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
      for (let i = 0; i < theta.length; i++) gradient[i]! -= theta[i]!;
      return constant - (0.5 * misfit) / temperature - halfSquare(theta);
    },
  };
}
