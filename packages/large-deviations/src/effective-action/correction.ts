import { amended, columnVector, FinitewidthError, type Json, type Matrix, type Prediction, type Run } from "@finitewidth/core";
import { cumulantCorrection, type CumulantCorrection } from "./cumulant-correction.js";
import type { EffectiveActionOptions } from "./options.js";
import type { RegimeFit } from "./regimes/regime.js";
import { denseOf, isLinear, type Setting } from "./setting.js";

/** Where the correction is taken. */
interface SaddlePoint {
  readonly orderParameter: number;
  readonly zeta: number;
}

/** The correction at the saddle, in 20 batches; undefined where there is none (linear, or no draws). */
function correctionAt(setting: Setting, testInputs: Matrix, saddle: SaddlePoint, draws: number, run: Run): CumulantCorrection | undefined {
  const { inputs, targets, temperature } = setting.problem;
  if (draws === 0 || isLinear(setting)) return undefined;
  const size = Math.max(2, 2 * Math.round(draws / 40));
  return cumulantCorrection(
    { chain: denseOf(setting), inputs, testInputs, targets: targets.data, temperature, ...saddle },
    { seed: run.seed, size, onBatch: () => run.signal?.throwIfAborted() },
  );
}

/** Whether the diagnostic is cheap enough to run unasked: about 0.2 s. */
const affordable = (setting: Setting, draws: number): boolean => {
  const [points, features] = setting.problem.inputs.shape;
  return draws * points * (4 * points + features) <= 2e8;
};

/** Ratio |δ mean|/|mean| over points (root mean squares). */
function shiftRatio(shift: Float64Array, mean: Float64Array): number {
  const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  const size = norm(mean);
  return size > 0 ? norm(shift) / size : 0;
}

/** The correction as diagnostics, and what it warns about. */
function correctionReport(
  correction: CumulantCorrection,
  mean: Float64Array,
): { readonly diagnostics: { readonly [key: string]: Json }; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  if (Math.abs(correction.logEvidenceShift) - 3 * correction.logEvidenceShiftError > 1) {
    warnings.push(
      `the first correction beyond the Gaussian equivalence shifts the log evidence by ${correction.logEvidenceShift.toFixed(2)}: hidden units are not Gaussian here, and neither this theory nor its correction is reliable; compare with "monte-carlo"`,
    );
  }
  return {
    diagnostics: {
      beyondGaussianEquivalence: {
        logEvidenceShift: correction.logEvidenceShift,
        logEvidenceShiftStandardError: correction.logEvidenceShiftError,
        trainMeanShiftRatio: shiftRatio(correction.meanShift, mean),
        trainMeanShiftStandardErrorRatio: shiftRatio(correction.meanShiftError, mean),
      },
    },
    warnings,
  };
}

const shifted = (prediction: Prediction, { meanShift, meanShiftError }: CumulantCorrection): Prediction => ({
  ...prediction,
  mean: columnVector(prediction.mean.data.map((value, t) => value + meanShift[t]!)),
  standardError: { mean: columnVector(meanShiftError), variance: columnVector(new Float64Array(meanShift.length)) },
});

/**
 * A fit with one hidden layer and one output, with the correction at its saddle: diagnostics always where it is cheap, applied when asked
 * for.
 */
export function withCorrection<State>(
  setting: Setting,
  options: EffectiveActionOptions,
  run: Run,
  saddle: SaddlePoint,
  fitted: RegimeFit<State>,
): RegimeFit<State> {
  const wanted = options.correction === "cumulant";
  if (!wanted && !("train" in fitted && affordable(setting, options.draws))) return fitted;
  const correction = attempt(() => correctionAt(setting, setting.problem.inputs, saddle, options.draws, run), wanted);
  if (!correction) return fitted;
  const train = fitted.train!;
  const report = correctionReport(correction, train.mean.data);
  const diagnostics = { ...fitted.diagnostics, ...report.diagnostics };
  const warnings = [...fitted.warnings, ...report.warnings];
  if (!wanted) return amended(fitted, { diagnostics, warnings });
  return amended(fitted, {
    ...(fitted.logEvidence === undefined ? {} : { logEvidence: fitted.logEvidence + correction.logEvidenceShift }),
    train: shifted(train, correction),
    standardError: { ...fitted.standardError, logEvidence: correction.logEvidenceShiftError },
    diagnostics: { ...diagnostics, zeta: saddle.zeta },
    warnings,
  });
}

/** Runs a diagnostic that rounding may defeat (A not positive definite at tiny T); errors count only when the result was asked for. */
function attempt<Result>(compute: () => Result, wanted: boolean): Result | undefined {
  try {
    return compute();
  } catch (error) {
    if (!wanted && error instanceof FinitewidthError && error.code === "not-positive-definite") return undefined;
    throw error;
  }
}

/**
 * A prediction with the correction added to its mean when asked for, with its standard error, and a warning where it is too large to be
 * trusted.
 */
export function correctPrediction(
  setting: Setting,
  options: EffectiveActionOptions,
  run: Run,
  saddle: SaddlePoint,
  inputs: Matrix,
  prediction: Prediction,
): Prediction {
  const correction = options.correction === "cumulant" ? correctionAt(setting, inputs, saddle, options.draws, run) : undefined;
  if (!correction) return prediction;
  const ratio = shiftRatio(correction.meanShift, prediction.mean.data);
  const warnings =
    ratio > 0.5
      ? [`the correction beyond the Gaussian equivalence is ${(100 * ratio).toFixed(0)} % of the predictive mean: too large to be trusted`]
      : [];
  return { ...shifted(prediction, correction), ...(warnings.length > 0 ? { warnings } : {}) };
}
