import {
  amended,
  resolveArchitecture,
  zeros,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { independentRows, rankWarnings, type IndependentRows } from "@finitewidth/numerics";
import { infiniteWidthKernels } from "./network-law.js";

/** Largest relative deviation with which the hidden kernels of all points count as combinations of those of the independent ones. */
const liftTolerance = 1e-8;

/** A problem at T = 0 on the points that determine the others. */
interface Reduction extends IndependentRows {
  readonly problem: Problem;
  /** G¹ … G^L of all training points at infinite width. */
  readonly hidden: readonly Matrix[];
}

/**
 * A null vector v of the infinite-width readout kernel, Σ_μ v_μ f(x_μ) = 0 almost surely, is one at every width: every unit of the last
 * hidden layer satisfies it for all preactivations in the range of its kernel, which the kernels of narrower layers never leave.
 */
function reduce(problem: Problem, registry: Registry): Reduction | undefined {
  if (problem.temperature > 0 || problem.likelihood !== undefined) return undefined;
  const { preactivation, hidden } = infiniteWidthKernels(resolveArchitecture(registry, problem.network), problem.inputs);
  const found = independentRows(preactivation.at(-1)!, problem.targets);
  if (found === undefined) return undefined;
  const { rows } = found;
  return { ...found, problem: { ...problem, inputs: rowsFrom(problem.inputs, rows), targets: rowsFrom(problem.targets, rows) }, hidden };
}

/**
 * A theory that needs a regular kernel at T = 0, made to condition on the points that determine the others where inputs repeat or depend on
 * each other: train, evidence (the density on the range of the kernel) and hidden kernels are those of all points. O(P³) more at T = 0.
 * @throws FinitewidthError (code "input"), from fit, for targets that no network can produce.
 */
export function conditionOnIndependentPoints<Options, State>(theory: Theory<Options, State>): Theory<Options, State> {
  type Fitted = Posterior<Options, State>;
  const own = (posterior: Fitted, registry: Registry): Fitted => {
    const reduction = reduce(posterior.problem, registry);
    if (reduction === undefined) return posterior;
    const { logEvidence, problem } = posterior;
    const shift = problem.targets.shape[1] * reduction.logVolume;
    const changes =
      logEvidence === undefined ? { problem: reduction.problem } : { problem: reduction.problem, logEvidence: logEvidence + shift };
    return amended<Posterior<Options, State>>(posterior, changes);
  };
  const { evidenceGradient } = theory;
  return {
    ...theory,
    async fit(problem, options, run) {
      const reduction = reduce(problem, run.registry);
      if (reduction === undefined) return theory.fit(problem, options, run);
      return expand(await theory.fit(reduction.problem, options, run), problem, reduction);
    },
    predict: (posterior, inputs, want, run) => theory.predict(own(posterior, run.registry), inputs, want, run),
    ...(evidenceGradient ? { evidenceGradient: (posterior: Fitted, run) => evidenceGradient(own(posterior, run.registry), run) } : {}),
  };
}

function expand<Options, State>(fitted: Posterior<Options, State>, problem: Problem, reduction: Reduction): Posterior<Options, State> {
  const { logEvidence, train, hiddenKernels, standardError, ...rest } = fitted;
  const { combinations, rows, hidden, logVolume } = reduction;
  const [points, outputs] = problem.targets.shape;
  const sizes: Matrix = { data: combinations.data.map(Math.abs), shape: combinations.shape };
  const lifted = hidden.every((kernel) => follows(kernel, reduction));
  const kernels = lifted && hiddenKernels ? hiddenKernels.map((kernel) => both(combinations, kernel)) : undefined;
  const { hiddenKernels: kernelErrors, ...otherErrors } = standardError ?? {};
  const errors = { ...otherErrors, ...(kernels && kernelErrors ? { hiddenKernels: kernelErrors.map((e) => both(sizes, e)) } : {}) };
  return {
    ...rest,
    problem,
    ...(logEvidence === undefined ? {} : { logEvidence: logEvidence - outputs * logVolume }),
    ...(train === undefined ? {} : { train: expandPrediction(train, combinations, sizes) }),
    ...(kernels === undefined ? {} : { hiddenKernels: kernels }),
    ...(standardError === undefined ? {} : { standardError: errors }),
    diagnostics: { ...rest.diagnostics, independentPoints: [...rows] },
    warnings: [
      ...rest.warnings,
      ...rankWarnings(rows.length, points),
      ...(hiddenKernels && !lifted
        ? ["hidden kernels are left out: at T = 0 they are known at the points in diagnostics.independentPoints only"]
        : []),
    ],
  };
}

/** Outputs A f of all points; there is no spread at T = 0 for the squares of A to miss. */
function expandPrediction(prediction: Prediction, combinations: Matrix, sizes: Matrix): Prediction {
  const { mean, variance, standardError } = prediction;
  const squares: Matrix = { data: combinations.data.map((a) => a * a), shape: combinations.shape };
  const errors = standardError && { mean: multiply(sizes, standardError.mean), variance: multiply(squares, standardError.variance) };
  return {
    ...prediction,
    mean: multiply(combinations, mean),
    variance: multiply(squares, variance),
    ...(errors ? { standardError: errors } : {}),
  };
}

/** A K Aᵀ. */
const both = (a: Matrix, kernel: Matrix): Matrix => multiplyTransposedRight(multiply(a, kernel), a);

/** Whether a kernel of all points is A K_rows Aᵀ. */
function follows(kernel: Matrix, { rows, combinations }: IndependentRows): boolean {
  const points = kernel.shape[0];
  const block = zeros(rows.length, rows.length);
  rows.forEach((i, a) => rows.forEach((j, b) => (block.data[a * rows.length + b] = kernel.data[i * points + j]!)));
  const largest = kernel.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return both(combinations, block).data.every((value, at) => Math.abs(value - kernel.data[at]!) <= liftTolerance * largest);
}

function rowsFrom({ data, shape: [, columns] }: Matrix, rows: readonly number[]): Matrix {
  const out = zeros(rows.length, columns);
  rows.forEach((row, i) => out.data.set(data.subarray(row * columns, (row + 1) * columns), i * columns));
  return out;
}
