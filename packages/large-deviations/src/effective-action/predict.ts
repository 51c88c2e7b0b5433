import { isFullyConnected, type Matrix, type Posterior, type Prediction, type Run } from "@finitewidth/core";
import { predictBlocks } from "./block-problem.js";
import { correctionAt, shiftRatio } from "./correction.js";
import type { Closure } from "./deep-problem.js";
import { predictDeep } from "./deep-predict.js";
import { asColumn, columnPrediction } from "./fit.js";
import { predictMeanIntegral } from "./mean-integral.js";
import { multiOutputState, predictMultiOutput, type MultiOutputProblem } from "./multi-output.js";
import type { EffectiveActionOptions } from "./options.js";
import { rankOf, type ScalarProblem } from "./scalar-problem.js";
import { predictScalar } from "./scalar-posterior.js";
import { kindOf, newPoints, settingOf, type Setting } from "./setting.js";

/** Latent outputs at new inputs from a fitted posterior. */
export function predictEffectiveAction(posterior: Posterior, inputs: Matrix, wantCovariance: boolean, run: Run): Prediction {
  const setting = settingOf(posterior.problem, run.registry);
  const options = posterior.diagnostics["options"] as unknown as EffectiveActionOptions;
  const prediction = uncorrected(posterior, setting, options, inputs, wantCovariance);
  return options.correction === "cumulant" ? corrected(posterior, setting, options, inputs, prediction, run) : prediction;
}

function uncorrected(
  posterior: Posterior,
  setting: Setting,
  options: EffectiveActionOptions,
  inputs: Matrix,
  wantCovariance: boolean,
): Prediction {
  const array = (name: string): Float64Array => posterior.arrays[name]!.data;
  const table = (name: string): Matrix => posterior.arrays[name] as Matrix;
  const { problem, activation, priorModel } = setting;
  const { network } = problem;
  switch (kindOf(setting, options)) {
    case "scalar": {
      const points = newPoints(setting, inputs, false, wantCovariance);
      return columnPrediction(
        predictScalar(
          scalarProblem(setting, array, table),
          { nodes: array("nodes"), weights: array("weights") },
          points.cross,
          points.variances,
          points.own,
        ),
      );
    }
    case "mean": {
      const points = newPoints(setting, inputs, true, wantCovariance);
      const several = multiOutputProblem(setting, array, table, posterior);
      if (options.mode === "integral") {
        const nodes = { nodes: array("nodes"), weights: array("weights"), xi: array("xi"), xiSquare: array("xiSquare") };
        return columnPrediction(predictMeanIntegral(several, nodes, points));
      }
      return predictMultiOutput(several, multiOutputState(several, table("orderParameter"), table("zeta")), points);
    }
    case "chain":
    case "multi-output": {
      const points = newPoints(setting, inputs, posterior.arrays["zeta"] !== undefined, wantCovariance);
      const several = multiOutputProblem(setting, array, table, posterior);
      const zeta = posterior.arrays["zeta"] ? table("zeta") : undefined;
      return predictMultiOutput(several, multiOutputState(several, table("orderParameter"), zeta), points);
    }
    case "deep": {
      if (!isFullyConnected(network)) throw new TypeError("deep networks are fully connected");
      const fit = {
        closure: options.closure as Closure,
        orderParameters: array("orderParameters"),
        factor: table("factor"),
        residual: array("residual"),
        renormalisedVariances: table("renormalisedVariances"),
        infiniteVariances: table("infiniteVariances"),
      };
      return columnPrediction(predictDeep(network, activation, fit, problem.inputs, inputs, wantCovariance));
    }
    case "blocks": {
      const { sites } = posterior.diagnostics["shape"] as { readonly sites: number };
      const fit = {
        sites,
        orderParameter: table("orderParameter"),
        ...(posterior.arrays["zeta"] ? { zeta: table("zeta"), means: table("means") } : {}),
        factor: table("factor"),
        residual: array("residual"),
        biasVariance: setting.biasVariance,
        outputs: setting.outputs,
      };
      const cross = priorModel.siteBlocks!(network, activation, problem.inputs, inputs);
      return predictBlocks(fit, cross, wantCovariance ? priorModel.siteBlocks!(network, activation, inputs) : undefined);
    }
  }
}

function scalarProblem(setting: Setting, array: (name: string) => Float64Array, table: (name: string) => Matrix): ScalarProblem {
  const { problem, width, biasVariance } = setting;
  const eigenvalues = array("eigenvalues");
  return {
    eigenvalues,
    vectors: table("vectors"),
    targets: array("targets"),
    ones: array("ones"),
    temperature: problem.temperature,
    width,
    biasVariance,
    rank: rankOf(eigenvalues),
  };
}

function multiOutputProblem(
  setting: Setting,
  array: (name: string) => Float64Array,
  table: (name: string) => Matrix,
  posterior: Posterior,
): MultiOutputProblem {
  const { problem, width, biasVariance } = setting;
  const eigenvalues = array("eigenvalues");
  return {
    eigenvalues,
    vectors: table("vectors"),
    targets: table("targets"),
    ones: array("ones"),
    ...(posterior.arrays["mean"] ? { mean: array("mean") } : {}),
    temperature: problem.temperature,
    width,
    biasVariance,
    rank: rankOf(eigenvalues),
  };
}

/** Adds the dressed cumulant correction to the mean, with its standard error, and warns where it is too large to be trusted. */
function corrected(
  posterior: Posterior,
  setting: Setting,
  options: EffectiveActionOptions,
  inputs: Matrix,
  prediction: Prediction,
  run: Run,
): Prediction {
  const kind = kindOf(setting, options);
  if ((kind !== "scalar" && kind !== "mean") || setting.activation.name === "identity") return prediction;
  const orderParameter = posterior.orderParameter as number;
  const zeta = (posterior.diagnostics["zeta"] as number | undefined) ?? orderParameter;
  const correction = correctionAt(setting, inputs, { orderParameter, zeta }, options.draws, run);
  if (!correction) return prediction;
  const ratio = shiftRatio(correction.meanShift, prediction.mean.data);
  const warnings =
    ratio > 0.5
      ? [`the correction beyond the Gaussian equivalence is ${(100 * ratio).toFixed(0)} % of the predictive mean: too large to be trusted`]
      : [];
  return {
    ...prediction,
    mean: asColumn(prediction.mean.data.map((value, t) => value + correction.meanShift[t]!)),
    standardError: { mean: asColumn(correction.meanShiftError), variance: asColumn(new Float64Array(correction.meanShift.length)) },
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}
