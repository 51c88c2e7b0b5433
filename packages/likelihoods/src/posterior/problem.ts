import { inputError, type Likelihood, type LikelihoodChoice, type Matrix } from "@finitewidth/core";
import type { OutputChain } from "../sampling/chain-target.js";

/**
 * Latent outputs whose law is a Gaussian process given a mixing matrix, f | Q ~ N(0, Q ⊗ K), with what was seen of them. Plain data. Infinite
 * width: a chain without layers. Deep linear networks: K of the first layer. Effective actions: K of the readout.
 */
export interface LatentProblem {
  /** K, P × P. */
  readonly kernel: Matrix;
  readonly chain: OutputChain;
  readonly likelihood: LikelihoodChoice;
  readonly targets: Matrix;
  /** K is that of the first layer of a linear network: hidden kernels can be learned. @defaultValue false */
  readonly linear?: boolean;
}

/** How the posterior of latent outputs is found. */
export interface LatentOptions {
  /**
   * "expectation-propagation": one latent output. "sampling": Hamiltonian Monte Carlo, exact up to its standard errors. "laplace", and with
   * the skewness correction "laplace-shifted": a quick look, under-confident and over-confident. "auto": expectation propagation for one
   * latent output and a chain without hidden biases, sampling otherwise.
   */
  readonly inference: "auto" | "expectation-propagation" | "laplace" | "laplace-shifted" | "sampling";
  /** Posterior draws, all chains together. */
  readonly draws: number;
  /** log Z by sampling, where it is expensive: several latent outputs of many points. Undefined: where points × outputs ≤ 400. */
  readonly evidence?: boolean | undefined;
}

/** What `inference` "auto" stands for, and whether the choice is possible. @throws FinitewidthError (code "input"). */
export function resolveInference(
  likelihood: Likelihood,
  { chain, targets }: Pick<LatentProblem, "chain" | "targets">,
  wanted: LatentOptions["inference"],
): Exclude<LatentOptions["inference"], "auto"> {
  const one = likelihood.latents(targets.shape[1]) === 1;
  const plain = one && (chain.hiddenBias ?? []).every((b) => b === 0);
  if (wanted === "auto") return plain ? "expectation-propagation" : "sampling";
  if (wanted === "sampling") return wanted;
  const softmax = chain.widths.length === 0 && likelihood.contrasts(targets.shape[1]) !== undefined && wanted !== "expectation-propagation";
  if ((!plain && !softmax) || (wanted === "laplace-shifted" && chain.widths.length > 0))
    throw inputError("inference", '"auto" or "sampling" for this likelihood and network', wanted);
  return wanted;
}
