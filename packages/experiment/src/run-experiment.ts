import { inlineRun, type Run } from "@finitewidth/core";
import type { MethodOutcome } from "./method-outcome.js";
import { isRefereed, judgeProblem, type Verdicts } from "./verdicts.js";
import { planExperiment, type Plan, type PlannedProblem, type PlannedStep, type PlanSettings } from "./plan.js";
import type { PlannedMethod } from "./planned-methods.js";
import { runMethod } from "./run-method.js";
import { solveElsewhere } from "./solve-elsewhere.js";
import { oneByOne, together } from "./together.js";

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
  /** Whether a method is to be run at all. @defaultValue all are */
  readonly wanted?: (job: Job) => boolean;
  /** A method is about to start. */
  readonly onStart?: (job: Job) => void;
  /** A method has ended, or was recalled. Awaited: what it keeps is kept before the next method starts. */
  readonly onResult?: (job: Job, outcome: MethodOutcome, recalled: boolean) => void | Promise<void>;
  /** The referee is about to begin, or has judged so many of the networks that it is asked about. */
  readonly onReferee?: (judged: number, asked: number) => void;
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
 * Runs every method on every network of every step, then the referee on each network. Where the run computes elsewhere, methods are chunks
 * of it like chains are (see `solveElsewhere`): a few more than it takes at a time are under way, in the order of the plan. Failures are
 * recorded and leave the others alone; cancellation ends everything (what was finished has gone to `onResult`).
 */
export async function runPlan(plan: Plan, run: Run, hooks: RunHooks = {}): Promise<StepOutcome[]> {
  const finished = new Map<string, MethodOutcome>();
  const { wanted = () => true } = hooks;
  const jobs = jobsOf(plan).filter((job) => wanted(job));
  const solve = jobs.length > 1 && (run.concurrency ?? 0) > 0 ? solveElsewhere(run) : runMethod;
  const told = oneByOne();
  await together(jobs, solve === runMethod ? 1 : 2 * run.concurrency!, async (job) => {
    run.signal?.throwIfAborted();
    const earlier = await hooks.recall?.(job);
    if (!earlier) hooks.onStart?.(job);
    const outcome = earlier ?? (await solve(job.method, job.problem, job.step, { ...run, seed: job.step.seed }));
    finished.set(job.id, outcome);
    await told(() => hooks.onResult?.(job, outcome, earlier !== undefined));
  });
  return refereed(plan, assemble(plan, finished), run, hooks);
}

/** The outcomes with verdicts; the referee hears all methods of a network at once. */
export async function refereed(
  plan: Plan,
  steps: readonly StepOutcome[],
  run: Run,
  { onReferee }: Pick<RunHooks, "onReferee"> = {},
): Promise<StepOutcome[]> {
  const judged = new Map<ProblemOutcome, ProblemOutcome>();
  const asked = steps.flatMap(({ step, problems }) =>
    isRefereed(plan, plan.steps.indexOf(step)) ? problems.map((one) => ({ step, one })) : [],
  );
  if (asked.length > 0) onReferee?.(0, asked.length);
  let done = 0;
  await together(asked, run.concurrency ?? 1, async ({ step, one }) => {
    const verdicts = await judgeProblem(plan, step, one.problem, one.outcomes, { ...run, seed: step.seed });
    if (verdicts) judged.set(one, { ...one, verdicts });
    onReferee?.((done += 1), asked.length);
  });
  return steps.map(({ step, problems }) => ({ step, problems: problems.map((one) => judged.get(one) ?? one) }));
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
 * `resultToJson` makes the content of `result.json` of it. Costs of the methods and of the referee, in turn. @throws FinitewidthError as
 * `planExperiment`; failures of methods are results.
 */
export async function runExperiment(experiment: unknown, settings: ExperimentSettings): Promise<ExperimentResult> {
  const plan = await planExperiment(experiment, settings);
  const { registry, signal } = settings;
  const run = settings.run ?? inlineRun({ registry, seed: plan.experiment.seed, ...(signal ? { signal } : {}) });
  return { plan, steps: await runPlan(plan, run, settings) };
}
