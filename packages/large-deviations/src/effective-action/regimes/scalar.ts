import { pullBackVariances } from "@finitewidth/activations";
import { withLazy, type Matrix, type Prediction } from "@finitewidth/core";
import { fullyConnectedKernels } from "@finitewidth/kernels";
import { countSeparateModes } from "@finitewidth/numerics";
import { fitsMemory, requireMemory } from "@finitewidth/linalg";
import { scalarIntegralGradient, scalarLaplaceGradient } from "../evidence-gradient.js";
import { correctPrediction, withCorrection } from "../correction.js";
import { actionFigure, densityFigure } from "../figures.js";
import { scalarMinima } from "../scalar-minima.js";
import { pointMass, scalarIntegral, scalarSaddle, type OrderParameterNodes } from "../scalar-posterior.js";
import { learnedKernel, predictReduced, predictScalar, predictScalarTrain, trainError, type ScalarPrediction } from "../scalar-predict.js";
import { completeScalarProblem, reduceScalarProblem, type ReducedScalarProblem, type ScalarProblem } from "../scalar-problem.js";
import { denseOf, isLinear, isOdd, means, newPoints, trainKernel, usesMean } from "../setting.js";
import { predictInBlocks } from "./predict-in-blocks.js";
import { columnPrediction, divided, notConverged, plainMeanWarning, severalMinima, solverOf, type Regime } from "./regime.js";
import { sameError, shallowErrors } from "./stated-errors.js";

/** The kernel reduced to tridiagonal form, and the posterior of Q. */
export interface ScalarActionState extends OrderParameterNodes {
  readonly kind: "scalar";
  readonly problem: ReducedScalarProblem;
  /** Q at the saddle, for the correction beyond the Gaussian equivalence. */
  readonly saddle: number;
}

const saddleWarning = (meanRatio: number): readonly string[] =>
  Math.abs(meanRatio - 1) > 0.25
    ? ['the order parameter fluctuates strongly (the 1/N correction to its mean exceeds 25 %): prefer "mode": "integral"']
    : [];

/** Numbers in a cross kernel up to which all test points are predicted at once, and how many are elsewhere. */
const manyNumbers = 2 ** 26;
const together = 1024;

/** Kernels at infinite width of fits of so many points at most, which take a small part of the memory. */
const kept = new WeakMap<ScalarActionState, () => Matrix[]>();
const mostKept = 2000;

