import {
  FinitewidthError,
  inputError,
  requireEveryClass,
  shapeError,
  type Likelihood,
  type LikelihoodChoice,
  type Matrix,
} from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import type { OutputChain } from "../sampling/chain-target.js";

/**
 * Latent outputs whose law is a Gaussian process given a mixing matrix, f | Q ~ N(0, Q ⊗ K), with what was seen of them. Plain data.
 * Infinite width: a chain without layers. Deep linear networks: K of the first layer. Effective actions: K of the readout.
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

/**
 * The kernel fits the labels: P × P, finite, symmetric and positive semi-definite up to 10⁻⁸ of its largest entry and eigenvalue; every
 * class has a label. O(P³). @throws FinitewidthError (codes "shape", "input", "not-positive-definite").
 */
export function checkLatentProblem({ kernel, targets }: Pick<LatentProblem, "kernel" | "targets">, likelihood: Likelihood): void {
  const [rows, columns] = kernel.shape;
  const points = targets.shape[0];
  if (rows !== columns || rows !== points)
    throw shapeError("kernel", `${points} × ${points}, a row for each label`, `${rows} × ${columns}`);
  const largest = kernel.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!Number.isFinite(largest) || kernel.data.some(Number.isNaN)) throw inputError("kernel", "finite numbers", "others");
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < i; j++)
      if (Math.abs(kernel.data[i * rows + j]! - kernel.data[j * rows + i]!) > 1e-8 * largest)
        throw inputError(`kernel[${i}][${j}]`, "the same number as its mirror image: a kernel is symmetric", kernel.data[i * rows + j]);
  const values = symmetricEigenvalues(kernel);
  if (rows > 0 && values[0]! < -1e-8 * Math.max(values.at(-1)!, 0))
    throw new FinitewidthError(`kernel: expected a positive semi-definite matrix, got one with eigenvalue ${values[0]}`, {
      code: "not-positive-definite",
      path: "kernel",
    });
  requireEveryClass(likelihood, targets, "targets");
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
