import { rowsOf, type Matrix } from "@finitewidth/core";
import { matrixFigure } from "../figures.js";
import { matrixLogEvidence, matrixMinima } from "../matrix-minima.js";
import { meanSaddle } from "../mean-saddle.js";
import { multiOutputLearnedKernel, predictMultiOutput, predictMultiOutputTrain } from "../multi-output-predict.js";
import { createMultiOutputProblem, requireMinimum, type MultiOutputProblem } from "../multi-output-problem.js";
import { multiOutputAction, multiOutputState } from "../multi-output-state.js";
import { isLinear, newPoints, trainKernel, usesMean } from "../setting.js";
import {
  divided,
  errorOn,
  hessianLimit,
  largeStart,
  minimaReport,
  notConverged,
  outputArrays,
  requireArrays,
  severalMinima,
  singularPrior,
  solverOf,
  type Regime,
} from "./regime.js";
import { sameError, shallowErrors } from "./stated-errors.js";

/** The problem in the eigenbasis of the kernel and the order parameters at the saddle. */
export interface MultiOutputActionState {
  readonly kind: "multi-output";
  readonly problem: MultiOutputProblem;
  /** Q: D × D. */
  readonly orderParameter: Matrix;
  /** ζ: D × D, where the mean of the activation has an order parameter of its own. */
  readonly zeta?: Matrix;
}

/** One fully connected hidden layer, several outputs: a D × D order parameter, and a second one for the mean. */
export const multiOutput: Regime<MultiOutputActionState> = {
  name: "multi-output",
  applies: ({ dense, widths, outputs }) => dense !== undefined && widths.length === 1 && outputs > 1,
  refuses: () => undefined,

  fit(setting, options, run) {
    const { problem, width, biasVariance, weightVariance, outputs } = setting;
    const { targets, temperature } = problem;
    const tick = (): void => run.signal?.throwIfAborted();
    requireArrays(setting, outputArrays);
    const { kernel, mean } = trainKernel(setting, usesMean(setting, options));
    tick();
    const several = createMultiOutputProblem({ kernel, targets, temperature, width, biasVariance, ...(mean ? { mean } : {}) });
    requireMinimum(several, width);
    tick();
    const singular = singularPrior(outputs, width, "outputs");
    if (mean) {
      const saddle = meanSaddle(several);
      const { orderParameter, zeta, xi } = saddle;
      const state = multiOutputState(several, orderParameter, zeta);
      const train = predictMultiOutputTrain(several, state);
      return {
        state: { kind: "multi-output", problem: several, orderParameter, zeta },
        solver: solverOf(saddle),
        train,
        orderParameter,
        hiddenKernels: [divided(multiOutputLearnedKernel(several, state), weightVariance)],
        diagnostics: {
          minima: [{ orderParameter: rowsOf(orderParameter), zeta: rowsOf(zeta) }],
          zeta: rowsOf(zeta),
          xi: Array.from(xi),
          trainError: errorOn(train, targets),
        },
        warnings: [...notConverged(saddle), ...singular],
        figures: [matrixFigure(orderParameter, "outputs")],
      };
    }
    const action = multiOutputAction(several);
    const minima = matrixMinima(action, several.rank <= width, largeStart({ width, targets: several.targets, temperature }), tick);
    const best = minima[0];
    const { orderParameter } = best;
    const state = multiOutputState(several, orderParameter);
    const train = predictMultiOutputTrain(several, state);
    const hasEvidence = singular.length === 0 && outputs <= hessianLimit;
    return {
      state: { kind: "multi-output", problem: several, orderParameter },
      solver: solverOf(best),
      ...(hasEvidence ? { logEvidence: matrixLogEvidence(action, best, targets.data.length) } : {}),
      train,
      orderParameter,
      hiddenKernels: [divided(multiOutputLearnedKernel(several, state), weightVariance)],
      diagnostics: { minima: minimaReport(minima), action: best.action, trainError: errorOn(train, targets) },
      warnings: [...notConverged(best), ...severalMinima(minima), ...singular],
      figures: [matrixFigure(orderParameter, "outputs")],
    };
  },

  predict({ setting, state: { problem, orderParameter, zeta } }, inputs, wantCovariance) {
    const points = newPoints(setting, inputs, zeta !== undefined, wantCovariance);
    return predictMultiOutput(problem, multiOutputState(problem, orderParameter, zeta), points);
  },

  claims: (setting) => (isLinear(setting) ? sameError({ order: 1 }) : shallowErrors(setting)),
};
