import { inlineRun, inputError, type DataSplit, type ExperimentObject, type Json, type Run, type SweepKey } from "@finitewidth/core";
import { cholesky, identity, solveCholesky, symmetricEigenvalues } from "@finitewidth/linalg";
import { maximiseInBox, maximiseOverIntegers, type BoundedPoint } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { parseOptimise, type OptimiseRequest } from "./optimise-schema.js";
import type { MethodOutcome } from "./method-outcome.js";
import { suggested } from "./mistakes.js";
import { planExperiment, type PlanSettings } from "./plan.js";
import { runMethod } from "./run-method.js";
import { applyValues, draftOf, sweepKey } from "./sweep.js";

/** One evaluation of the evidence. */
export interface Evaluation {
  readonly values: Readonly<Record<string, number>>;
  readonly logEvidence: number;
  readonly standardError?: number;
  readonly generalizationError?: number;
}

/** What a maximisation of the evidence found. */
export interface Optimum extends Evaluation {
  /** Standard deviations of the logarithms of the values, from the curvature of the log evidence; none for counts and at bounds. */
  readonly logDeviations: Readonly<Record<string, number>>;
  /** Names of values that press against a bound: the evidence still rises there. */
  readonly atBounds: readonly string[];
  readonly converged: boolean;
}

/** The maximum of the evidence, how it was found, and what infinite width would have chosen. */
export interface OptimiseResult {
  readonly method: string;
  readonly optimum: Optimum;
  /** The experiment with the values of the optimum in it. */
  readonly experiment: ExperimentObject;
  /** Best of every depth that was tried. */
  readonly depths: readonly Evaluation[];
  readonly trace: readonly Evaluation[];
  readonly infiniteWidth?: Evaluation;
  readonly warnings: readonly string[];
}

/** Settings of `optimiseEvidence`. */
export interface OptimiseSettings extends PlanSettings {
  /** Where chunks are computed. @defaultValue this thread, with the experiment's seed */
  readonly run?: Run;
  readonly signal?: AbortSignal;
  /** Opens the run when the file has been checked; in place of `run`. */
  readonly openRun?: () => Promise<Run>;
  /** Every evaluation as it is made. */
  readonly onEvaluation?: (evaluation: Evaluation, count: number) => void;
}

/** Steps of differences in logarithms, and of convergence: exact evidences and sampled ones. */
const scales = { exact: { step: 1e-3, tolerance: 1e-3, curvature: 0.05 }, sampled: { step: 0.3, tolerance: 0.05, curvature: 0.5 } };
/** Changes of width and of the other values in turn. */
const rounds = 4;

/**
 * Maximises the log evidence of one method over the named values of an experiment file (`optimise.over`): variances, temperature and
 * numbers at any path by projected BFGS in their logarithms, with the method's own gradients where it has them; one width for all layers by
 * golden sections; depths one by one; from several starts. One fit an evaluation, and 2 more for every value that has no gradient; `trace`
 * lists them all. @throws FinitewidthError (code "input") for a file that is wrong, or a method without an evidence. Source:
 * docs/theories/evidence.md, "Choosing".
 */
export async function optimiseEvidence(file: unknown, settings: OptimiseSettings): Promise<OptimiseResult> {
  const { request, experiment } = parseOptimise(file);
  const { registry, signal } = settings;
  suggested(() => registry.theory(request.method.method, "optimise.method"));
  const { data } = await planExperiment(experiment, settings);
  const seed = typeof experiment["seed"] === "number" ? experiment["seed"] : 1;
  const keys = Object.keys(request.over).map((name) => suggested(() => sweepKey(name, registry, "optimise.over")));
  const run = (await settings.openRun?.()) ?? settings.run ?? inlineRun({ registry, seed, ...(signal ? { signal } : {}) });
  const trace: Evaluation[] = [];
  const search = createSearch({ request, experiment, keys, data, run, settings, trace });
  const depths: Optimum[] = [];
  for (const depth of request.depths) depths.push(await search(request.method, depth));
  const optimum = depths.reduce((a, b) => (b.logEvidence > a.logEvidence ? b : a));
  const best = applyValues(draftOf(experiment), optimum.values, keys, registry).experiment;
  const { referee, methods } = file as ExperimentObject;
  const given = { ...(referee === undefined ? {} : { referee }), ...(methods === undefined ? {} : { methods }) };
  const compared = request.reference !== undefined && registry.theories.some(({ name }) => name === request.reference);
  const infiniteWidth = compared ? await search({ method: request.reference! }, optimum.values["depth"], false) : undefined;
  return {
    method: request.method.method,
    optimum,
    experiment: { ...withoutReferee(best), ...given, methods: given.methods ?? [request.method as Json] },
    depths,
    trace,
    ...(infiniteWidth ? { infiniteWidth: { ...infiniteWidth, values: withoutWidths(infiniteWidth.values) } } : {}),
    warnings: [
      ...optimum.atBounds.map(
        (name) =>
          `${name} stopped at its bound ${optimum.values[name]!.toPrecision(3)}: the evidence still rises there${name === "temperature" ? " (labels without noise have no best temperature)" : ""}`,
      ),
      ...(optimum.converged ? [] : ['the maximisation did not converge; raise "starts" or narrow the ranges']),
    ],
  };
}

