import type { Claim, FittedScenario } from "@finitewidth/core";
import type { LargeDeviationOptions } from "./options.js";
import type { LargeDeviationState } from "./state.js";

/** What the minimiser stands behind: errors O(1/N) in standard scaling; O(1/N²) for variances in mean-field scaling, which are O(1/N). */
export function* claimsOf({ posterior, predictive }: FittedScenario<LargeDeviationOptions, LargeDeviationState>): Iterable<Claim> {
  const source = "docs/theories/large-deviation.md";
  const meanField = posterior.problem.scaling === "mean-field";
  yield {
    id: "predictive-mean",
    statement: "The posterior mean at test inputs is that of the kernel renormalised at the minimiser of the rate function.",
    source: `${source} §2`,
    estimand: { of: "posterior", quantity: "predictive.mean" },
    value: predictive.mean,
    error: { order: 1 },
  };
  yield {
    id: "predictive-variance",
    statement: meanField
      ? "Posterior variance at test inputs, of order 1/N: renormalised kernel plus fluctuations of the mixing matrix."
      : "The posterior variance at test inputs is that of the renormalised kernel.",
    source: `${source} §5`,
    estimand: { of: "posterior", quantity: "predictive.variance" },
    value: predictive.variance,
    error: { order: meanField ? 2 : 1 },
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
