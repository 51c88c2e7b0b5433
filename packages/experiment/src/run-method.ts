import {
  amended,
  generalizationError,
  generalizationStandardError,
  reasonToRefuse,
  refusal,
  requireFinite,
  type Json,
  type Matrix,
  type Posterior,
  type Run,
} from "@finitewidth/core";
import { classificationOf, type MethodOutcome } from "./method-outcome.js";
import type { PlannedProblem, PlannedStep } from "./plan.js";
import type { PlannedMethod } from "./planned-methods.js";
import { withPruning } from "./pruning.js";

/**
 * Solves one problem with one method. Errors are outcomes; only a cancelled run throws. Costs the theory's fit, its predictions at the test
 * points and, where asked for, its evidence gradient.
 */
export async function runMethod(
  { label, method, theory, options, gradients, named }: PlannedMethod,
  { problem }: Pick<PlannedProblem, "problem" | "label">,
  { data: { test } }: { readonly data: Pick<PlannedStep["data"], "test"> },
  run: Run,
): Promise<MethodOutcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const own = { label, method, named };
  try {
    const reason = reasonToRefuse(theory, problem, options, run.registry);
    if (reason !== undefined) throw refusal(method, reason);
    const fitted = affordable(await theory.fit(problem, options, run));
    const gradient = gradients ? await theory.evidenceGradient?.(fitted, run) : undefined;
    const posterior = gradient
      ? amended(fitted, { diagnostics: { ...fitted.diagnostics, evidenceGradient: gradient as unknown as Json } })
      : fitted;
    const missing = gradients && !gradient ? [`${method} gives no derivatives of its log evidence here`] : [];
    const predictive = test ? await theory.predict(posterior, test.inputs, { covariance: false }, run) : undefined;
    requireFinite(method, posterior, predictive);
    const targets: Matrix | undefined = test?.targets;
    // squared errors are about numbers, not about classes or counts
    const numbers = problem.likelihood === undefined;
    const error = predictive && targets && numbers ? generalizationError(predictive, targets) : undefined;
    const standardError = predictive && targets && numbers ? generalizationStandardError(predictive, targets) : undefined;
    const classification = predictive && targets ? classificationOf(problem, predictive, targets, run.registry) : undefined;
    return {
      ...own,
      status: "ok",
      ...withPruning(posterior, predictive, numbers ? targets : undefined),
      ...(error ? { generalizationError: error } : {}),
      ...(standardError ? { generalizationStandardError: standardError } : {}),
      ...(classification ? { classification } : {}),
      warnings: [...new Set([...posterior.warnings, ...missing, ...(predictive?.warnings ?? [])])],
      seconds: seconds(),
    };
  } catch (error) {
    run.signal?.throwIfAborted();
    return { ...own, status: "failed", error: error instanceof Error ? error : new Error(String(error)), seconds: seconds() };
  }
}

/** Training points above which hidden kernels and predictions at them that a theory has not made yet are not asked for. */
const mostPoints = { hiddenKernels: 8000, train: 20_000 };

/** The posterior without what would take long to compute and to write for so many training points. */
function affordable(posterior: Posterior): Posterior {
  const points = posterior.problem.inputs.shape[0];
  const left = (["hiddenKernels", "train"] as const).filter(
    (key) => points > mostPoints[key] && Object.getOwnPropertyDescriptor(posterior, key)?.get !== undefined,
  );
  if (left.length === 0) return posterior;
  const names = { hiddenKernels: "hidden kernels", train: "predictions at the training inputs" };
  const kept = amended(posterior, {
    warnings: [...posterior.warnings, ...left.map((key) => `${names[key]} are left out for more than ${mostPoints[key]} training points`)],
  }) as { -readonly [K in keyof Posterior]: Posterior[K] };
  for (const key of left) delete kept[key];
  return kept;
}