/** Infinite width has no width that it would choose. */
const withoutWidths = ({ widths: _widths, ...others }: Evaluation["values"]): Evaluation["values"] => others;
const withoutReferee = ({ referee: _referee, ...rest }: ExperimentObject): ExperimentObject => rest;

interface Context {
  readonly request: OptimiseRequest;
  readonly experiment: ExperimentObject;
  readonly keys: readonly SweepKey[];
  readonly data: DataSplit;
  readonly run: Run;
  readonly settings: OptimiseSettings;
  readonly trace: Evaluation[];
}
type MethodRequest = OptimiseRequest["method"];
interface Looked {
  readonly evaluation: Evaluation;
  readonly outcome: Extract<MethodOutcome, { status: "ok" }>;
}

function createSearch(context: Context): (method: MethodRequest, depth: number | undefined, record?: boolean) => Promise<Optimum> {
  const { request, run, settings, trace } = context;
  const continuous = Object.entries(request.ranges).filter(([name]) => name !== "widths");
  const names = continuous.map(([name]) => name);
  const [lower, upper] = [0, 1].map((end) => continuous.map(([, range]) => Math.log(range[end]!))) as [number[], number[]];
  const widths = request.ranges["widths"];

  return async (method, depth, record = true) => {
    const gradients = acceptsGradients(method, settings);
    const known = new Map<string, Looked>();
    const look = async (point: readonly number[], width: number | undefined): Promise<Looked> => {
      run.signal?.throwIfAborted();
      const values: Record<string, number> = {
        ...Object.fromEntries(names.map((name, i) => [name, Math.exp(point[i]!)])),
        ...(width === undefined ? {} : { widths: width }),
        ...(depth === undefined ? {} : { depth }),
      };
      const key = JSON.stringify(values);
      const earlier = known.get(key);
      if (earlier) return earlier;
      const outcome = await evaluate(context, method, values, gradients);
      const evaluation = evaluationOf(values, outcome);
      const looked = { evaluation, outcome };
      known.set(key, looked);
      if (record) {
        trace.push(evaluation);
        settings.onEvaluation?.(evaluation, trace.length);
      }
      return looked;
    };
    let scale = scales.exact;
    const bounded = async (point: readonly number[], width: number | undefined): Promise<BoundedPoint> => {
      const { evaluation, outcome } = await look(point, width);
      if (evaluation.standardError !== undefined) scale = scales.sampled;
      const gradient = names.map((name) => gradientIn(name, outcome));
      return { point, value: evaluation.logEvidence, gradient };
    };
    const climb = async (start: number): Promise<Optimum & { readonly point: readonly number[] }> => {
      const random = stream(run.seed, 6, start);
      let point = lower.map((low, i) => low + (start === 0 ? 0.5 : random.uniform()) * (upper[i]! - low));
      let width = widths === undefined ? undefined : Math.round(Math.sqrt(widths[0]! * widths[1]!));
      await bounded(point, width);
      let converged = true;
      for (let round = 0; round < rounds; round++) {
        const maximum = await maximiseInBox((at) => bounded(at, width), point, { lower, upper, ...scale });
        point = [...maximum.point];
        converged = maximum.converged;
        if (widths === undefined) break;
        const [low, high] = round === 0 ? widths : [Math.max(widths[0]!, Math.floor(width! / 3)), Math.min(widths[1]!, width! * 3)];
        const found = await maximiseOverIntegers(async (n) => (await look(point, n)).evaluation.logEvidence, low!, high!);
        if (found.point === width) break;
        width = found.point;
      }
      const { evaluation } = await look(point, width);
      const atBounds = [
        ...names.filter((_, i) => point[i]! <= lower[i]! + 1e-9 || point[i]! >= upper[i]! - 1e-9),
        ...(widths !== undefined && (width === widths[0] || width === widths[1]) ? ["widths"] : []),
      ];
      return { ...evaluation, logDeviations: {}, atBounds, converged, point };
    };
    const climbs = [];
    for (let start = 0; start < (names.length === 0 ? 1 : request.starts); start++) climbs.push(await climb(start));
    const { point, ...best } = climbs.reduce((a, b) => (b.logEvidence > a.logEvidence ? b : a));
    const free = names.map((name, i) => (best.atBounds.includes(name) ? -1 : i)).filter((i) => i >= 0);
    const deviations = await curvature((at) => bounded(at, best.values["widths"]), point, free, scale.curvature, lower, upper);
    return { ...best, logDeviations: Object.fromEntries(free.flatMap((i, k) => (deviations ? [[names[i]!, deviations[k]!]] : []))) };
  };
}

