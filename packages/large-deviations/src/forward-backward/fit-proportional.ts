import { refusal, type Problem } from "@finitewidth/core";
import { combine, diagonalOf } from "@finitewidth/linalg";
import { createClosure } from "./create-closure.js";
import { predictFromKernels } from "./data-term.js";
import { adaptationByLayer, alignmentByLayer, forceNumber, forwardBackwardFigures } from "./diagnose.js";
import { independentOutputs } from "@finitewidth/numerics";
import { roughFraction, type FitContext, type ForwardBackwardPosterior } from "./fit-context.js";
import type { ForwardBackwardOptions } from "./options.js";
import { solveProportional } from "./proportional.js";
import { closureOptionsOf, type Setting } from "./setting.js";
import { fraction, regimeWarnings } from "./warnings.js";

/** Solves order "proportional". */
export function fitProportional(
  problem: Problem,
  setting: Setting,
  options: ForwardBackwardOptions,
  context: FitContext,
): ForwardBackwardPosterior {
  const { widths, activation, infiniteWidth, targets, temperature, weightVariance, biasVariance } = setting;
  const closure = createClosure(activation, closureOptionsOf(setting, options, context.seed));
  const saddle = solveProportional(
    {
      activation,
      firstKernel: infiniteWidth[0]!,
      targets,
      temperature,
      width: widths[0]!,
      weightVariance: weightVariance[0]!,
      biasVariance: biasVariance[0]!,
      closure,
    },
    (sweeps) => context.tick(roughFraction(sweeps)),
  );
  if (saddle.effectiveFraction < fraction.refused)
    throw refusal(
      "forward-backward",
      `the importance nodes keep only ${(100 * saddle.effectiveFraction).toPrecision(2)} % of their effective sample, too few for an answer; use the closure "gaussian-variational".`,
    );
  const kernels = [infiniteWidth[0]!, saddle.kernel];
  const force = forceNumber(saddle.kernel, saddle);
  const scaled = combine(saddle.orderParameter, saddle.infiniteWidth, 0, saddle.infiniteWidth);
  const { variance } = predictFromKernels(saddle, scaled, diagonalOf(scaled));
  return {
    theory: "forward-backward",
    problem,
    options,
    state: {
      kind: "proportional",
      kernels,
      conjugates: [saddle.conjugate],
      weights: saddle.weights,
      resolvent: saddle.resolvent,
      seed: context.seed,
      orderParameter: saddle.orderParameter,
      tau: saddle.tau,
    },
    solver: { converged: true, iterations: saddle.sweeps, residual: saddle.residual, jitter: 0 },
    train: independentOutputs({ mean: saddle.trainMean, variance }, 1),
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
    },
    warnings: [
      ...regimeWarnings(problem, setting, options, force, saddle.effectiveFraction),
      'order "proportional": variances are those of the renormalised infinite-width kernel Q K',
    ],
    figures: forwardBackwardFigures(kernels, infiniteWidth, targets),
  };
}
