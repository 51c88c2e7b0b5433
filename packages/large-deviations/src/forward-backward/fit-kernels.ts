import { refusal, type Json, type Matrix, type Prediction, type Problem } from "@finitewidth/core";
import { combine, diagonalOf, trace } from "@finitewidth/linalg";
import { independentOutputs } from "@finitewidth/numerics";
import { isNumericalFailure } from "./continuation.js";
import { createClosure, isSampled } from "./create-closure.js";
import { predictFromKernels, trainingDiscrepancy } from "./data-term.js";
import { adaptationByLayer, alignmentByLayer, forceNumber, forwardBackwardFigures } from "./diagnose.js";
import { roughFraction, type FitContext, type ForwardBackwardPosterior } from "./fit-context.js";
import { isLinear } from "./linear-closure.js";
import { solveLinearSaddle } from "./linear-saddle.js";
import type { ForwardBackwardOptions } from "./options.js";
import { jumps } from "./refusals.js";
import { relativeDistance, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle-problem.js";
import { solveSaddle, sweepOnce } from "./saddle.js";
import { closureOptionsOf, solvesInRange, type Setting } from "./setting.js";
import { attempt, guided, guidedStart, secondSolution } from "./starts.js";
import { solveVariationalSaddle } from "./variational-saddle.js";
import { fraction, regimeWarnings } from "./warnings.js";

/** Other scrambles of the nodes that the quadrature error is measured with, besides the one of the solution. */
const otherScrambles = 3;
/** Relative quadrature error of a kernel beyond which a warning is due. */
const warnedError = 0.01;
/** The same of a lattice, which is made for far less. */
const warnedLatticeError = 1e-5;
/** Search for a second solution only below this many operations. */
const cheapWork = 4e7;
/**
 * Limits on the sweeps with random nodes: operations of `sweepOperations` that a solution may take, five to twenty seconds, and sweeps
 * that it may take anyway.
 */
const nodeBudget = { operations: 1.2e10, leastSweeps: 60, mostSweeps: 2000 } as const;
/**
 * Operations of one sweep with n random nodes in L layers: sums over entries of n × P², and as much as a hundred of them for φ at each of n
 * P preactivations. One takes 0.4 to 1.7 ns from P = 4 to 80 with ReLU, erf, GELU and tanh.
 */
export const sweepOperations = (nodes: number, points: number, depth: number): number => nodes * points * (points + 100) * (2 * depth - 1);
/** Sweeps that a closed form or the variational closure may take. */
const deterministicSweeps = 20_000;

/**
 * Mean Y − TV and variance T − T²R_aa at the training inputs, or C V and C_aa − c_aᵀRc_a where T exceeds the kernel (each where it does not
 * cancel) or V and R leave the null directions of C out.
 */
function trainPrediction({ targets, temperature }: Setting, kernel: Matrix, data: Saddle["data"]): Prediction {
  const [points, outputs] = targets.shape;
  if (data.directions < points || temperature > trace(kernel) / points) {
    const { mean, variance } = predictFromKernels(data, kernel, diagonalOf(kernel));
    return independentOutputs({ mean, variance }, outputs);
  }
  const variance = Float64Array.from({ length: points }, (_, i) =>
    Math.max(temperature - temperature ** 2 * data.resolvent.data[i * points + i]!, 0),
  );
  return independentOutputs({ mean: combine(1, targets, -1, data.missed), variance }, outputs);
}

/** Largest relative change of a kernel in one sweep; 1 where the nodes go in a direction in which a tilted measure does not exist. */
function changeInOneSweep(problem: SaddleProblem, kernels: readonly Matrix[]): number {
  try {
    return Math.max(...sweepOnce(problem, kernels).map((kernel, l) => relativeDistance(kernel, kernels[l]!)));
  } catch (error) {
    if (isNumericalFailure(error)) return 1;
    throw error;
  }
}

/**
 * Largest relative change of a kernel in one sweep with other scrambles of the nodes: an upper estimate of the quadrature error. The
 * problem's closure is left with the last of them.
 */
function quadratureError(problem: SaddleProblem, seed: number, saddle: Saddle): number {
  const kernels = saddle.kernels.slice(1);
  let sum = 0;
  for (let i = 1; i <= otherScrambles; i++) {
    problem.closure.rescramble!(seed + i);
    sum += changeInOneSweep(problem, kernels) ** 2 / otherScrambles;
  }
  // the difference of two scrambles has twice the variance of one
  return Math.sqrt(sum / 2);
}

/** Largest relative distance to a kernel of solutions with two other scrambles; undefined where one of them finds none. */
function differenceOfSolutions(
  { closure }: SaddleProblem,
  seed: number,
  saddle: Saddle,
  solve: (options: SaddleOptions) => Saddle,
  beforeSweep: (sweeps: number) => void,
): number | undefined {
  let largest = 0;
  for (const other of [1, 2]) {
    closure.rescramble!(seed + other);
    const found = attempt(() => solve({ tolerance: 1e-4, totalSweeps: 2 * saddle.sweeps, beforeSweep }));
    if (!found) return undefined;
    largest = Math.max(largest, ...found.hidden.map((kernel, l) => relativeDistance(kernel, saddle.hidden[l]!)));
  }
  return largest;
}

/** Solves order "full" or "first". */
export function fitKernels(
  problem: Problem,
  setting: Setting,
  options: ForwardBackwardOptions,
  context: FitContext,
): ForwardBackwardPosterior {
  const { widths, activation, infiniteWidth, targets, temperature, weightVariance, biasVariance } = setting;
  const closureOptions = closureOptionsOf(setting, options, context.seed);
  const saddleProblem: SaddleProblem = {
    firstKernel: infiniteWidth[0]!,
    infiniteWidth: infiniteWidth.slice(1),
    targets,
    temperature,
    widths,
    weightVariance,
    biasVariance,
    closure: createClosure(activation, closureOptions),
  };
  const variational = options.closure === "gaussian-variational" && options.order === "full" && !isLinear(activation);
  const beforeSweep = (sweeps: number): void => context.tick(roughFraction(sweeps));
  const points = targets.shape[0];
  const sampled = isSampled(activation, closureOptions);
  const perSweep = sweepOperations(2 ** closureOptions.log2Count, points, widths.length);
  const totalSweeps = sampled
    ? Math.min(Math.max(Math.floor(nodeBudget.operations / perSweep), nodeBudget.leastSweeps), nodeBudget.mostSweeps)
    : deterministicSweeps;
  // tolerances: forward differences cannot do better than this on large kernels
  const matrixEquation = solvesInRange(setting, options);
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
  // where φ jumps, the rounding of equal inputs costs its square root; linear kernels stay singular, which whitening makes more of
  const rounds = jumps(activation) || isLinear(activation);
  const first =
    (start && attempt(() => solve({ tolerance, beforeSweep, start }))) ??
    (rounds ? (attempt(accurate) ?? solve({ tolerance: looseTolerance, beforeSweep })) : accurate());
  const perAverage = isLinear(activation) || variational ? 20 * points ** 3 : 2 ** 15 * points ** 2;
  const { saddle, warning } =
    first.sweeps * widths.length * 2 * perAverage < cheapWork ? secondSolution(first, solve, beforeSweep) : { saddle: first };
  if (saddle.effectiveFraction < fraction.refused) {
    throw refusal(
      "forward-backward",
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
  const swept = sampled ? quadratureError(saddleProblem, context.seed, saddle) : undefined;
  // near where a measure ceases to exist a sweep makes far more of the nodes' errors than the solution does
  const steep =
    swept !== undefined && swept > warnedError && activation.degree === 1 && saddle.sweeps * perSweep < nodeBudget.operations / 2;
  const error = (steep ? differenceOfSolutions(saddleProblem, context.seed, saddle, solve, beforeSweep) : undefined) ?? swept;
  if (error !== undefined && error > warnedError)
    warnings.push(
      `the kernels carry an estimated quadrature error of ${Number((100 * error).toPrecision(2))} %; raise "nodes" (now 2^${closureOptions.log2Count}) or use the closure "gaussian-variational"`,
    );
  if (saddle.quadratureError !== undefined && saddle.quadratureError > warnedLatticeError)
    warnings.push(
      `the lattice that averages over the tilted measure has an estimated relative error of ${saddle.quadratureError.toExponential(0)} where it is finest; the data pull very hard`,
    );
  const diagnostics: { [key: string]: Json } = {
    residual: saddle.residual,
    sweeps: saddle.sweeps,
    forceNumber: force,
    alignment: alignmentByLayer(saddle.kernels, infiniteWidth, targets),
    adaptation: adaptationByLayer(saddle.kernels, infiniteWidth),
    effectiveSampleFraction: saddle.effectiveFraction,
    ...(saddle.quadratureError === undefined ? {} : { quadratureError: saddle.quadratureError }),
    logDataTerm: saddle.data.logDensity,
    ...(saddle.rate === undefined ? {} : { rate: saddle.rate }),
    discrepancySquared: trainingDiscrepancy(saddle.data, temperature),
    ...(error === undefined ? {} : { quadratureError: error }),
  };
  return {
    theory: "forward-backward",
    problem,
    options,
    state: {
      kind: "kernels",
      kernels: saddle.kernels,
      conjugates: saddle.conjugates,
      weights: saddle.data.weights,
      resolvent: saddle.data.resolvent,
      seed: context.seed,
    },
    solver: { converged: true, iterations: saddle.sweeps, residual: saddle.residual, jitter: 0 },
    ...(saddle.action === undefined ? {} : { logEvidence: saddle.action, evidenceIsLeadingOrder: true }),
    train: trainPrediction(setting, saddle.kernels.at(-1)!, saddle.data),
    hiddenKernels: saddle.hidden,
    diagnostics,
    warnings,
    figures: forwardBackwardFigures(saddle.kernels, infiniteWidth, targets),
  };
}
