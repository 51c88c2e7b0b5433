import { hiddenLayers, type Claim, type Posterior, type Prediction, type Tensor } from "@finitewidth/core";
import { kindOf, type Setting } from "./setting.js";
import type { EffectiveActionOptions } from "./options.js";

const source = "docs/theories/effective-action.md, \"When to trust it\"";

/** Stated error of each claimed quantity; a quantity without one is not claimed. */
type StatedErrors = { readonly [Quantity in "mean" | "variance" | "train" | "kernel"]?: Claim["error"] };

/**
 * None for φ = identity with one hidden layer and one output averaged over Q; O(1/N) for its saddle; otherwise relative errors, as fractions of the
 * largest entry, measured against sampled networks with P ≈ N ≈ 16 (docs/theories/effective-action.md, "When to trust it"). The predictive mean is
 * claimed for odd activations with one hidden layer: for others its error is as large as what a wrong width or variance changes in it, so that a
 * comparison could not fail.
 */
function errorsOf(setting: Setting, options: EffectiveActionOptions): StatedErrors {
  const all = (error: Claim["error"]): StatedErrors => ({ mean: error, variance: error, train: error, kernel: error });
  const linear = setting.activation.name === "identity";
  const kind = kindOf(setting, options);
  if (linear && kind === "scalar" && options.mode === "integral") return all("exact");
  if (linear && kind !== "blocks") return all({ order: 1 });
  if (kind === "chain") return { variance: { relative: 0.3 }, train: { relative: 0.05 } };
  if (hiddenLayers(setting.problem.network) > 1) return { variance: { relative: 0.27 }, train: { relative: 0.05 } };
  if (!setting.activation.odd) return { variance: { relative: 0.15 }, train: { relative: 0.05 }, kernel: { relative: 0.2 } };
  return { mean: { relative: 0.15 }, variance: { relative: 0.15 }, train: { relative: 0.05 }, kernel: { relative: 0.12 } };
}

/** What a fit stands behind. */
export function* claimsOf(setting: Setting, options: EffectiveActionOptions, posterior: Posterior, predictive: Prediction): Iterable<Claim> {
  const errors = errorsOf(setting, options);
  const claim = (id: string, quantity: Claim["estimand"]["quantity"], statement: string, value: Tensor, error: Claim["error"] | undefined): Claim[] => (error === undefined ? [] : [{ id, statement, source, estimand: { of: "posterior", quantity }, value, error }]);
  yield* claim("predictive-mean", "predictive.mean", "The predictive mean is that of a Gaussian process with the renormalised kernel.", predictive.mean, errors.mean);
  yield* claim("predictive-variance", "predictive.variance", "The predictive variance is that of a Gaussian process with the renormalised kernel, plus the spread of its means.", predictive.variance, errors.variance);
  if (posterior.train) yield* claim("train-mean", "train.mean", "The same at the training inputs.", posterior.train.mean, errors.train);
  if (posterior.logEvidence !== undefined && errors.mean === "exact") {
    yield* claim("log-evidence", "logEvidence", "The evidence is a one-dimensional integral over the order parameter.", { data: Float64Array.of(posterior.logEvidence), shape: [1] }, "exact");
  }
  for (const [l, value] of (posterior.hiddenKernels ?? []).entries()) {
    const [entry] = claim(`hidden-kernel-${l + 1}`, "hiddenKernel", "The hidden kernel learns K + (Q/N) K(r rᵀ − A⁻¹)K.", value, errors.kernel);
    if (entry) yield { ...entry, estimand: { ...entry.estimand, layer: l + 1 } };
  }
}
