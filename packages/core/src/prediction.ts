import type { Json } from "./json.js";
import type { Matrix } from "./tensor.js";

/** Mean and variance of the latent outputs f at some inputs; the noise is not included. */
export interface Prediction {
  /** P* × D; one column for likelihoods of one latent output, logits that sum to 0 for softmax. */
  readonly mean: Matrix;
  /** P* × D. */
  readonly variance: Matrix;
  /** (P*·D) × (P*·D), index point·D + output; on request. */
  readonly covariance?: Matrix;
  /** P* × classes, for likelihoods of classes: the average of p(class | f) over the posterior. */
  readonly probabilities?: Matrix;
  /** Monte Carlo standard errors, for sampled answers. */
  readonly standardError?: { readonly mean: Matrix; readonly variance: Matrix; readonly probabilities?: Matrix };
  /**
   * Of sampled answers: independent estimates whose average the prediction is (to first order in its noise), from which the error of any
   * average over points follows.
   */
  readonly replicates?: readonly { readonly mean: Matrix; readonly variance: Matrix }[];
  /** Means at the same inputs as parts of the network are removed after training, in this order: one more than parts, all kept first. */
  readonly pruned?: { readonly removed: readonly string[]; readonly means: readonly Matrix[] };
  /** Anything else worth reporting about these predictions; written to the result file under `diagnostics.predictive`. */
  readonly diagnostics?: { readonly [key: string]: Json };
  readonly warnings?: readonly string[];
}
