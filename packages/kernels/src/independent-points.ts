import {
  amended,
  resolveArchitecture,
  selectRows,
  zeros,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { independentRows, rankWarnings, type IndependentRows } from "@finitewidth/numerics";
import { infiniteWidthKernels } from "./network-law.js";
import { pinReadoutBias, withBias, withBiasGradient, type PinnedBias } from "./pinned-bias.js";

/** Largest relative deviation with which the hidden kernels of all points count as combinations of those of the independent ones. */
const liftTolerance = 1e-8;

/** A problem at T = 0 without what its data fix: on the points that determine the others, less the readout bias where that is known. */
interface Reduction {
  readonly problem: Problem;
  readonly points?: IndependentRows & { /** G¹ … G^L of all training points at infinite width. */ readonly hidden: readonly Matrix[] };
  readonly bias?: PinnedBias;
}

/**
 * A null vector v of the infinite-width readout kernel, Σ_μ v_μ f(x_μ) = 0 almost surely, is one at every width: every unit of the last
 * hidden layer satisfies it for all preactivations in the range of its kernel, which the kernels of narrower layers never leave.
 */
function reduce(problem: Problem, registry: Registry): Reduction | undefined {
  if (problem.temperature > 0 || problem.likelihood !== undefined) return undefined;
  const bias = pinReadoutBias(problem, registry);
  const random = bias === undefined ? problem : { ...problem, network: bias.network, targets: bias.targets };
  const { preactivation, hidden } = infiniteWidthKernels(resolveArchitecture(registry, random.network), random.inputs);
  const found = independentRows(preactivation.at(-1)!, random.targets);
  if (found === undefined) return bias && { problem: random, bias };
  const { rows } = found;
  return {
    problem: { ...random, inputs: selectRows(random.inputs, rows), targets: selectRows(random.targets, rows) },
    points: { ...found, hidden },
    ...(bias ? { bias } : {}),
  };
}

/** What a reduction adds to the log evidence of the reduced problem, D outputs. */
const evidenceShift = ({ points, bias }: Reduction, outputs: number): number =>
  (bias?.logDensity ?? 0) - outputs * (points?.logVolume ?? 0);

/**
 * A theory that needs a regular kernel at T = 0, made to condition on the points that determine the others where inputs repeat or depend on
 * each other, and to take a readout bias that the data fix as known: train, evidence (the density on the range of the kernel) and hidden
 * kernels are those of all points. O(P³) more at T = 0.
 * @throws FinitewidthError (code "input"), from fit, for targets that no network can produce.
 */
export function conditionOnIndependentPoints<Options, State>(theory: Theory<Options, State>): Theory<Options, State> {
  type Fitted = Posterior<Options, State>;
  const own = (posterior: Fitted, reduction: Reduction | undefined): Fitted => {
    if (reduction === undefined) return posterior;
    const { logEvidence, problem } = posterior;
    const shift = evidenceShift(reduction, problem.targets.shape[1]);
    const changes =
      logEvidence === undefined ? { problem: reduction.problem } : { problem: reduction.problem, logEvidence: logEvidence - shift };
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
    async predict(posterior, inputs, want, run) {
      const reduction = reduce(posterior.problem, run.registry);
      return withBias(await theory.predict(own(posterior, reduction), inputs, want, run), reduction?.bias);
    },
    ...(evidenceGradient
      ? {
          async evidenceGradient(posterior: Fitted, run: Run) {
            const reduction = reduce(posterior.problem, run.registry);
            const found = await evidenceGradient(own(posterior, reduction), run);
            return found && reduction?.bias ? withBiasGradient(found, reduction.bias, posterior.problem) : found;
          },
        }
      : {}),
  };
}

function expand<Options, State>(fitted: Posterior<Options, State>, problem: Problem, reduction: Reduction): Posterior<Options, State> {
  const { logEvidence, train, ...rest } = fitted;
  const { points, bias } = reduction;
  const whole: Posterior<Options, State> = {
    ...rest,
    problem,
    ...(logEvidence === undefined ? {} : { logEvidence: logEvidence + evidenceShift(reduction, problem.targets.shape[1]) }),
    ...(train === undefined ? {} : { train: withBias(points ? expandPrediction(train, points.combinations) : train, bias) }),
    diagnostics: {
      ...rest.diagnostics,
      ...(points ? { independentPoints: [...points.rows] } : {}),
      ...(bias ? { readoutBias: [...bias.values] } : {}),
    },
    warnings: [...rest.warnings, ...(points ? rankWarnings(points.rows.length + (bias ? 1 : 0), problem.targets.shape[0]) : [])],
  };
  return points ? liftKernels(whole, points) : whole;
}

/** Hidden kernels of all points where those of the independent ones determine them; left out elsewhere. */
function liftKernels<Options, State>(
  posterior: Posterior<Options, State>,
  points: NonNullable<Reduction["points"]>,
): Posterior<Options, State> {
  const { hiddenKernels, standardError, ...rest } = posterior;
  const { combinations, hidden } = points;
  const lifted = hidden.every((kernel) => follows(kernel, points));
  const kernels = lifted && hiddenKernels ? hiddenKernels.map((kernel) => both(combinations, kernel)) : undefined;
  const { hiddenKernels: kernelErrors, ...otherErrors } = standardError ?? {};
  const sizes = absolute(combinations);
  const errors = { ...otherErrors, ...(kernels && kernelErrors ? { hiddenKernels: kernelErrors.map((e) => both(sizes, e)) } : {}) };
  return {
    ...rest,
    ...(kernels === undefined ? {} : { hiddenKernels: kernels }),
    ...(standardError === undefined ? {} : { standardError: errors }),
    warnings: [
      ...rest.warnings,
      ...(hiddenKernels && !lifted
        ? ["hidden kernels are left out: at T = 0 they are known at the points in diagnostics.independentPoints only"]
        : []),
    ],
  };
}

const absolute = ({ data, shape }: Matrix): Matrix => ({ data: data.map(Math.abs), shape });

/** Outputs A f of all points; there is no spread at T = 0 for the squares of A to miss. */
function expandPrediction(prediction: Prediction, combinations: Matrix): Prediction {
  const { mean, variance, standardError } = prediction;
  const sizes = absolute(combinations);
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
