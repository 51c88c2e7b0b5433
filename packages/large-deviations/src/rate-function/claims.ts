import type { Claim, FittedScenario } from "@finitewidth/core";
import type { LargeDeviationOptions } from "./options.js";
import type { LargeDeviationState } from "./state.js";

/**
 * What the minimiser stands behind. Mean-field scaling: errors O(1/N), O(1/N²) for variances, which are O(1/N). Standard scaling: the mean
 * and evidence of targets up to order √N, with errors of 1/N of themselves; nothing for the variance, which leaves out the spread of the
 * mean with the mixing matrix there, and for targets of order one is no better than that of infinite width.
 */
export function* claimsOf({ posterior, predictive }: FittedScenario<LargeDeviationOptions, LargeDeviationState>): Iterable<Claim> {
  const source = "docs/theories/large-deviation.md";
  const meanField = posterior.problem.scaling === "mean-field";
  yield {
    id: "predictive-mean",
    statement: "The posterior mean at test inputs is that of the kernel renormalised at the minimiser of the rate function.",
    source: `${source} §2`,
    estimand: { of: "posterior", quantity: "predictive.mean" },
    value: predictive.mean,
    error: { order: meanField ? 1 : 0.5 },
  };
  if (meanField)
    yield {
      id: "predictive-variance",
      statement: "Posterior variance at test inputs, of order 1/N: renormalised kernel plus fluctuations of the mixing matrix.",
      source: `${source} §5`,
      estimand: { of: "posterior", quantity: "predictive.variance" },
      value: predictive.variance,
      error: { order: 2 },
    };
  if (!meanField && posterior.logEvidence !== undefined) {
    yield {
      id: "log-evidence",
      statement: "Laplace approximation of the log evidence around the minimiser.",
      source: `${source} §3`,
      estimand: { of: "posterior", quantity: "logEvidence" },
      value: { data: Float64Array.of(posterior.logEvidence), shape: [1] },
      error: { order: 1 },
    };
  }
  if (meanField) {
    for (const [l, kernel] of (posterior.hiddenKernels ?? []).entries()) {
      yield {
        id: `hidden-kernel-${l + 1}`,
        statement: `Hidden kernel of layer ${l + 1}: a spike of rank D on the infinite-width kernel, of order 1.`,
        source: `${source} §5`,
        estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 },
        value: kernel,
        error: { order: 1 },
      };
    }
  }
}
