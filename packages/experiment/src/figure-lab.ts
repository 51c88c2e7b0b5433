import {
  FinitewidthError,
  type ExperimentObject,
  type FigureCheck,
  type FigureLab,
  type FigureSize,
  type FigureStep,
  type PaperFigure,
  type Run,
} from "@finitewidth/core";
import type { MethodOutcome, SolvedOutcome } from "./method-outcome.js";
import { planExperiment } from "./plan.js";
import { assemble, jobsOf, type StepOutcome } from "./run-experiment.js";
import { runMethod } from "./run-method.js";

/** Where a laboratory keeps what it has computed. */
export interface LabHooks {
  /** Takes what an earlier run has kept under a name, or computes and keeps it. @defaultValue computes */
  readonly keep?: FigureLab["keep"];
  /** Told every experiment that is run. */
  readonly onExperiment?: (name: string, file: ExperimentObject) => void;
}

/** A laboratory in which figures compute their numbers: experiments without referee, one network each. */
export function figureLab(run: Run, hooks: LabHooks = {}): FigureLab {
  const { keep = (_name, compute) => compute(), onExperiment } = hooks;
  return {
    run,
    keep,
    async experiment(name, file) {
      const whole = { ...file, referee: false };
      onExperiment?.(name, whole);
      const plan = await planExperiment(whole, { registry: run.registry });
      const finished = new Map<string, MethodOutcome>();
      for (const job of jobsOf(plan)) {
        run.signal?.throwIfAborted();
        const compute = (): Promise<MethodOutcome> => runMethod(job.method, job.problem, job.step, { ...run, seed: job.step.seed });
        finished.set(job.id, solved(await keep(`${name}/${job.id}`, compute), name));
      }
      return assemble(plan, finished).map((step) => stepOf(step));
    },
  };
}

function solved(outcome: MethodOutcome, experiment: string): SolvedOutcome {
  if (outcome.status === "ok") return outcome;
  throw new FinitewidthError(`${experiment}: ${outcome.error.message}`, { code: "refused" }, { cause: outcome.error });
}

function stepOf({ step, problems }: StepOutcome): FigureStep {
  const { problem, outcomes } = problems[0]!;
  return {
    values: step.values ?? {},
    problem: problem.problem,
    ...(step.data.test ? { test: step.data.test } : {}),
    methods: Object.fromEntries(outcomes.map((outcome) => [outcome.label, outcome as SolvedOutcome])),
  };
}

/** A figure that was computed and checked. */
export interface ReproducedFigure {
  readonly figure: PaperFigure;
  readonly size: FigureSize;
  readonly numbers: unknown;
  readonly checks: readonly FigureCheck[];
  readonly passed: boolean;
  readonly seconds: number;
}

/** Computes a figure and decides its checks. @throws what its computation throws. */
export async function reproduceFigure(figure: PaperFigure, size: FigureSize, lab: FigureLab): Promise<ReproducedFigure> {
  const started = performance.now();
  const numbers = await figure.compute(size, lab);
  const checks = figure.checks(numbers);
  return { figure, size, numbers, checks, passed: checks.every((check) => check.holds), seconds: (performance.now() - started) / 1000 };
}
