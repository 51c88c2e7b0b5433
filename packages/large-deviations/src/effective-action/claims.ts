import { hiddenLayers, type Claim, type Posterior, type Prediction, type Tensor } from "@finitewidth/core";
import { kindOf, type Setting } from "./setting.js";
import type { EffectiveActionOptions } from "./options.js";

const source = 'docs/theories/effective-action.md, "When to trust it"';

/** Stated error of each claimed quantity; a quantity without one is not claimed. */
type StatedErrors = { readonly [Quantity in "mean" | "variance" | "train" | "kernel"]?: Claim["error"] };

/**
 * None for φ = identity with one hidden layer and one output averaged over Q; O(1/N) for its saddle; otherwise relative errors, as
 * fractions of the largest entry, measured against sampled networks at α = P/N between 0.5 and 4 (docs/theories/effective-action.md, "When
 * to trust it"); they grow with α above 1. The predictive mean is claimed for one output, odd activations and one hidden layer at α ≤ 1,
 * their hidden kernel at α ≤ 2: elsewhere the error is as large as what a wrong width or variance changes, so that a comparison could not
 * fail. The cumulant correction divides the error of the mean by three or more.
 */
function errorsOf(setting: Setting, options: EffectiveActionOptions): StatedErrors {
  const all = (error: Claim["error"]): StatedErrors => ({ mean: error, variance: error, train: error, kernel: error });
  const linear = setting.activation.name === "identity";
  const kind = kindOf(setting, options);
  if (linear && kind === "scalar" && options.mode === "integral") return all("exact");
  if (linear && kind !== "blocks") return all({ order: 1 });
  const load = setting.problem.inputs.shape[0] / Math.min(...setting.widths);
  /** `relative` at α ≤ 1, growing as α^power above. */
  const growing = (relative: number, power: number): Claim["error"] => ({ relative: relative * Math.max(1, load) ** power });
  if (hiddenLayers(setting.problem.network) > 1) return { variance: { relative: 0.27 }, train: growing(0.06, 0.6) };
  if (!setting.activation.odd) return { variance: growing(0.15, 0.6), train: growing(0.05, 0.4), kernel: growing(0.2, 0.25) };
  const corrected = kind === "scalar" && options.correction === "cumulant";
  const variance = growing(0.15, 0.3);
  const train = growing(0.05, 0.5);
  if (load > 2) return { variance, train };
  const kernel = growing(0.12, 1);
  return load > 1 || setting.problem.targets.shape[1] > 1
    ? { variance, train, kernel }
    : { mean: { relative: (corrected ? 0.05 : 0.15) * Math.max(load, 0.3) }, variance, train, kernel };
}

/** A stated error beyond this fraction of the value is no claim: not even a wrong variance of the weights would contradict it. */
const largestStatedError = 0.3;
const isEmpty = (error: Claim["error"]): boolean => typeof error === "object" && "relative" in error && error.relative > largestStatedError;

/** What a fit stands behind. */
export function* claimsOf(
  setting: Setting,
  options: EffectiveActionOptions,
  posterior: Posterior,
  predictive: Prediction,
): Iterable<Claim> {
  const errors = errorsOf(setting, options);
  const claim = (
    id: string,
    quantity: Claim["estimand"]["quantity"],
    statement: string,
    value: Tensor,
    error: Claim["error"] | undefined,
  ): Claim[] =>
    error === undefined || isEmpty(error) ? [] : [{ id, statement, source, estimand: { of: "posterior", quantity }, value, error }];
  yield* claim(
    "predictive-mean",
    "predictive.mean",
    "The predictive mean is that of a Gaussian process with the renormalised kernel.",
    predictive.mean,
    errors.mean,
  );
  yield* claim(
    "predictive-variance",
    "predictive.variance",
    "The predictive variance is that of a Gaussian process with the renormalised kernel, plus the spread of its means.",
    predictive.variance,
    errors.variance,
  );
  if (posterior.train) yield* claim("train-mean", "train.mean", "The same at the training inputs.", posterior.train.mean, errors.train);
  if (posterior.logEvidence !== undefined && errors.mean === "exact") {
    yield* claim(
      "log-evidence",
      "logEvidence",
      "The evidence is a one-dimensional integral over the order parameter.",
      { data: Float64Array.of(posterior.logEvidence), shape: [1] },
      "exact",
    );
  }
  for (const [l, value] of (posterior.hiddenKernels ?? []).entries()) {
    const [entry] = claim(
      `hidden-kernel-${l + 1}`,
      "hiddenKernel",
      "The hidden kernel learns K + (Q/N) K(r rᵀ − A⁻¹)K.",
      value,
      errors.kernel,
    );
    if (entry) yield { ...entry, estimand: { ...entry.estimand, layer: l + 1 } };
  }
}
