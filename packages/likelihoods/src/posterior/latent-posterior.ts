import { likelihoodOf, type Matrix, type Posterior, type Prediction, type Problem, type Run } from "@finitewidth/core";
import { diagonalOf } from "@finitewidth/linalg";
import type { OutputChain } from "../sampling/chain-target.js";
import { fitLatents } from "./fit.js";
import { latentOptions, type InferenceOptions } from "./options.js";
import { predictLatents, type LatentKernels } from "./predict.js";
import type { LatentState } from "./state.js";

/** The law of the latent outputs that a theory works with. */
export interface LatentLaw {
  /** K, P × P; see `LatentProblem`. */
  readonly kernel: Matrix;
  readonly chain: OutputChain;
  /** K is that of the first layer of a linear network. */
  readonly linear?: boolean;
}

/** State of a theory that was fitted to a likelihood other than Gaussian noise. */
export interface LatentPosteriorState {
  readonly kind: "latent";
  readonly latent: LatentState;
}

export type LatentPosterior = Omit<Posterior<unknown, LatentPosteriorState>, "theory" | "problem" | "options">;

/**
 * Fits a problem with a likelihood of its own, in standard scaling, and predicts at its training points. Costs of `fitLatents` and
 * `predictLatents` at P points. @throws like `fitLatents`.
 */
export async function fitLatentPosterior(problem: Problem, law: LatentLaw, options: InferenceOptions, run: Run): Promise<LatentPosterior> {
  const fit = await fitLatents({ ...law, likelihood: problem.likelihood!, targets: problem.targets }, latentOptions(options), run);
  const kernels = {
    train: () => law.kernel,
    cross: law.kernel,
    prior: diagonalOf(law.kernel),
    ...(fit.factor ? { factor: fit.factor } : {}),
  };
  const train = predictLatentPosterior(problem, { kind: "latent", latent: fit.state }, law.chain, kernels, run);
  const standardError = {
    ...(fit.logEvidenceError === undefined ? {} : { logEvidence: fit.logEvidenceError }),
    ...(fit.mixingError === undefined
      ? {}
      : { orderParameter: typeof fit.mixing === "number" ? fit.mixingError.data[0]! : fit.mixingError }),
    ...(fit.hiddenKernelErrors ? { hiddenKernels: fit.hiddenKernelErrors } : {}),
  };
  return {
    state: { kind: "latent", latent: fit.state },
    solver: fit.solver,
    ...(fit.logEvidence === undefined ? {} : { logEvidence: fit.logEvidence }),
    train,
    ...(fit.mixing === undefined ? {} : { orderParameter: fit.mixing }),
    ...(fit.hiddenKernels ? { hiddenKernels: fit.hiddenKernels } : {}),
    ...(Object.keys(standardError).length > 0 ? { standardError } : {}),
    diagnostics: fit.diagnostics,
    warnings: fit.warnings,
  };
}

/**
 * Predictions of what `fitLatentPosterior` left, at points whose kernels are given (the chain's readout bias left out). Costs of
 * `predictLatents`.
 */
export function predictLatentPosterior(
  problem: Problem,
  { latent }: LatentPosteriorState,
  { readoutBias = 0 }: OutputChain,
  kernels: LatentKernels,
  run: Run,
): Prediction {
  const likelihood = likelihoodOf(problem, run.registry)!;
  return predictLatents(latent, likelihood, problem.targets.shape[1], { ...kernels, readoutBias }, run.seed);
}
