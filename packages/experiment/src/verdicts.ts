import type { FittedMethod, Json, MethodVerdict, RefereeReport, Run } from "@finitewidth/core";
import { beliefsOf, type Beliefs } from "./beliefs.js";
import type { MethodOutcome } from "./method-outcome.js";
import type { Plan, PlannedProblem, PlannedStep } from "./plan.js";

/** What the referee says about the methods of one network, by label, and whom to believe for it. */
export interface Verdicts extends RefereeReport {
  readonly believe?: Beliefs;
}

/** Whether a step is refereed: all, or the first and the last of a sweep. */
export function isRefereed({ experiment, registry, steps }: Plan, step: number): boolean {
  if (experiment.referee === false || registry.referees.length === 0) return false;
  return experiment.referee.steps === "all" || step === 0 || step === steps.length - 1;
}

/**
 * Asks the first registered referee about all methods of one network, on the same evidence. A referee that fails leaves everything
 * unchecked and says why; cancellation ends the run.
 */
export async function judgeProblem(
  { experiment, registry }: Plan,
  { data }: PlannedStep,
  { problem }: PlannedProblem,
  outcomes: readonly MethodOutcome[],
  run: Run,
): Promise<Verdicts | undefined> {
  const [referee] = registry.referees;
  const methods = Object.fromEntries(
    outcomes.flatMap((outcome) => (outcome.status === "ok" ? [[outcome.label, fittedMethod(outcome)]] : [])),
  );
  if (!referee || experiment.referee === false || Object.keys(methods).length === 0) return undefined;
  const { steps: _steps, ...options } = experiment.referee;
  const started = performance.now();
  try {
    const report = await referee.judge(problem, methods, data.test, options, run);
    const seconds = (performance.now() - started) / 1000;
    return { ...report, believe: beliefsOf(outcomes, report), referee: { ...report.referee, seconds } };
  } catch (error) {
    run.signal?.throwIfAborted();
    const why = `the referee failed: ${error instanceof Error ? error.message : String(error)}`;
    const verdict = { status: "unchecked", error: null, standardError: null, how: why } as const;
    return {
      verdicts: Object.fromEntries(
        Object.keys(methods).map((label) => [label, unchecked(methods[label]!, data.test?.targets !== undefined, verdict)]),
      ),
      referee: { checked: false, why },
    };
  }
}

function fittedMethod({ posterior, predictive }: Extract<MethodOutcome, { status: "ok" }>): FittedMethod {
  const outputs = predictive ?? posterior.train;
  return {
    ...(outputs
      ? {
          predictive: {
            mean: outputs.mean,
            variance: outputs.variance,
            ...(outputs.probabilities ? { probabilities: outputs.probabilities } : {}),
            ...(outputs.standardError ? { standardError: outputs.standardError } : {}),
            ...(outputs.replicates ? { replicates: outputs.replicates } : {}),
          },
        }
      : {}),
    ...(posterior.logEvidence === undefined ? {} : { logEvidence: posterior.logEvidence }),
    ...(posterior.standardError?.logEvidence === undefined ? {} : { logEvidenceStandardError: posterior.standardError.logEvidence }),
    ...(posterior.hiddenKernels ? { hiddenKernels: posterior.hiddenKernels } : {}),
    ...(posterior.standardError?.hiddenKernels ? { hiddenKernelStandardErrors: posterior.standardError.hiddenKernels } : {}),
    ...(posterior.orderParameter === undefined ? {} : { orderParameter: posterior.orderParameter }),
    ...(posterior.modes === undefined ? {} : { modes: posterior.modes }),
  };
}

const unchecked = (method: FittedMethod, labelled: boolean, verdict: NonNullable<MethodVerdict["predictive"]>): MethodVerdict => ({
  ...(method.predictive ? { predictive: verdict, ...(labelled ? { generalizationError: verdict } : {}) } : {}),
  ...(method.logEvidence === undefined ? {} : { logEvidence: verdict }),
  ...(method.hiddenKernels ? { hiddenKernels: verdict } : {}),
  ...(method.orderParameter === undefined ? {} : { orderParameter: verdict }),
});

/** The referee's own numbers as they stand beside `results`: one object, or one per network. */
export function refereeToJson(
  problems: readonly { readonly problem: PlannedProblem; readonly verdicts?: Verdicts }[],
): Record<string, Json> {
  const judged = problems.filter((one) => one.verdicts !== undefined);
  if (judged.length === 0) return {};
  const own = judged.map(({ verdicts }): Json => {
    const { believe, referee } = verdicts!;
    return { ...referee, ...(believe ? { believe: believe as Json } : {}) };
  });
  return {
    referee:
      judged[0]!.problem.label === undefined ? own[0]! : Object.fromEntries(judged.map(({ problem }, k) => [problem.label!, own[k]!])),
  };
}