/** One fully connected hidden layer, one output, no mean of the activation (or none that is an order parameter). */
export const scalar: Regime<ScalarActionState> = {
  name: "scalar",
  applies: (setting, options) =>
    setting.dense !== undefined && setting.widths.length === 1 && setting.outputs === 1 && !usesMean(setting, options),
  refuses: () => undefined,

  fit(setting, options, run) {
    const { problem, width, biasVariance, weightVariance } = setting;
    const { inputs, targets, temperature } = problem;
    const points = inputs.shape[0];
    // eigenvectors and what makes them, for predictions at the training points and what reads those, and the learned kernel
    const whole = { method: "effective-action", points, arrays: 9.4, together: 2.2 };
    const warned = !isOdd(setting) && temperature > 0;
    // the kernel, its tridiagonal form, and the one that is worked on
    requireMemory(
      warned || options.correction === "cumulant"
        ? whole
        : { ...whole, arrays: 3.4, together: 1 + Math.max(inputs.shape[1], together) / points },
    );
    const readable = fitsMemory(whole);
    const { kernel } = trainKernel(setting, false);
    run.signal?.throwIfAborted();
    const spectral = reduceScalarProblem({ kernel, targets: targets.data, temperature, width, biasVariance });
    run.signal?.throwIfAborted();
    const minima = scalarMinima(spectral);
    const saddle = scalarSaddle(spectral, minima);
    const integral = scalarIntegral(spectral, minima);
    const separate = countSeparateModes(integral.weights);
    const { nodes, weights } = options.mode === "integral" ? integral : pointMass(saddle.orderParameter);
    run.signal?.throwIfAborted();
    let completed: ScalarProblem | undefined;
    const complete = (): ScalarProblem => (completed ??= completeScalarProblem(spectral));
    const train = (): Prediction => columnPrediction(predictScalarTrain(complete(), { nodes, weights }));
    const error = trainError(spectral, { nodes, weights });
    let xi = 0;
    if (warned) {
      // ξ̂ = Q mᵀr with r = (y − f)/T
      const { mean } = train();
      means(setting, inputs).forEach((m, i) => (xi += (saddle.orderParameter * m * (targets.data[i]! - mean.data[i]!)) / temperature));
    }
    const state: ScalarActionState = { kind: "scalar", problem: spectral, nodes, weights, saddle: saddle.orderParameter };
    if (points <= mostKept) kept.set(state, () => [divided(kernel, weightVariance)]);
    const fitted = withLazy(
      {
        state,
        solver: solverOf(minima),
        logEvidence: options.mode === "integral" ? integral.logEvidence : saddle.logEvidence,
        orderParameter: saddle.orderParameter,
        ...(separate > 1 ? { modes: separate } : {}),
        diagnostics: {
          minima: minima.minima.map(({ orderParameter, action }) => ({ orderParameter, action })),
          action: saddle.action,
          actionSecondDerivative: saddle.second,
          orderParameterPosterior: {
            mean: integral.mean,
            variance: integral.variance,
            laplaceMean: saddle.meanOrderParameter,
            laplaceVarianceOfLog: saddle.varianceLogOrderParameter,
          },
          logEvidenceLaplace: saddle.logEvidence,
          logEvidenceIntegral: integral.logEvidence,
          quadratureError: integral.error,
          trainError: error.total,
          trainErrorBias: error.bias,
        },
        warnings: [
          ...notConverged(minima),
          ...severalMinima(minima.minima),
          ...plainMeanWarning(xi, width),
          ...(readable
            ? []
            : [
                `predictions at the ${points} training points and their learned kernel are left out: there is no room for the eigenvectors that they take`,
              ]),
          ...(options.mode === "saddle" ? saddleWarning(saddle.meanOrderParameter / saddle.orderParameter) : []),
        ],
      },
      {
        figures: () => [actionFigure(spectral, minima.minima), densityFigure(integral, saddle.orderParameter)],
        ...(readable
          ? { train, hiddenKernels: () => [divided(learnedKernel(complete(), { nodes, weights }), weightVariance)] }
          : ({} as { train: () => Prediction; hiddenKernels: () => Matrix[] })),
      },
    );
    return withCorrection(setting, options, run, { orderParameter: saddle.orderParameter, zeta: saddle.orderParameter }, fitted);
  },

  predict({ setting, options, state }, inputs, wantCovariance, run) {
    const predict = (block: Matrix): ScalarPrediction => {
      const { cross, variances, own } = newPoints(setting, block, false, wantCovariance);
      return own
        ? predictScalar(completeScalarProblem(state.problem), state, cross, variances, own)
        : predictReduced(state.problem, state, cross, variances);
    };
    const many = !wantCovariance && inputs.shape[0] * setting.problem.inputs.shape[0] > manyNumbers;
    const prediction = columnPrediction(many ? predictInBlocks(inputs, together, predict, run) : predict(inputs));
    return correctPrediction(setting, options, run, { orderParameter: state.saddle, zeta: state.saddle }, inputs, prediction);
  },

  evidenceGradient(setting, options, { problem: spectral }) {
    if (options.correction !== "none") return undefined;
    const { activation, weightVariance, biasVariance } = denseOf(setting);
    const found =
      options.mode === "integral"
        ? scalarIntegralGradient(completeScalarProblem(spectral), scalarIntegral(spectral))
        : spectral.biasVariance === 0
          ? scalarLaplaceGradient(completeScalarProblem(spectral), scalarSaddle(spectral))
          : undefined;
    if (found === undefined) return undefined;
    const { preactivation, hidden } = fullyConnectedKernels(denseOf(setting), setting.problem.inputs);
    const own = pullBackVariances(activation, { preactivation, hidden }, weightVariance, [biasVariance[0]!, 0], found.adjoint);
    return {
      logWeightVariance: Array.from(own.logWeightVariance),
      logBiasVariance: [biasVariance[0]! > 0 ? own.logBiasVariance[0]! : null, biasVariance[1]! > 0 ? found.logReadoutBias : null],
      logTemperature: spectral.temperature > 0 ? found.logTemperature : null,
    };
  },

  infiniteKernels: (state) => kept.get(state)?.(),

  // without a nonlinearity the integral is the exact posterior
  claims: (setting, options) =>
    isLinear(setting)
      ? sameError(options.mode === "integral" ? "exact" : { order: 1 })
      : shallowErrors(setting, options.correction === "cumulant"),
};
