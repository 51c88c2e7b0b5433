import { scalarTensor, type Claim, type FittedScenario, type Tensor } from "@finitewidth/core";
import type { NetworkDrawsState } from "./likelihood/fit.js";
import type { MonteCarloOptions } from "./options.js";
import type { MonteCarloState } from "./posterior/fit.js";

/**
 * What chains that mixed stand behind: their averages within their standard errors. Nothing under likelihoods other than Gaussian noise,
 * nor of the unadjusted dynamics, whose bias the errors do not show.
 */
export function* claimsOf({
  posterior,
  predictive,
}: FittedScenario<MonteCarloOptions, MonteCarloState | NetworkDrawsState>): Iterable<Claim> {
  const { solver, options, problem, train, standardError: errors, orderParameter } = posterior;
  if (!solver.converged || options.sampler === "langevin" || problem.likelihood !== undefined) return;
  const claim = (id: string, quantity: string, value: Tensor | undefined, standardError: Tensor | undefined, layer?: number): Claim[] =>
    value === undefined || standardError === undefined
      ? []
      : [
          {
            id,
            statement: "The average over the chains is that of the posterior of the weights, within its standard error.",
            source: "docs/theories/monte-carlo.md",
            estimand: { of: "posterior", quantity, ...(layer === undefined ? {} : { layer }) },
            value,
            standardError,
            error: "exact",
          },
        ];
  const number = (value: number | Tensor | undefined): Tensor | undefined => (typeof value === "number" ? scalarTensor(value) : value);
  yield* claim("log-evidence", "logEvidence", number(posterior.logEvidence), number(errors?.logEvidence));
  yield* claim("predictive-mean", "predictive.mean", predictive.mean, predictive.standardError?.mean);
  yield* claim("predictive-variance", "predictive.variance", predictive.variance, predictive.standardError?.variance);
  yield* claim("train-mean", "train.mean", train?.mean, train?.standardError?.mean);
  yield* claim("train-variance", "train.variance", train?.variance, train?.standardError?.variance);
  yield* claim("order-parameter", "readoutNorm", number(orderParameter), number(errors?.orderParameter));
  for (const [l, kernel] of (posterior.hiddenKernels ?? []).entries())
    yield* claim(`hidden-kernel-${l + 1}`, "hiddenKernel", kernel, errors?.hiddenKernels?.[l], l + 1);
}
