import { requireMemory } from "@finitewidth/linalg";
import { deepLogEvidence, deepMinima } from "../deep-minima.js";
import { fitDeep, predictDeep, predictDeepTrain, type DeepFit } from "../deep-predict.js";
import { createDeepProblem } from "../deep-problem.js";
import { layersFigure } from "../figures.js";
import type { EffectiveActionOptions } from "../options.js";
import { denseOf, isLinear, isOdd, type Setting } from "../setting.js";
import { columnPrediction, notConverged, plainMeanWarning, severalMinima, solverOf, type Regime } from "./regime.js";
import { deepErrors, sameError } from "./stated-errors.js";

/** Order parameters and the factorised renormalised kernel. */
export interface DeepActionState extends DeepFit {
  readonly kind: "deep";
}

export const productRefusal = (setting: Setting, { closure }: EffectiveActionOptions): string | undefined =>
  closure === "product" &&
  denseOf(setting)
    .biasVariance.slice(1)
    .some((value) => value > 0)
    ? `closure "product" is not defined with biases in layers 2 … L + 1; use "nested" or "affine".`
    : undefined;

/** Several fully connected hidden layers, one output: one order parameter per layer. */
export const deep: Regime<DeepActionState> = {
  name: "deep",
  applies: ({ dense, widths, outputs }) => dense !== undefined && widths.length > 1 && outputs === 1,
  refuses: productRefusal,

  fit(setting, { closure }, run) {
    const { inputs, targets, temperature } = setting.problem;
    const chain = denseOf(setting);
    const depth = chain.widths.length;
    // kernels of the layers, inverse and adjoint in one of them, and what is worked on; other closures keep the infinite-width ones
    const arrays = closure === "nested" ? depth + 3.2 : 4 * depth + 6;
    requireMemory({ method: "effective-action", points: inputs.shape[0], arrays, together: 2 });
    const problem = createDeepProblem({ chain, inputs, targets: targets.data, temperature, closure });
    run.signal?.throwIfAborted();
    const found = deepMinima(problem, () => run.signal?.throwIfAborted());
    const { orderParameters, action } = found.minima[0];
    const fit = fitDeep(problem, orderParameters, found.room);
    run.signal?.throwIfAborted();
    const train = predictDeepTrain(problem, fit);
    let xi = 0;
    if (!isOdd(setting)) {
      const variances = fit.renormalisedVariances.data.subarray((depth - 1) * inputs.shape[0]);
      const { mean } = chain.activation.moments;
      fit.weights.data.forEach((r, i) => (xi += orderParameters[depth - 1]! * Math.sqrt(setting.weightVariance) * mean(variances[i]!) * r));
    }
    const evidence = deepLogEvidence(problem, found);
    const unstable = Number.isFinite(evidence) ? [] : ["the Hessian at the minimum is singular: no Laplace evidence"];
    return {
      state: { kind: "deep", ...fit },
      solver: solverOf(found),
      ...(Number.isFinite(evidence) ? { logEvidence: evidence } : {}),
      train: columnPrediction(train),
      orderParameter: { data: orderParameters, shape: [depth] },
      diagnostics: {
        minima: found.minima.map((m) => ({ orderParameter: Array.from(m.orderParameters), action: m.action })),
        action,
        closure,
        algorithm: found.method,
        trainError: train.trainError,
      },
      warnings: [...notConverged(found), ...severalMinima(found.minima), ...plainMeanWarning(xi, setting.width), ...unstable],
      figures: [layersFigure(orderParameters)],
    };
  },

  predict: ({ setting, state }, inputs, wantCovariance) =>
    columnPrediction(predictDeep(denseOf(setting), state, setting.problem.inputs, inputs, wantCovariance)),

  claims: (setting) => (isLinear(setting) ? sameError({ order: 1 }) : deepErrors(setting)),
};
