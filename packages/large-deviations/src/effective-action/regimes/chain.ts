import { rowsOf, type Matrix } from "@finitewidth/core";
import { matrixFigure } from "../figures.js";
import { homogeneityExponents } from "../homogeneous.js";
import { matrixChainSaddle } from "../matrix-chain.js";
import { predictMultiOutput, predictMultiOutputTrain } from "../multi-output-predict.js";
import { createMultiOutputProblem, requireMinimum, type MultiOutputProblem } from "../multi-output-problem.js";
import { multiOutputState } from "../multi-output-state.js";
import { denseOf, isLinear, newPoints, trainKernel } from "../setting.js";
import { productRefusal } from "./deep.js";
import { errorOn, notConverged, outputArrays, requireArrays, singularPrior, solverOf, type Regime } from "./regime.js";
import { deepErrors, sameError } from "./stated-errors.js";

/** The problem in the eigenbasis of the kernel K^{L+1} and M_1, which multiplies it. */
export interface ChainActionState {
  readonly kind: "chain";
  readonly problem: MultiOutputProblem;
  /** M_1: D × D. */
  readonly orderParameter: Matrix;
}

/**
 * Several fully connected hidden layers, several outputs: a chain of D × D matrices, all of which multiply the readout kernel: closure
 * "product", or "nested" with degree 1 and no hidden biases.
 */
export const chain: Regime<ChainActionState> = {
  name: "chain",
  applies: ({ dense, widths, outputs }) => dense !== undefined && widths.length > 1 && outputs > 1,
  refuses(setting, options) {
    const { activation, biasVariance } = denseOf(setting);
    const exponents = homogeneityExponents(options.closure, activation.degree, biasVariance);
    if (!exponents?.every((exponent) => exponent === 1))
      return `deep networks with ${setting.outputs} outputs need order parameters outside the recursion: set "closure": "product" (without biases in layers 2 … L + 1), or fit one output at a time.`;
    return productRefusal(setting, options);
  },

  fit(setting, _options, run) {
    const { problem, width, widths, biasVariance, outputs } = setting;
    const { targets, temperature } = problem;
    requireArrays(setting, outputArrays);
    const { kernel } = trainKernel(setting, false);
    run.signal?.throwIfAborted();
    const several = createMultiOutputProblem({ kernel, targets, temperature, width, biasVariance });
    requireMinimum(several, Math.min(...widths));
    const saddle = matrixChainSaddle(several, widths, () => run.signal?.throwIfAborted());
    const first = saddle.matrices[0]!;
    const train = predictMultiOutputTrain(several, multiOutputState(several, first));
    return {
      state: { kind: "chain", problem: several, orderParameter: first },
      solver: solverOf(saddle),
      train,
      orderParameter: first,
      diagnostics: {
        minima: [{ orderParameter: rowsOf(first), action: saddle.action }],
        matricesByLayer: saddle.matrices.map(rowsOf),
        action: saddle.action,
        trainError: errorOn(train, targets),
      },
      warnings: [...notConverged(saddle), ...singularPrior(outputs, Math.min(...widths), "outputs")],
      figures: [matrixFigure(first, "outputs")],
    };
  },

  predict: ({ setting, state: { problem, orderParameter } }, inputs, wantCovariance) =>
    predictMultiOutput(problem, multiOutputState(problem, orderParameter), newPoints(setting, inputs, false, wantCovariance)),

  claims: (setting) => (isLinear(setting) ? sameError({ order: 1 }) : deepErrors(setting)),
};