/** Fits the method at some values. @throws when it refuses, fails, or has no evidence. */
async function evaluate(
  { experiment, keys, data, run, settings }: Context,
  method: MethodRequest,
  values: Readonly<Record<string, number>>,
  gradients: boolean,
): Promise<Looked["outcome"]> {
  const entry = { ...method, ...(gradients ? { gradients: true } : {}) };
  const used = keys.filter(({ name }) => Object.hasOwn(values, name));
  const { experiment: at } = applyValues(draftOf({ ...experiment, methods: [entry as Json] }), values, used, settings.registry);
  const plan = await planExperiment(at, { registry: settings.registry, data });
  const step = plan.steps[0]!;
  const [problem] = step.problems;
  const outcome = await runMethod(problem!.methods[0]!, problem!, step, run);
  if (outcome.status === "failed") throw outcome.error;
  if (outcome.posterior.logEvidence === undefined)
    throw inputError("optimise.method", 'a method with a log evidence (monte-carlo has one with "evidence": true)', method.method);
  return outcome;
}

function evaluationOf(values: Readonly<Record<string, number>>, { posterior, generalizationError }: Looked["outcome"]): Evaluation {
  return {
    values,
    logEvidence: posterior.logEvidence!,
    ...(posterior.standardError?.logEvidence === undefined ? {} : { standardError: posterior.standardError.logEvidence }),
    ...(generalizationError ? { generalizationError: generalizationError.total } : {}),
  };
}

/** Whether the theory knows its own gradients, by its capability or by an option. */
function acceptsGradients({ method, ...options }: MethodRequest, { registry }: OptimiseSettings): boolean {
  const theory = registry.theory(method, "optimise.method");
  if (theory.evidenceGradient) return true;
  const result = theory.options["~standard"].validate({ ...options, gradients: true });
  return !(result instanceof Promise) && result.issues === undefined;
}

interface WrittenGradient {
  readonly logWeightVariance: readonly (number | null)[];
  readonly logBiasVariance: readonly (number | null)[];
  readonly logTemperature: number | null;
}

/** The method's own derivative in the logarithm of a value, or null. */
function gradientIn(name: string, { posterior }: Looked["outcome"]): number | null {
  const gradient = posterior.diagnostics["evidenceGradient"] as unknown as WrittenGradient | undefined;
  if (!gradient) return null;
  const sum = (values: readonly (number | null)[]): number | null =>
    values.reduce<number | null>((all, value) => (all === null || value === null ? null : all + value), 0);
  if (name === "temperature" || name === "likelihood.temperature") return gradient.logTemperature;
  if (name === "weightVariance") return sum(gradient.logWeightVariance);
  if (name === "biasVariance") return sum(gradient.logBiasVariance);
  const path = /^network\.(weightVariance|biasVariance)\[(\d+)\]$/.exec(name);
  if (!path) return null;
  return (path[1] === "weightVariance" ? gradient.logWeightVariance : gradient.logBiasVariance)[Number(path[2])] ?? null;
}

/**
 * √diag of −H⁻¹ at a maximum, H by differences of values (and of gradients where they are known); undefined unless −H is positive definite.
 */
async function curvature(
  f: (point: readonly number[]) => Promise<BoundedPoint>,
  point: readonly number[],
  free: readonly number[],
  step: number,
  lower: readonly number[],
  upper: readonly number[],
): Promise<number[] | undefined> {
  const n = free.length;
  if (n === 0) return [];
  const h = free.map((i) => Math.min(step, 0.5 * (upper[i]! - point[i]!), 0.5 * (point[i]! - lower[i]!)));
  const moved = (changes: readonly (readonly [number, number])[]): Promise<BoundedPoint> =>
    f(point.map((value, i) => value + changes.reduce((sum, [k, by]) => sum + (free[k] === i ? by * h[k]! : 0), 0)));
  const centre = (await f(point)).value;
  const data = new Float64Array(n * n);
  for (let a = 0; a < n; a++) {
    const [up, down] = [await moved([[a, 1]]), await moved([[a, -1]])];
    for (let b = 0; b < n; b++) {
      const [gUp, gDown] = [up.gradient?.[free[b]!], down.gradient?.[free[b]!]];
      let entry: number;
      if (typeof gUp === "number" && typeof gDown === "number") entry = (gUp - gDown) / (2 * h[a]!);
      else if (a === b) entry = (up.value - 2 * centre + down.value) / (h[a]! * h[a]!);
      else {
        const corners = [];
        for (const [s, t] of [
          [1, 1],
          [1, -1],
          [-1, 1],
          [-1, -1],
        ] as const)
          corners.push(
            s *
              t *
              (
                await moved([
                  [a, s],
                  [b, t],
                ])
              ).value,
          );
        entry = corners.reduce((sum, value) => sum + value, 0) / (4 * h[a]! * h[b]!);
      }
      data[a * n + b]! -= 0.5 * entry;
      data[b * n + a]! -= 0.5 * entry;
    }
  }
  const matrix = { data, shape: [n, n] } as const;
  if (!(symmetricEigenvalues(matrix)[0]! > 0)) return undefined;
  const inverse = solveCholesky(cholesky(matrix), identity(n));
  return free.map((_, k) => Math.sqrt(inverse.data[k * (n + 1)]!));
}
