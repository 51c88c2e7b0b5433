import type { Matrix } from "@finitewidth/core";
import { correctPrediction, withCorrection } from "../correction.js";
import { densityFigure } from "../figures.js";
import { meanIntegral, type MeanIntegral, type MeanNodes } from "../mean-integral.js";
import { meanLearnedKernel, predictMeanIntegral, predictMeanIntegralTrain } from "../mean-predict.js";
import { meanSaddle, type MeanSaddle } from "../mean-saddle.js";
import { predictMultiOutput, predictMultiOutputTrain } from "../multi-output-predict.js";
import { createMultiOutputProblem, type MultiOutputProblem } from "../multi-output-problem.js";
import { multiOutputState } from "../multi-output-state.js";
import { newPoints, trainKernel, usesMean } from "../setting.js";
import {
  columnPrediction,
  divided,
  errorOn,
  notConverged,
  outputArrays,
  requireArrays,
  severalMinima,
  solverOf,
  type Regime,
} from "./regime.js";
import { shallowErrors } from "./stated-errors.js";

/** The problem in the eigenbasis of the centred kernel, the posterior of (ξ, Q) and the saddle (Q, ζ). */
export interface MeanActionState extends MeanNodes {
  readonly kind: "mean";
  readonly problem: MultiOutputProblem;
  /** Q and ζ: 1 × 1. */
  readonly orderParameter: Matrix;
  readonly zeta: Matrix;
}

/** One fully connected hidden layer, one output, an activation with a mean: two order parameters. */
export const mean: Regime<MeanActionState> = {
  name: "mean",
  applies: (setting, options) =>
    setting.dense !== undefined && setting.widths.length === 1 && setting.outputs === 1 && usesMean(setting, options),
  refuses: ({ problem, biasVariance, width }, { mode }) =>
    problem.temperature === 0 && biasVariance > 0 && mode === "integral" && width < 2
      ? `width 1 with T = 0 and a readout bias leaves nothing to integrate over; raise the temperature or use "mode": "saddle".`
      : undefined,

  fit(setting, options, run) {
    const { problem, width, biasVariance, weightVariance } = setting;
    const { targets, temperature } = problem;
    requireArrays(setting, outputArrays);
    const { kernel, mean: m } = trainKernel(setting, true);
    run.signal?.throwIfAborted();
    const two = createMultiOutputProblem({ kernel, targets, temperature, width, biasVariance, mean: m! });
    // The fixed point is found from the infinite-width point; where there can be several, from far below and above as well.
    const starts = two.rank > width ? [1, 0.01, 20] : [1];
    const saddles = distinct(starts.map((start) => meanSaddle(two, start)));
    run.signal?.throwIfAborted();
    const integral = meanIntegral(
      two,
      saddles.map(({ orderParameter }) => orderParameter.data[0]!),
    );
    saddles.sort((a, b) => densityNear(integral, b.orderParameter.data[0]!) - densityNear(integral, a.orderParameter.data[0]!));
    const saddle = saddles[0]!;
    const [Q, zeta] = [saddle.orderParameter.data[0]!, saddle.zeta.data[0]!];
    run.signal?.throwIfAborted();
    const average = options.mode === "integral";
    const train = average
      ? columnPrediction(predictMeanIntegralTrain(two, integral))
      : predictMultiOutputTrain(two, multiOutputState(two, saddle.orderParameter, saddle.zeta));
    const { nodes, weights, xi, xiSquare } = average ? integral : pointMass(saddle);
    return withCorrection(
      setting,
      options,
      run,
      { orderParameter: Q, zeta },
      {
        state: { kind: "mean", problem: two, nodes, weights, xi, xiSquare, orderParameter: saddle.orderParameter, zeta: saddle.zeta },
        solver: solverOf(saddle),
        logEvidence: integral.logEvidence,
        train,
        orderParameter: Q,
        hiddenKernels: [divided(meanLearnedKernel(two, { nodes, weights, xi, xiSquare }), weightVariance)],
        diagnostics: {
          minima: saddles.map((s) => ({ orderParameter: s.orderParameter.data[0]!, zeta: s.zeta.data[0]! })),
          zeta,
          xi: saddle.xi[0]!,
          xiVariance: saddle.xiCovariance.data[0]!,
          orderParameterPosterior: { mean: integral.mean, xiMean: integral.xiMean, xiSquareMean: integral.xiSquareMean },
          quadratureError: integral.error,
          trainError: errorOn(train, targets),
        },
        warnings: [...notConverged(saddle), ...severalMinima(saddles), ...unresolved(integral.error)],
        figures: [densityFigure(integral, Q)],
      },
    );
  },

  predict({ setting, options, state }, inputs, wantCovariance, run) {
    const points = newPoints(setting, inputs, true, wantCovariance);
    const { problem, orderParameter, zeta } = state;
    const prediction =
      options.mode === "integral"
        ? columnPrediction(predictMeanIntegral(problem, state, points))
        : predictMultiOutput(problem, multiOutputState(problem, orderParameter, zeta), points);
    return correctPrediction(setting, options, run, { orderParameter: orderParameter.data[0]!, zeta: zeta.data[0]! }, inputs, prediction);
  },

  claims: (setting, options) => shallowErrors(setting, options.correction === "cumulant"),
};

/** The posterior as a point at the saddle. */
const pointMass = ({ orderParameter, xi, xiCovariance }: MeanSaddle): MeanNodes => ({
  nodes: Float64Array.of(orderParameter.data[0]!),
  weights: Float64Array.of(1),
  xi,
  xiSquare: Float64Array.of(xi[0]! ** 2 + xiCovariance.data[0]!),
});

/** Weight of the node of the integral nearest to Q. */
function densityNear({ nodes, weights }: MeanIntegral, Q: number): number {
  let nearest = 0;
  nodes.forEach((node, i) => {
    if (Math.abs(Math.log(node / Q)) < Math.abs(Math.log(nodes[nearest]! / Q))) nearest = i;
  });
  return weights[nearest]!;
}

function distinct(found: readonly MeanSaddle[]): MeanSaddle[] {
  const out: MeanSaddle[] = [];
  for (const candidate of found) {
    const same = out.some((other) => Math.abs(candidate.orderParameter.data[0]! / other.orderParameter.data[0]! - 1) < 1e-5);
    if (!same && (candidate.converged || out.length === 0)) out.push(candidate);
  }
  return out;
}

/** A posterior too narrow for the quadrature, as for one hidden unit at a tiny temperature. */
const unresolved = (error: number): readonly string[] =>
  error > 1e-4
    ? [
        `the integral over the order parameters is accurate to ${error.toExponential(1)} in the log evidence only (the posterior is very narrow); raise the temperature or use "mode": "saddle"`,
      ]
    : [];
