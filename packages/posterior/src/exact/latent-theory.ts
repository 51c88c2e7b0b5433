import type { Matrix, MixingLaw, Posterior, Prediction, Problem, Run } from "@finitewidth/core";
import { fitLatentPosterior, predictLatentPosterior, type LatentPosteriorState, type OutputChain } from "@finitewidth/likelihoods";
import { siteKernelDiagonal } from "@finitewidth/numerics";
import { plainChain } from "./chain.js";
import type { ExactOptions } from "./options.js";

/** The chain over outputs that likelihoods other than Gaussian noise work with; undefined for several sites and for skip connections. */
function outputChain(law: MixingLaw): OutputChain | undefined {
  const chain = plainChain(law.chain);
  return chain?.skips === undefined ? chain : undefined;
}

/** Why a likelihood other than Gaussian noise cannot be taken, or undefined. */
export const refusesLikelihood = (law: MixingLaw): string | undefined =>
  outputChain(law) === undefined
    ? "takes likelihoods other than Gaussian noise for fully connected networks without skip connections only; use nngp or monte-carlo."
    : undefined;

/**
 * Fits a likelihood other than Gaussian noise: quadrature over log q with expectation propagation inside, or Hamiltonian Monte Carlo over
 * the chain and the outputs. `learnedKernels` asks for the hidden kernels.
 */
export async function fitLikelihood(
  problem: Problem,
  law: MixingLaw,
  learnedKernels: boolean,
  options: ExactOptions,
  run: Run,
): Promise<Posterior<ExactOptions, LatentPosteriorState>> {
  const kernel = law.siteKernels(problem.inputs)[0]!;
  const fitted = await fitLatentPosterior(problem, { kernel, chain: outputChain(law)!, linear: learnedKernels }, options, run);
  return { theory: "exact", problem, options, ...fitted };
}

/** Predicts from what `fitLikelihood` left in `state`. */
export function predictLikelihood(state: LatentPosteriorState, problem: Problem, law: MixingLaw, inputs: Matrix, run: Run): Prediction {
  const kernels = {
    train: () => law.siteKernels(problem.inputs)[0]!,
    cross: law.siteKernels(problem.inputs, inputs)[0]!,
    prior: siteKernelDiagonal(law, inputs),
  };
  return predictLatentPosterior(problem, state, outputChain(law)!, kernels, run);
}
