import {
  amended,
  FinitewidthError,
  inlineRun,
  reasonToRefuse,
  refusal,
  type Json,
  type Matrix,
  type Posterior,
  type Run,
} from "@finitewidth/core";
import { classificationOf, findNonFinite, generalizationError, generalizationStandardError, type MethodOutcome } from "./method-outcome.js";
import { isRefereed, judgeProblem, type Verdicts } from "./verdicts.js";
import { planExperiment, type Plan, type PlannedProblem, type PlannedStep, type PlanSettings } from "./plan.js";
import type { PlannedMethod } from "./planned-methods.js";

/** One method on one network of one step: the unit of work, and of what is kept when a run is interrupted. */
export interface Job {
  /** Place in the plan, the same for the same experiment: "step/network/method". */
  readonly id: string;
  readonly step: PlannedStep;
  readonly stepIndex: number;
  readonly problem: PlannedProblem;
  readonly method: PlannedMethod;
}

/** What every method gave on one network. */
export interface ProblemOutcome {
  readonly problem: PlannedProblem;
  readonly outcomes: readonly MethodOutcome[];
  /** What the referee says, where it was asked. */
  readonly verdicts?: Verdicts;
}

/** Outcome of one step. */
export interface StepOutcome {
  readonly step: PlannedStep;
  readonly problems: readonly ProblemOutcome[];
}

/** How a plan is run. */
export interface RunHooks {
  /** A method is about to start. */
  readonly onStart?: (job: Job) => void;
  /** A method has ended, or was recalled. Awaited: what it keeps is kept before the next method starts. */
  readonly onResult?: (job: Job, outcome: MethodOutcome, recalled: boolean) => void | Promise<void>;
  /** Outcome of an earlier run of the same experiment, taken instead of computing it again. */
  readonly recall?: (job: Job) => MethodOutcome | undefined | Promise<MethodOutcome | undefined>;
}

/** Every job of a plan in the order in which they run. */
export function jobsOf(plan: Plan): Job[] {
  return plan.steps.flatMap((step, stepIndex) =>
    step.problems.flatMap((problem, n) =>
      problem.methods.map((method, m): Job => ({ id: `${stepIndex}/${n}/${m}`, step, stepIndex, problem, method })),
    ),
  );
}

/**
 * Runs every method on every network of every step, then the referee on each network. Failures are recorded and leave the others alone;
 * cancellation ends everything (what was finished has gone to `onResult`).
 */
export async function runPlan(plan: Plan, run: Run, hooks: RunHooks = {}): Promise<StepOutcome[]> {
  const finished = new Map<string, MethodOutcome>();
  for (const job of jobsOf(plan)) {
    run.signal?.throwIfAborted();
    const earlier = await hooks.recall?.(job);
    if (!earlier) hooks.onStart?.(job);
    const outcome = earlier ?? (await runMethod(job.method, job.problem, job.step, { ...run, seed: job.step.seed }));
    finished.set(job.id, outcome);
    await hooks.onResult?.(job, outcome, earlier !== undefined);
  }
  return refereed(plan, assemble(plan, finished), run);
}

/** The outcomes with verdicts; the referee hears all methods of a network at once. */
export async function refereed(plan: Plan, steps: readonly StepOutcome[], run: Run): Promise<StepOutcome[]> {
  const judged: StepOutcome[] = [];
  for (const { step, problems } of steps) {
    const asked = isRefereed(plan, plan.steps.indexOf(step));
    const all: ProblemOutcome[] = [];
    for (const one of problems) {
      const verdicts = asked ? await judgeProblem(plan, step, one.problem, one.outcomes, { ...run, seed: step.seed }) : undefined;
      all.push(verdicts ? { ...one, verdicts } : one);
    }
    judged.push({ step, problems: all });
  }
  return judged;
}

/** Outcomes by job in the shape of the plan; steps and networks without any are left out. */
export function assemble(plan: Plan, finished: ReadonlyMap<string, MethodOutcome>): StepOutcome[] {
  return plan.steps.flatMap((step, s) => {
    const problems = step.problems.flatMap((problem, n): ProblemOutcome[] => {
      const outcomes = problem.methods.flatMap((_, m) => finished.get(`${s}/${n}/${m}`) ?? []);
      return outcomes.length > 0 ? [{ problem, outcomes }] : [];
    });
    return problems.length > 0 ? [{ step, problems }] : [];
  });
}

/** Solves one problem with one method. */
export async function runMethod(
  { label, method, theory, options, gradients, named }: PlannedMethod,
  { problem }: PlannedProblem,
  { data: { test } }: PlannedStep,
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
    const bad = findNonFinite(posterior, predictive);
    if (bad !== undefined)
      throw new FinitewidthError(`[${method}] ${bad} came out as a number that is not finite; the result is withheld`, {
        code: "not-converged",
        path: bad,
      });
    const targets: Matrix | undefined = test?.targets;
    // squared errors are about numbers, not about classes or counts
    const numbers = problem.likelihood === undefined;
    const error = predictive && targets && numbers ? generalizationError(predictive, targets) : undefined;
    const standardError = predictive && targets && numbers ? generalizationStandardError(predictive, targets) : undefined;
    const classification = predictive && targets ? classificationOf(problem, predictive, targets, run.registry) : undefined;
    return {
      ...own,
      status: "ok",
      posterior,
      ...(predictive ? { predictive } : {}),
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

/** Settings of `runExperiment`. */
export interface ExperimentSettings extends PlanSettings, RunHooks {
  /** Where chunks are computed. @defaultValue this thread, with the experiment's seed */
  readonly run?: Run;
  readonly signal?: AbortSignal;
}

/** A plan and what came out of it. */
export interface ExperimentResult {
  readonly plan: Plan;
  readonly steps: readonly StepOutcome[];
}

/**
 * Plans and runs an experiment as its file has it: `await runExperiment({ data, network, likelihood, methods }, { registry })`.
 * `resultToJson` makes the content of `result.json` of it. @throws FinitewidthError as `planExperiment`; failures of methods are results.
 */
export async function runExperiment(experiment: unknown, settings: ExperimentSettings): Promise<ExperimentResult> {
  const plan = await planExperiment(experiment, settings);
  const { registry, signal } = settings;
  const run = settings.run ?? inlineRun({ registry, seed: plan.experiment.seed, ...(signal ? { signal } : {}) });
  return { plan, steps: await runPlan(plan, run, settings) };
}
