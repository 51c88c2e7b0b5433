import {
  amended,
  differenceEvidenceGradient,
  refusal,
  validate,
  widthRatios,
  type EvidenceGradient,
  type Matrix,
  type Posterior,
  type Prediction,
  type PriorProblem,
  type PriorResult,
  type Problem,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { conditionOnIndependentPoints } from "@finitewidth/kernels";
import { claimsOf } from "./claims.js";
import { effectiveActionOptions, type EffectiveActionOptions } from "./options.js";
import { priorEffectiveAction, refusesPriorQuestion } from "./prior.js";
import { refusalOf, regimeOf, regimeOfState, type EffectiveActionState } from "./regimes/index.js";
import type { RegimeFit } from "./regimes/regime.js";
import { settingOf } from "./setting.js";

const name = "effective-action";

type EffectiveActionPosterior = Posterior<EffectiveActionOptions, EffectiveActionState>;

async function fit(problem: Problem, options: EffectiveActionOptions, run: Run): Promise<EffectiveActionPosterior> {
  run.signal?.throwIfAborted();
  const setting = settingOf(problem, run.registry);
  const reason = refusalOf(setting, options);
  if (reason !== undefined) throw refusal(name, reason);
  const fitted: RegimeFit<EffectiveActionState> = await regimeOf(setting, options)!.fit(setting, options, run);
  return withPossibleKernels(withLazyParts({ theory: name, problem, options }, fitted));
}

/** What was asked and what came out, without reading what waits to be computed. */
const withLazyParts = (asked: Pick<EffectiveActionPosterior, "theory" | "problem" | "options">, fitted: RegimeFit<EffectiveActionState>) =>
  amended(fitted as EffectiveActionPosterior, asked);

/** Leaves out learned kernels with a negative variance: the action's saddle is no posterior mean where a layer is hardly wider than D. */
function withPossibleKernels(posterior: EffectiveActionPosterior): EffectiveActionPosterior {
  // those that wait are of one output, K − QKA⁻¹K/N and more: nothing there is negative
  if (Object.getOwnPropertyDescriptor(posterior, "hiddenKernels")?.get !== undefined) return posterior;
  const { hiddenKernels, ...rest } = posterior;
  const impossible = (hiddenKernels ?? []).findIndex(({ data, shape: [n] }) => {
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return Array.from({ length: n }, (_, i) => data[i * n + i]!).some((value) => value < -1e-9 * largest);
  });
  if (impossible < 0) return posterior;
  return {
    ...rest,
    warnings: [
      ...rest.warnings,
      `hidden kernels are left out: that of layer ${impossible + 1} has negative variances, because a layer is not much wider than the ${posterior.problem.targets.shape[1]} outputs and the saddle says little there; use "exact" or "monte-carlo"`,
    ],
  };
}

async function predict(
  { problem, options, state }: EffectiveActionPosterior,
  inputs: Matrix,
  want: { readonly covariance: boolean },
  run: Run,
): Promise<Prediction> {
  run.signal?.throwIfAborted();
  return regimeOfState(state).predict({ setting: settingOf(problem, run.registry), options, state }, inputs, want.covariance, run);
}

async function prior(problem: PriorProblem, options: EffectiveActionOptions, run: Run): Promise<PriorResult> {
  run.signal?.throwIfAborted();
  const reason = refusesPriorQuestion(problem, run.registry);
  if (reason !== undefined) throw refusal(name, reason);
  return priorEffectiveAction(problem, options, run);
}

/** In closed form where the action has one (one hidden layer and one output), by differences of fits elsewhere. */
async function evidenceGradient(posterior: EffectiveActionPosterior, run: Run): Promise<EvidenceGradient | undefined> {
  const { problem, options, state, logEvidence } = posterior;
  if (logEvidence === undefined || problem.likelihood !== undefined) return undefined;
  const own = regimeOfState(state).evidenceGradient?.(settingOf(problem, run.registry), options, state);
  const theory = effectiveAction as Theory;
  return own ? { ...own, widths: await widthRatios(theory, posterior, run) } : differenceEvidenceGradient(theory, posterior, run);
}

/**
 * Proportional limit: order parameters that renormalise the kernel, found as minima of an effective action. One hidden layer with any
 * activation and any number of outputs, deep fully connected networks, one convolutional hidden layer. Exact for the identity with one
 * hidden layer and one output (mode "integral"). Source: docs/theories/effective-action.md; Pacelli et al. (2023), A statistical mechanics
 * framework for Bayesian deep neural networks beyond the infinite-width limit.
 */
export const effectiveAction: Theory<EffectiveActionOptions, EffectiveActionState> = conditionOnIndependentPoints({
  name,
  summary: "Renormalised kernels at finite width (proportional limit): one order parameter per layer, or a matrix over outputs or sites.",
  options: effectiveActionOptions,
  anyLikelihood: true,
  refuses: (problem, options, registry) => refusalOf(settingOf(problem, registry), options),
  fit,
  predict,
  evidenceGradient,
  infiniteKernels: ({ state }) => regimeOfState(state).infiniteKernels?.(state),
  prior,
  refusesPrior: (problem, _options, registry) => refusesPriorQuestion(problem, registry),
  claims: claimsOf,
});

/** Options with defaults filled in, for direct calls. @throws FinitewidthError (code "input") naming the option. */
export const resolveEffectiveActionOptions = (options: Readonly<Record<string, unknown>> = {}): EffectiveActionOptions =>
  validate(effectiveActionOptions, options, "options");
