import { inputError } from "@finitewidth/core";

/** Kernel of one input with its variance and mean shift at given widths. */
export interface SingleInputKernel {
  readonly kernel: number;
  /** Var K̂. */
  readonly variance: number;
  /** E K̂ − K. */
  readonly meanShift: number;
}

/**
 * First-order density of the D outputs f at one input relative to the Gaussian N(f | 0, K·1):
 * 1 + (δ/2K)(r − D) + (V/8K²)(r² − 2(D+2) r + D(D+2)), r = |f|²/K. Negative far in the tails, where the expansion has broken down.
 * Source: docs/theories/perturbative.md §1; S. Yaida (2019). @throws FinitewidthError (code "input") unless K > 0.
 */
export function outputDensityFactor(f: ArrayLike<number>, { kernel, variance, meanShift }: SingleInputKernel): number {
  if (!(kernel > 0)) throw inputError("kernel", "a positive variance", kernel);
  const D = f.length;
  let square = 0;
  for (let i = 0; i < D; i++) square += f[i]! * f[i]!;
  const r = square / kernel;
  return 1 + (meanShift / (2 * kernel)) * (r - D) + (variance / (8 * kernel * kernel)) * (r * r - 2 * (D + 2) * r + D * (D + 2));
}

/** A log density and whether the first-order density was positive. */
export interface CorrectedLogDensity {
  readonly logDensity: number;
  /** False: the first-order density is not positive here, and the exponentiated correction (equal to first order) was used. */
  readonly positive: boolean;
}

/**
 * log of leading·(1 + correction). Where 1 + correction ≤ 0 the expansion says nothing; then leading·exp(correction), which agrees with it
 * to first order and is a density, flagged by `positive: false`.
 */
export function correctedLogDensity(leading: number, correction: number): CorrectedLogDensity {
  return correction > -1
    ? { logDensity: leading + Math.log1p(correction), positive: true }
    : { logDensity: leading + correction, positive: false };
}

/** log density of the outputs f at one input to first order, (2πK)^(−D/2) included. */
export function outputLogDensity(f: ArrayLike<number>, input: SingleInputKernel): CorrectedLogDensity {
  const factor = outputDensityFactor(f, input);
  let square = 0;
  for (let i = 0; i < f.length; i++) square += f[i]! * f[i]!;
  return correctedLogDensity(-0.5 * (square / input.kernel + f.length * Math.log(2 * Math.PI * input.kernel)), factor - 1);
}

/** Excess kurtosis 3 V/K² of one output at one input; 0 where K = 0. */
export const excessKurtosis = ({ kernel, variance }: Pick<SingleInputKernel, "kernel" | "variance">): number =>
  kernel === 0 ? 0 : (3 * variance) / (kernel * kernel);
