import {
  FinitewidthError,
  refusal,
  zeros,
  type Activation,
  type Json,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Registry,
  type Task,
  type Tensor,
} from "@finitewidth/core";
import { combine, symmetricEigenvalues, trace } from "@finitewidth/linalg";
import { isNumericalFailure } from "./continuation.js";
import { createClosure, isSampled } from "./create-closure.js";
import { predictFromKernels, trainingDiscrepancy } from "./data-term.js";
import { adaptationByLayer, alignmentByLayer, forceNumber, forwardBackwardFigures, trustedForce } from "./diagnose.js";
import { isLinear } from "./linear-closure.js";
import { isBiasFree, solveLinearSaddle } from "./linear-saddle.js";
import type { ForwardBackwardOptions } from "./options.js";
import { solveProportional } from "./proportional.js";
import { jumps } from "./refusals.js";
import { relativeDistance, solveSaddle, sweepOnce, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle.js";
import { closureOptionsOf, settingOf, type Setting } from "./solve-network.js";
import { solveVariationalSaddle } from "./variational-saddle.js";

/** Limits on the effective sample fraction. */
const fraction = { refused: 0.05, warned: 0.2 } as const;
/** Other scrambles of the nodes that the quadrature error is measured with, besides the one of the solution. */
const otherScrambles = 3;
/** Relative quadrature error of a kernel beyond which a warning is due. */
const warnedError = 0.01;
/** Search for a second solution only below this many operations. */
const cheapWork = 4e7;
/**
 * Limits on the sweeps with random nodes: sums over entries of nodes × points² that a solution may take, and sweeps that it may take
 * anyway.
 */
const nodeBudget = { operations: 7e9, leastSweeps: 60, mostSweeps: 2000 } as const;
/** Sweeps that a closed form or the variational closure may take. */
const deterministicSweeps = 20_000;
/**
 * Random nodes beyond this many points start from the variational solution, where they must keep this effective sample fraction once a
 * solution from scratch is dear.
 */
const guided = { points: 3, leastFraction: 0.01, dearPoints: 16 } as const;

/** What a fit may use besides its arguments. */
export interface FitContext {
  readonly registry: Registry;
  readonly seed: number;
  /** Called before every sweep with the fraction done, roughly; throws to cancel. */
  tick(fraction: number): void;
}

const name = "forward-backward";

/** Share of the sweeps done: most solutions take 10–140. */
const roughFraction = (sweeps: number): number => sweeps / (sweeps + 30);

/** Equal variance of all outputs: P × D. */
function spread(variance: Float64Array, outputs: number): Matrix {
  const out = zeros(variance.length, outputs);
  for (let i = 0; i < out.data.length; i++) out.data[i] = variance[Math.floor(i / outputs)]!;
  return out;
}

/** Options as they go into the diagnostics, from where `predict` reads them. */
const optionsJson = ({ order, closure, nodes }: ForwardBackwardOptions): Json =>
  nodes === undefined ? { order, closure } : { order, closure, nodes };

/** Stacks equal matrices into one tensor. */
function stack(matrices: readonly Matrix[]): Tensor {
  const [rows, columns] = matrices[0]!.shape;
  const data = new Float64Array(matrices.length * rows * columns);
  matrices.forEach((m, i) => data.set(m.data, i * rows * columns));
  return { data, shape: [matrices.length, rows, columns] };
}

/** Entries of a stack. */
export const unstack = ({ data, shape }: Tensor): Matrix[] => {
  const [count, rows, columns] = shape as [number, number, number];
  return Array.from({ length: count }, (_, i) => ({
    data: data.subarray(i * rows * columns, (i + 1) * rows * columns),
    shape: [rows, columns],
  }));
};

/**
 * Mean Y − TV and variance T − T²R_aa at the training inputs, or C V and C_aa − c_aᵀRc_a where T exceeds the kernel: each where it does not
 * cancel.
 */
function trainPrediction({ targets, temperature }: Setting, kernel: Matrix, data: Saddle["data"]): Prediction {
  const [points, outputs] = targets.shape;
  if (temperature > trace(kernel) / points) {
    const { mean, variance } = predictFromKernels(
      data,
      kernel,
      Float64Array.from({ length: points }, (_, i) => kernel.data[i * points + i]!),
    );
    return { mean, variance: spread(variance, outputs) };
  }
  const variance = Float64Array.from({ length: points }, (_, i) =>
    Math.max(temperature - temperature ** 2 * data.resolvent.data[i * points + i]!, 0),
  );
  return { mean: combine(1, targets, -temperature, data.weights), variance: spread(variance, outputs) };
}

/** Warnings about the regime (docs/theories/forward-backward.md, "When to trust it"). */
function regimeWarnings(
  problem: Problem,
  { network, activation, targets }: Setting,
  options: ForwardBackwardOptions,
  force: number,
  effectiveFraction: number,
): string[] {
  const [points, outputs] = targets.shape;
  const warnings: string[] = [];
  if (effectiveFraction < fraction.warned)
    warnings.push(
      `the importance nodes keep only ${(100 * effectiveFraction).toFixed(0)} % of their effective sample: kernels are less accurate than usual; raise "nodes" or use the closure "gaussian-variational"`,
    );
  if (options.closure === "gaussian-variational" && options.order !== "first" && !isLinear(activation))
    warnings.push("the Gaussian variational closure misses 10–35 % of the shift of the kernels (measured for erf)");
  if (options.order !== "proportional") {
    if (force < trustedForce) {
      warnings.push(
        `force number ${force.toPrecision(2)} is below ${trustedForce}: the data pull too weakly for the kernels to stop fluctuating, and predictive and logEvidence are less accurate here than the infinite-width ones; for them use "perturbative", "effective-action"${network.widths.length === 1 && outputs === 1 ? ' or order "proportional"' : ""}. The hidden kernels are still better than at infinite width`,
      );
    } else if (problem.scaling === "standard") {
      warnings.push(
        "standard scaling: kernels, predictor and evidence are exact as N → ∞ only when the targets grow like √N or the outputs like N; at fixed targets the predictor misses kernel fluctuations of the same order as its correction",
      );
    }
    const narrow = network.widths.findIndex((width) => width < (points * outputs) / 2);
    if (narrow >= 0)
      warnings.push(
        `layer ${narrow + 1} has width ${network.widths[narrow]}, less than P·D/2 = ${(points * outputs) / 2}: relative errors of order ${Math.min((points * outputs) / network.widths[narrow]!, 9.9).toPrecision(2)} are possible${network.widths.length === 1 && outputs === 1 ? '; order "proportional" is made for this' : ""}`,
      );
  }
  return warnings;
}

/** The result, or undefined where the solver did not converge. */
function attempt<T>(solve: () => T): T | undefined {
  try {
    return solve();
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-converged") return undefined;
    throw error;
  }
}

/** Starts from stronger data (s = 2) to see whether another solution exists; the one with the larger action wins. */
function secondSolution(
  saddle: Saddle,
  solve: (options: SaddleOptions) => Saddle,
  beforeSweep: (sweeps: number) => void,
): { readonly saddle: Saddle; readonly warning?: string } {
  const other = attempt(() => {
    const strong = solve({ strength: 2, start: saddle.kernels.slice(1), tolerance: 1e-4, maximumSweeps: 60, beforeSweep });
    return solve({ start: strong.kernels.slice(1), maximumSweeps: 120, beforeSweep });
  });
  if (!other) return { saddle };
  const distance = relativeDistance(other.kernels.at(-1)!, saddle.kernels.at(-1)!);
  if (distance < 1e-5) return { saddle };
  const better = (other.action ?? Number.NEGATIVE_INFINITY) > (saddle.action ?? Number.NEGATIVE_INFINITY);
  return {
    saddle: better ? other : saddle,
    warning: `another solution was found from stronger data, its readout kernel ${(100 * distance).toPrecision(2)} % away; the one with the larger action (${Math.max(other.action ?? Number.NaN, saddle.action ?? Number.NaN).toPrecision(6)}) is reported`,
  };
}

/** Largest relative change of a kernel in one sweep with other scrambles of the nodes: an upper estimate of the quadrature error. */
function quadratureError(setting: Setting, options: ForwardBackwardOptions, seed: number, problem: SaddleProblem, saddle: Saddle): number {
  const kernels = saddle.kernels.slice(1);
  let sum = 0;
  for (let i = 1; i <= otherScrambles; i++) {
    const closure = createClosure(setting.activation, closureOptionsOf(setting, options, seed + i));
    const swept = sweepOnce({ ...problem, closure }, kernels);
    sum += Math.max(...swept.map((kernel, l) => relativeDistance(kernel, kernels[l]!))) ** 2 / otherScrambles;
  }
  // the difference of two scrambles has twice the variance of one
  return Math.sqrt(sum / 2);
}

/**
 * @throws FinitewidthError (code "refused") naming the temperature at T = 0 with a singular readout kernel: no posterior interpolates then.
 */
function requireRegular({ infiniteWidth, temperature }: Setting): void {
  if (temperature > 0) return;
  const values = symmetricEigenvalues(infiniteWidth.at(-1)!);
  if (values[0]! > values.length * Number.EPSILON * values.at(-1)!) return;
  throw new FinitewidthError(
    `[${name}] likelihood.temperature: expected a number > 0, got 0: the readout kernel of these inputs is singular (duplicate, dependent or more inputs than features), so the outputs cannot interpolate the targets and the evidence does not exist`,
    { code: "refused", path: "likelihood.temperature", expected: "a number > 0", received: "0" },
  );
}

/**
 * Start of a solution with random nodes at many points: the variational one, or undefined where there is none or the nodes collapse there.
 * @throws FinitewidthError (code "not-converged") when they collapse at more than 16 points: with P > N and strong data the measure is too
 * far from every Gaussian for importance sampling.
 */
function guidedStart(activation: Activation, problem: SaddleProblem, beforeSweep: (sweeps: number) => void): readonly Matrix[] | undefined {
  let guide: Saddle;
  try {
    guide = solveVariationalSaddle(activation, problem, { tolerance: 1e-6, beforeSweep });
  } catch (error) {
    if (!(error instanceof FinitewidthError && isNumericalFailure(error))) throw error;
    return undefined;
  }
  const fractions = guide.conjugates.map(
    (conjugate, l) =>
      problem.closure.averages({ kernel: guide.kernels[l]!, conjugate, weightVariance: problem.weightVariance[l]! }, { gradient: false })
        .effectiveFraction,
  );
  const worst = Math.min(...fractions);
  if (worst < guided.leastFraction) {
    if (problem.targets.shape[0] <= guided.dearPoints) return undefined;
    throw new FinitewidthError(
      `[${name}] the equations cannot be solved with importance nodes here: at the Gaussian variational solution layer ${fractions.indexOf(worst) + 1} keeps only ${(100 * worst).toPrecision(2)} % of their effective sample (${problem.targets.shape[0]} points, widths ${problem.widths.join(", ")}); use the closure "gaussian-variational", fewer points, larger widths or a higher temperature`,
      { code: "not-converged" },
    );
  }
  return guide.kernels.slice(1);
}

/** Solves order "full" or "first". */
function fitKernels(problem: Problem, setting: Setting, options: ForwardBackwardOptions, context: FitContext): Posterior {
  const { network, activation, infiniteWidth, targets, temperature, weightVariance, biasVariance } = setting;
  const closureOptions = closureOptionsOf(setting, options, context.seed);
  const saddleProblem: SaddleProblem = {
    firstKernel: infiniteWidth[0]!,
    infiniteWidth: infiniteWidth.slice(1),
    targets,
    temperature,
    widths: network.widths,
    weightVariance,
    biasVariance,
    closure: createClosure(activation, closureOptions),
  };
  const variational = options.closure === "gaussian-variational" && options.order === "full" && !isLinear(activation);
  const beforeSweep = (sweeps: number): void => context.tick(roughFraction(sweeps));
  const points = targets.shape[0];
  const sampled = isSampled(activation, closureOptions);
  const perSweep = 2 ** closureOptions.log2Count * points ** 2 * (2 * network.widths.length - 1);
  const totalSweeps = sampled
    ? Math.min(Math.max(Math.floor(nodeBudget.operations / perSweep), nodeBudget.leastSweeps), nodeBudget.mostSweeps)
    : deterministicSweeps;
  // tolerances: forward differences cannot do better than this on large kernels
  const matrixEquation = isLinear(activation) && options.order === "full" && isBiasFree(biasVariance);
  const solve = (solverOptions: SaddleOptions): Saddle => {
    if (matrixEquation) return solveLinearSaddle(activation, saddleProblem, solverOptions);
    const limited = { totalSweeps, ...solverOptions };
    if (variational) return solveVariationalSaddle(activation, saddleProblem, limited);
    // for linear φ the variational Gaussian is exact, and its coordinates suit kernels of low rank
    const exactVariational = isLinear(activation) && options.order === "full" && !solverOptions.start;
    return (
      (exactVariational && attempt(() => solveVariationalSaddle(activation, saddleProblem, limited))) || solveSaddle(saddleProblem, limited)
    );
  };
  const start =
    sampled && options.order === "full" && points > guided.points && !jumps(activation)
      ? guidedStart(activation, saddleProblem, beforeSweep)
      : undefined;
  const looseTolerance = 1e-8;
  const tolerance = points > 64 ? looseTolerance : 1e-10;
  const accurate = (): Saddle => solve({ tolerance, beforeSweep });
  // where φ jumps, the rounding of equal inputs costs its square root
  const first =
    (start && attempt(() => solve({ tolerance, beforeSweep, start }))) ??
    (jumps(activation) ? (attempt(accurate) ?? solve({ tolerance: looseTolerance, beforeSweep })) : accurate());
  const perAverage = isLinear(activation) || variational ? 20 * points ** 3 : 2 ** 15 * points ** 2;
  const { saddle, warning } =
    first.sweeps * network.widths.length * 2 * perAverage < cheapWork ? secondSolution(first, solve, beforeSweep) : { saddle: first };
  if (saddle.effectiveFraction < fraction.refused) {
    throw refusal(
      name,
      `the importance nodes keep only ${(100 * saddle.effectiveFraction).toPrecision(2)} % of their effective sample, too few for an answer; use the closure "gaussian-variational", order "first", or raise "nodes".`,
    );
  }
  const force = forceNumber(saddle.kernels.at(-1)!, saddle.data);
  const warnings = [
    ...regimeWarnings(problem, setting, options, force, saddle.effectiveFraction),
    ...(warning === undefined ? [] : [warning]),
  ];
  if (saddle.residual > tolerance && jumps(activation))
    warnings.push(
      `the equations are solved to a residual of ${saddle.residual.toExponential(1)} only; the activation "${activation.name}" jumps, and equal inputs round differently`,
    );
  const error = sampled ? quadratureError(setting, options, context.seed, saddleProblem, saddle) : undefined;
  if (error !== undefined && error > warnedError)
    warnings.push(
      `the kernels carry an estimated quadrature error of ${(100 * error).toPrecision(2)} %; raise "nodes" (now 2^${closureOptions.log2Count}) or use the closure "gaussian-variational"`,
    );
  const discrepancy = trainingDiscrepancy(saddle.data, temperature);
  const diagnostics: { [key: string]: Json } = {
    residual: saddle.residual,
    sweeps: saddle.sweeps,
    forceNumber: force,
    alignment: alignmentByLayer(saddle.kernels, infiniteWidth, targets),
    adaptation: adaptationByLayer(saddle.kernels, infiniteWidth),
    effectiveSampleFraction: saddle.effectiveFraction,
    logDataTerm: saddle.data.logDensity,
    ...(saddle.rate === undefined ? {} : { rate: saddle.rate }),
    discrepancySquared: discrepancy.square,
    ...(error === undefined ? {} : { quadratureError: error }),
    seed: context.seed,
    options: optionsJson(options),
  };
  return {
    theory: name,
    problem,
    arrays: {
      kernels: stack(saddle.kernels),
      conjugates: stack(saddle.conjugates),
      weights: saddle.data.weights,
      resolvent: saddle.data.resolvent,
    },
    solver: { converged: true, iterations: saddle.sweeps, residual: saddle.residual, jitter: 0 },
    ...(saddle.action === undefined ? {} : { logEvidence: saddle.action }),
    train: trainPrediction(setting, saddle.kernels.at(-1)!, saddle.data),
    hiddenKernels: saddle.hidden,
    diagnostics,
    warnings,
    figures: forwardBackwardFigures(saddle.kernels, infiniteWidth, targets),
  };
}

/** Solves order "proportional". */
function fitProportional(problem: Problem, setting: Setting, options: ForwardBackwardOptions, context: FitContext): Posterior {
  const { network, activation, infiniteWidth, targets, temperature, weightVariance, biasVariance } = setting;
  const closure = createClosure(activation, closureOptionsOf(setting, options, context.seed));
  const saddle = solveProportional(
    {
      activation,
      firstKernel: infiniteWidth[0]!,
      targets,
      temperature,
      width: network.widths[0]!,
      weightVariance: weightVariance[0]!,
      biasVariance: biasVariance[0]!,
      closure,
    },
    (sweeps) => context.tick(roughFraction(sweeps)),
  );
  if (saddle.effectiveFraction < fraction.refused)
    throw refusal(
      name,
      `the importance nodes keep only ${(100 * saddle.effectiveFraction).toPrecision(2)} % of their effective sample, too few for an answer; use the closure "gaussian-variational".`,
    );
  const kernels = [infiniteWidth[0]!, saddle.kernel];
  const force = forceNumber(saddle.kernel, saddle);
  const renormalised = { weights: saddle.weights, resolvent: saddle.resolvent };
  const scaled = combine(saddle.orderParameter, saddle.infiniteWidth, 0, saddle.infiniteWidth);
  const points = targets.shape[0];
  const { variance } = predictFromKernels(
    renormalised,
    scaled,
    Float64Array.from({ length: points }, (_, i) => scaled.data[i * points + i]!),
  );
  return {
    theory: name,
    problem,
    arrays: {
      kernels: stack(kernels),
      conjugates: stack([saddle.conjugate]),
      weights: saddle.weights,
      resolvent: saddle.resolvent,
      proportional: { data: Float64Array.of(saddle.orderParameter, saddle.tau), shape: [2] },
    },
    solver: { converged: true, iterations: saddle.sweeps, residual: saddle.residual, jitter: 0 },
    train: { mean: saddle.trainMean, variance: spread(variance, 1) },
    orderParameter: saddle.orderParameter,
    hiddenKernels: [
      { data: saddle.kernel.data.map((value) => (value - biasVariance[0]!) / weightVariance[0]!), shape: saddle.kernel.shape },
    ],
    diagnostics: {
      residual: saddle.residual,
      sweeps: saddle.sweeps,
      forceNumber: force,
      alignment: alignmentByLayer(kernels, infiniteWidth, targets),
      adaptation: adaptationByLayer(kernels, infiniteWidth),
      effectiveSampleFraction: saddle.effectiveFraction,
      tau: saddle.tau,
      seed: context.seed,
      options: optionsJson(options),
    },
    warnings: [
      ...regimeWarnings(problem, setting, options, force, saddle.effectiveFraction),
      'order "proportional": variances are those of the renormalised infinite-width kernel Q K',
    ],
    figures: forwardBackwardFigures(kernels, infiniteWidth, targets),
  };
}

/** Fits the theory to a problem that it does not refuse. */
export function fitForwardBackward(problem: Problem, options: ForwardBackwardOptions, context: FitContext): Posterior {
  const setting = settingOf(problem, context.registry);
  requireRegular(setting);
  return options.order === "proportional"
    ? fitProportional(problem, setting, options, context)
    : fitKernels(problem, setting, options, context);
}

/** A fit as plain data. */
export interface FitChunk {
  readonly problem: Problem;
  readonly options: ForwardBackwardOptions;
  readonly seed: number;
}

/** `fitForwardBackward` for workers, so that a long solution can be followed and cancelled. */
export const fitTask: Task<FitChunk, Posterior> = {
  module: import.meta.url,
  name: "fitTask",
  run: ({ problem, options, seed }, { registry, tick }) => fitForwardBackward(problem, options, { registry, seed, tick }),
};
