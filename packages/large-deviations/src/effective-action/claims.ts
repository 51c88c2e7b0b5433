import { hiddenLayers, type Claim, type Posterior, type Prediction } from "@finitewidth/core";
import { kindOf, type Setting } from "./setting.js";
import type { EffectiveActionOptions } from "./options.js";

const source = "docs/theories/effective-action.md, \"When to trust it\"";

/**
 * Stated errors: none for φ = identity with one hidden layer and one output averaged over Q; O(1/N) for its saddle; otherwise the relative errors measured
 * against sampled networks (docs/theories/effective-action.md, "When to trust it"), as fractions of the largest entry.
 */
function errorsOf(setting: Setting, options: EffectiveActionOptions): Record<"mean" | "variance" | "kernel", Claim["error"]> {
  const linear = setting.activation.name === "identity";
  const kind = kindOf(setting, options);
  if (linear && kind === "scalar" && options.mode === "integral") return { mean: "exact", variance: "exact", kernel: "exact" };
  if (linear && kind !== "blocks") return { mean: { order: 1 }, variance: { order: 1 }, kernel: { order: 1 } };
  if (kind === "blocks") return { mean: { relative: 0.25 }, variance: { relative: 0.25 }, kernel: { relative: 0.3 } };
  const deep = hiddenLayers(setting.problem.network) > 1;
  return { mean: { relative: deep ? 0.25 : 0.2 }, variance: { relative: deep ? 0.25 : 0.2 }, kernel: { relative: 0.3 } };
}

/** What a fit stands behind. */
export function* claimsOf(setting: Setting, options: EffectiveActionOptions, posterior: Posterior, predictive: Prediction): Iterable<Claim> {
  const errors = errorsOf(setting, options);
  const posteriorOf = (quantity: Claim["estimand"]["quantity"]): Claim["estimand"] => ({ of: "posterior", quantity });
  yield { id: "predictive-mean", statement: "The predictive mean is that of a Gaussian process with the renormalised kernel.", source, estimand: posteriorOf("predictive.mean"), value: predictive.mean, error: errors.mean };
  yield { id: "predictive-variance", statement: "The predictive variance is that of a Gaussian process with the renormalised kernel, plus the spread of its means.", source, estimand: posteriorOf("predictive.variance"), value: predictive.variance, error: errors.variance };
  if (posterior.train) yield { id: "train-mean", statement: "The same at the training inputs.", source, estimand: posteriorOf("train.mean"), value: posterior.train.mean, error: errors.mean };
  if (posterior.logEvidence !== undefined && errors.mean === "exact") {
    yield { id: "log-evidence", statement: "The evidence is a one-dimensional integral over the order parameter.", source, estimand: posteriorOf("logEvidence"), value: { data: Float64Array.of(posterior.logEvidence), shape: [1] }, error: "exact" };
  }
  for (const [l, value] of (posterior.hiddenKernels ?? []).entries()) {
    yield { id: `hidden-kernel-${l + 1}`, statement: "The hidden kernel learns K + (Q/N) K(r rᵀ − A⁻¹)K.", source, estimand: { of: "posterior", quantity: "hiddenKernel", layer: l + 1 }, value, error: errors.kernel };
  }
}
