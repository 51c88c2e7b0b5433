import type { Claim, FittedScenario, Registry, Tensor } from "@finitewidth/core";
import type { EffectiveActionOptions } from "./options.js";
import { regimeOfState, type EffectiveActionState } from "./regimes/index.js";
import { settingOf } from "./setting.js";

const source = 'docs/theories/effective-action.md, "When to trust it"';

/** A stated error beyond this fraction of the value is no claim: not even a wrong variance of the weights would contradict it. */
const largestStatedError = 0.3;
const isEmpty = (error: Claim["error"]): boolean => typeof error === "object" && "relative" in error && error.relative > largestStatedError;

/** What a fit stands behind, with the errors that its kind of action states. */
export function* claimsOf(
  { posterior, predictive }: FittedScenario<EffectiveActionOptions, EffectiveActionState>,
  registry: Registry,
): Iterable<Claim> {
  const errors = regimeOfState(posterior.state).claims(settingOf(posterior.problem, registry), posterior.options);
  const claim = (
    id: string,
    quantity: Claim["estimand"]["quantity"],
    statement: string,
    value: Tensor,
    error: Claim["error"] | undefined,
    standardError?: Tensor,
  ): Claim[] =>
    error === undefined || isEmpty(error)
      ? []
      : [{ id, statement, source, estimand: { of: "posterior", quantity }, value, error, ...(standardError ? { standardError } : {}) }];
  yield* claim(
    "predictive-mean",
    "predictive.mean",
    "The predictive mean is that of a Gaussian process with the renormalised kernel.",
    predictive.mean,
    errors.mean,
    predictive.standardError?.mean,
  );
  yield* claim(
    "predictive-variance",
    "predictive.variance",
    "The predictive variance is that of a Gaussian process with the renormalised kernel, plus the spread of its means.",
    predictive.variance,
    errors.variance,
  );
  if (posterior.train) {
    const { mean, standardError } = posterior.train;
    yield* claim("train-mean", "train.mean", "The same at the training inputs.", mean, errors.train, standardError?.mean);
  }
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
