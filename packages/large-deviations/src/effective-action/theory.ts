import {
  refusal,
  validate,
  type Claim,
  type Json,
  type Matrix,
  type Posterior,
  type Prediction,
  type PriorProblem,
  type PriorResult,
  type Problem,
  type Registry,
  type Run,
  type Scenario,
  type Theory,
} from "@finitewidth/core";
import { claimsOf } from "./claims.js";
import { fitBlocks, fitDeepNetwork, fitMatrixChain, fitMean, fitMultiOutput, fitScalar } from "./fit.js";
import { effectiveActionOptions, type EffectiveActionOptions } from "./options.js";
import { predictEffectiveAction } from "./predict.js";
import { priorEffectiveAction, refusesPriorQuestion } from "./prior.js";
import { kindOf, refusalOf, settingOf } from "./setting.js";

const fits = {
  scalar: fitScalar,
  mean: fitMean,
  "multi-output": fitMultiOutput,
  deep: fitDeepNetwork,
  chain: fitMatrixChain,
  blocks: fitBlocks,
} as const;

async function fit(problem: Problem, options: EffectiveActionOptions, run: Run): Promise<Posterior> {
  run.signal?.throwIfAborted();
  const setting = settingOf(problem, run.registry);
  const reason = refusalOf(setting, options);
  if (reason !== undefined) throw refusal("effective-action", reason);
  const result = fits[kindOf(setting, options)](setting, options, run);
  return { theory: "effective-action", problem, ...result, diagnostics: { ...result.diagnostics, options: { ...options } as Json } };
}

async function predict(posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Promise<Prediction> {
  run.signal?.throwIfAborted();
  return predictEffectiveAction(posterior, inputs, want.covariance, run);
}

async function prior(problem: PriorProblem, options: EffectiveActionOptions, run: Run): Promise<PriorResult> {
  run.signal?.throwIfAborted();
  const reason = refusesPriorQuestion(problem);
  if (reason !== undefined) throw refusal("effective-action", reason);
  return priorEffectiveAction(problem, options, run);
}

async function* claims(scenario: Scenario, options: EffectiveActionOptions, run: Run): AsyncIterable<Claim> {
  const setting = settingOf(scenario.problem, run.registry);
  if (refusalOf(setting, options) !== undefined) return;
  const posterior = await fit(scenario.problem, options, run);
  const predictive = await predict(posterior, scenario.testInputs, { covariance: false }, run);
  yield* claimsOf(setting, options, posterior, predictive);
}

/**
 * Proportional limit: order parameters that renormalise the kernel, found as minima of an effective action. One hidden layer with any
 * activation and any number of outputs, deep fully connected networks, one convolutional hidden layer. Exact for the identity with one
 * hidden layer and one output (mode "integral"). Source: docs/theories/effective-action.md; Pacelli et al. (2023), A statistical mechanics
 * framework for Bayesian deep neural networks beyond the infinite-width limit.
 */
export const effectiveAction: Theory<EffectiveActionOptions> = {
  name: "effective-action",
  summary: "Renormalised kernels at finite width (proportional limit): one order parameter per layer, or a matrix over outputs or sites.",
  options: effectiveActionOptions,
  refuses: (problem: Problem, options: EffectiveActionOptions, registry: Registry) => refusalOf(settingOf(problem, registry), options),
  fit,
  predict,
  prior,
  refusesPrior: (problem: PriorProblem) => refusesPriorQuestion(problem),
  claims,
};

/** Options with defaults filled in, for direct calls. @throws FinitewidthError (code "input") naming the option. */
export const resolveEffectiveActionOptions = (options: Readonly<Record<string, unknown>> = {}): EffectiveActionOptions =>
  validate(effectiveActionOptions, options, "options");
