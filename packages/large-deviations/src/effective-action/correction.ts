import { isFullyConnected, type Json, type Matrix, type Run } from "@finitewidth/core";
import { cumulantCorrection, type CumulantCorrection } from "./cumulant-correction.js";
import type { Setting } from "./setting.js";

/** Runs the correction at the saddle, in 20 batches; undefined where there is none (not fully connected, or no draws). */
export function correctionAt(
  setting: Setting,
  testInputs: Matrix,
  saddle: { readonly orderParameter: number; readonly zeta: number },
  draws: number,
  run: Run,
): CumulantCorrection | undefined {
  const { problem, activation } = setting;
  const { network } = problem;
  if (!isFullyConnected(network) || draws === 0) return undefined;
  const size = Math.max(2, 2 * Math.round(draws / 40));
  return cumulantCorrection(
    { network, activation, inputs: problem.inputs, testInputs, targets: problem.targets.data, temperature: problem.temperature, ...saddle },
    { seed: run.seed, size, onBatch: () => run.signal?.throwIfAborted() },
  );
}

/** Whether the diagnostic is cheap enough to run unasked: about 0.2 s. */
export const affordable = (setting: Setting, draws: number): boolean => {
  const [points, features] = setting.problem.inputs.shape;
  return draws * points * (4 * points + features) <= 2e8;
};

/** Ratio |δ mean|/|mean| over points (root mean squares). */
export function shiftRatio(shift: Float64Array, mean: Float64Array): number {
  const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  const size = norm(mean);
  return size > 0 ? norm(shift) / size : 0;
}

/** The correction as diagnostics, and what it warns about. */
export function correctionReport(
  correction: CumulantCorrection,
  mean: Float64Array,
): { readonly diagnostics: { readonly [key: string]: Json }; readonly warnings: readonly string[] } {
  const ratio = shiftRatio(correction.meanShift, mean);
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
        trainMeanShiftRatio: ratio,
        trainMeanShiftStandardErrorRatio: shiftRatio(correction.meanShiftError, mean),
      },
    },
    warnings,
  };
}
