import {
  hiddenWidths,
  isLinear,
  randomLayers,
  resolveArchitecture,
  type Architecture,
  type PriorProblem,
  type Problem,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { claimsOf } from "./claims.js";
import { fitNetworkDraws, predictNetworkDraws, type NetworkDrawsState } from "./likelihood/fit.js";
import { monteCarloOptions, type MonteCarloOptions } from "./options.js";
import { isStepwise } from "./posterior/chain.js";
import { fitByChains, type MonteCarloState } from "./posterior/fit.js";
import { predictFromDraws } from "./posterior/predict.js";
import { samplePrior } from "./prior/sample.js";

function refuses(problem: Problem, options: MonteCarloOptions, registry: Registry): string | undefined {
  const architecture = resolveArchitecture(registry, problem.network);
  if (options.integrator === "rotation" && (options.sampler !== "hmc" || options.metric !== "unit" || problem.likelihood !== undefined))
    return '"integrator": "rotation" is for "sampler": "hmc" with "metric": "unit" and Gaussian noise; leave one of them out.';
  if (problem.likelihood !== undefined) return refusesLikelihood(architecture, options);
  if (!(problem.temperature > 0)) {
    return "needs a temperature T > 0: at T = 0 the posterior of the weights lives on the surface of exact fits; use exact or effective-action, or a small T.";
  }
  const linear = isLinear(architecture.layers) && randomLayers(architecture.layers).every(({ weights }) => weights === undefined);
  if (options.sampler === "gibbs" && !linear) {
    return 'the Gibbs sampler needs conditionals in closed form, which only linear networks (activation "identity") of Gaussian weights have; use "sampler": "hmc".';
  }
  if (options.shifts && isStepwise(architecture))
    return "shifts of kernels follow gradients, and those of a piecewise constant activation vanish; compare with nngp instead.";
  if ((options.sampler === "langevin" || options.sampler === "mala") && isStepwise(architecture)) {
    return 'Langevin dynamics follows gradients, and those of a piecewise constant activation vanish; use "sampler": "hmc".';
  }
  return undefined;
}

function refusesLikelihood(architecture: Architecture, { sampler, gradients, shifts }: MonteCarloOptions): string | undefined {
  if (sampler !== "hmc") return 'likelihoods other than Gaussian noise are sampled by "sampler": "hmc".';
  if (gradients) return "gradients of the evidence are for Gaussian noise.";
  if (shifts) return "shifts of kernels are for Gaussian noise.";
  if (isStepwise(architecture))
    return "under likelihoods other than Gaussian noise all weights are sampled along gradients, and those of a piecewise constant activation vanish; use nngp or effective-action.";
  return undefined;
}

/**
 * Posterior and prior of the real network of finite width by sampling its weights: any prior model, any activation, T > 0. The readout is
 * integrated out (its conditional given the hidden layers is Gaussian), in the sampler by default and in every average. All answers carry
 * Monte Carlo standard errors; a run that did not mix says so. Source: docs/theories/monte-carlo.md.
 */
export const monteCarlo: Theory<MonteCarloOptions, MonteCarloState | NetworkDrawsState> = {
  name: "monte-carlo",
  summary: "Sampling of the real network's weights (Hamiltonian Monte Carlo, Langevin, Gibbs), with standard errors and diagnostics.",
  options: monteCarloOptions,
  refuses,
  anyLikelihood: true,
  fit: async (problem, options, run) => (problem.likelihood === undefined ? fitByChains : fitNetworkDraws)(problem, options, run),
  predict: async (posterior, inputs, want, run) => {
    const { state } = posterior;
    return "kind" in state
      ? predictNetworkDraws({ ...posterior, state }, inputs, run)
      : predictFromDraws({ ...posterior, state }, inputs, want, run);
  },
  prior: (problem, _options, run) => samplePrior(problem, run),
  refusesPrior: (problem: PriorProblem, _options, registry) =>
    hiddenWidths(resolveArchitecture(registry, problem.network)).length < 1 ? "needs at least one hidden layer." : undefined,
  claims: claimsOf,
};
