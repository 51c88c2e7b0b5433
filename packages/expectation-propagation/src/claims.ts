import type { Claim, FittedScenario, Tensor } from "@finitewidth/core";
import type { ExpectationPropagationOptions } from "./options.js";
import type { ExpectationPropagationState } from "./state.js";

const source = 'docs/theories/expectation-propagation.md, "When to trust it"';

/** Relative errors, as fractions of the largest entry, measured against sampled networks. Nothing is claimed with a warning. */
const stated = { mean: 0.03, variance: 0.06, train: 0.02, kernel: 0.05 } as const;

/** What a fit stands behind. */
export function* claimsOf({
  posterior,
  predictive,
}: FittedScenario<ExpectationPropagationOptions, ExpectationPropagationState>): Iterable<Claim> {
  if (posterior.warnings.length > 0 || posterior.options.branches === "symmetric") return;
  const claim = (id: string, quantity: string, statement: string, value: Tensor, relative: number, layer?: number): Claim => ({
    id,
    statement,
    source,
    estimand: { of: "posterior", quantity, ...(layer === undefined ? {} : { layer }) },
    value,
    error: { relative },
  });
  yield claim(
    "predictive-mean",
    "predictive.mean",
    "The predictive mean averages units that see the labels through a Gaussian field.",
    predictive.mean,
    stated.mean,
  );
  yield claim(
    "predictive-variance",
    "predictive.variance",
    "The predictive variance is that of the bulk, of the aligned unit and between the numbers of aligned units.",
    predictive.variance,
    stated.variance,
  );
  yield claim("train-mean", "train.mean", "⟨f⟩ = y − T r_q at the training inputs.", posterior.train!.mean, stated.train);
  yield claim(
    "hidden-kernel-1",
    "hiddenKernel",
    "The hidden kernel is E φφᵀ over the tilted units.",
    posterior.hiddenKernels![0]!,
    stated.kernel,
    1,
  );
}
