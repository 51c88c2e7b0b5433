import {
  checkInputs,
  createProblem,
  FinitewidthError,
  inputError,
  refusal,
  rowRange,
  validate,
  type Experiment,
  type Matrix,
  type Problem,
  type Registry,
  type Run,
  type Theory,
} from "@finitewidth/core";
import type { DataSplit } from "@finitewidth/datasets";
import { findNonFinite, generalizationError, generalizationStandardError, type MethodOutcome } from "./method-outcome.js";
import { sweepSteps, sweptNetwork, type SweepValues } from "./sweep.js";

/** A method with its options resolved. */
export interface PlannedMethod {
  readonly name: string;
  readonly theory: Theory;
  readonly options: unknown;
}

/** One problem to be solved by all methods: the whole experiment, or one step of its sweep. */
export interface PlannedStep {
  readonly values?: SweepValues;
  readonly problem: Problem;
}

/** Everything checked, nothing computed: what can be wrong with an experiment is wrong here. */
export interface Plan {
  readonly experiment: Experiment;
  readonly registry: Registry;
  readonly data: DataSplit;
  readonly methods: readonly PlannedMethod[];
  readonly steps: readonly PlannedStep[];
  readonly swept: boolean;
}

/** Outcome of one step. */
export interface StepOutcome {
  readonly step: PlannedStep;
  readonly outcomes: readonly MethodOutcome[];
}

/**
 * Resolves names, networks, options and sweep steps. `sweepKeys`: keys of the sweep in the order of the file. @throws FinitewidthError
 * (code "input" or "shape").
 */
export function planExperiment(experiment: Experiment, data: DataSplit, registry: Registry, sweepKeys: readonly string[]): Plan {
  const methods = experiment.methods.map((entry, i): PlannedMethod => {
    const theory = registry.theory(entry.method, `methods[${i}]`);
    return { name: entry.method, theory, options: validate(theory.options, entry.options, `methods[${i}]`) };
  });
  methods.forEach(({ name }, i) => {
    if (methods.findIndex((other) => other.name === name) !== i)
      throw inputError(`methods[${i}]`, "each method once (results are keyed by its name)", name);
  });
  const problemOf = (network: Record<string, unknown>, values: SweepValues): Problem => {
    const points = values.train ?? data.train.inputs.shape[0];
    if (points > data.train.inputs.shape[0]) throw inputError("sweep.train", `at most ${data.train.inputs.shape[0]} points`, points);
    return createProblem(
      {
        network: network as { type: string },
        inputs: rowRange(data.train.inputs, 0, points),
        targets: rowRange(data.train.targets, 0, points),
        temperature: values.temperature ?? experiment.likelihood.temperature,
        scaling: experiment.scaling,
      },
      registry,
    );
  };
  const base = problemOf(experiment.network, {});
  if (data.test) checkInputs(data.test.inputs, base.network, registry, "data.test.inputs");
  const sweep = experiment.sweep;
  const steps = sweep
    ? sweepSteps(sweep, sweepKeys).map((values) => ({
        values,
        problem: problemOf(sweptNetwork(experiment.network, base.network, values), values),
      }))
    : [{ problem: base }];
  return { experiment, registry, data, methods, steps, swept: sweep !== undefined };
}

/** Runs every method on every step. Failures are recorded and leave the others alone; cancellation ends everything. */
export async function runPlan(plan: Plan, run: Run, onMethod?: (label: string) => void): Promise<StepOutcome[]> {
  const results: StepOutcome[] = [];
  for (const step of plan.steps) {
    const outcomes: MethodOutcome[] = [];
    for (const method of plan.methods) {
      const label = step.values ? `${method.name} ${JSON.stringify(step.values)}` : method.name;
      onMethod?.(label);
      outcomes.push(await runMethod(method, step.problem, plan, run));
    }
    results.push({ step, outcomes });
  }
  return results;
}

async function runMethod({ name, theory, options }: PlannedMethod, problem: Problem, plan: Plan, run: Run): Promise<MethodOutcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const { test } = plan.data;
  try {
    const reason = theory.refuses(problem, options, plan.registry);
    if (reason !== undefined) throw refusal(name, reason);
    const posterior = await theory.fit(problem, options, run);
    const predictive = test ? await theory.predict(posterior, test.inputs, { covariance: false }, run) : undefined;
    const bad = findNonFinite(posterior, predictive);
    if (bad !== undefined)
      throw new FinitewidthError(`[${name}] ${bad} came out as a number that is not finite; the result is withheld`, {
        code: "not-converged",
        path: bad,
      });
    const targets: Matrix | undefined = test?.targets;
    const error = predictive && targets ? generalizationError(predictive, targets) : undefined;
    const standardError = predictive && targets ? generalizationStandardError(predictive, targets) : undefined;
    return {
      method: name,
      status: "ok",
      posterior,
      ...(predictive ? { predictive } : {}),
      ...(error ? { generalizationError: error } : {}),
      ...(standardError ? { generalizationStandardError: standardError } : {}),
      warnings: [...new Set([...posterior.warnings, ...(predictive?.warnings ?? [])])],
      seconds: seconds(),
    };
  } catch (error) {
    run.signal?.throwIfAborted();
    return { method: name, status: "failed", error: error instanceof Error ? error : new Error(String(error)), seconds: seconds() };
  }
}
