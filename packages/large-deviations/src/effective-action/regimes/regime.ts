import {
  columnVector,
  rowsOf,
  type Claim,
  type EvidenceGradient,
  type Json,
  type Matrix,
  type Posterior,
  type Prediction,
  type Run,
  type SolverReport,
} from "@finitewidth/core";
import { requireMemory } from "@finitewidth/linalg";
import type { MatrixActionMinimum } from "../matrix-minima.js";
import type { MultiOutputInput } from "../multi-output-problem.js";
import type { EffectiveActionOptions } from "../options.js";
import type { ScalarPrediction } from "../scalar-predict.js";
import type { Setting } from "../setting.js";

/** P × P arrays at the peak for several outputs or a mean: kernel, eigenvectors and what makes them, learned kernel. */
export const outputArrays = 10;

/** @throws FinitewidthError (code "memory") before anything is made, where so many P × P arrays do not fit. */
export function requireArrays({ problem }: Setting, arrays: number): void {
  requireMemory({ method: "effective-action", points: problem.inputs.shape[0], arrays, together: 3.2 });
}

/** What a fit contributes to the posterior. */
export type RegimeFit<State> = Omit<Posterior<EffectiveActionOptions, State>, "theory" | "problem" | "options">;

/** What predictions read. */
export interface FittedRegime<State> {
  readonly setting: Setting;
  readonly options: EffectiveActionOptions;
  readonly state: State;
}

/** Stated error of each claimed quantity; a quantity without one is not claimed. */
export type StatedErrors = { readonly [Quantity in "mean" | "variance" | "train" | "kernel"]?: Claim["error"] };

/** One kind of effective action: which problems have it, and everything that can be done with it. */
export interface Regime<State extends { readonly kind: string }> {
  readonly name: State["kind"];
  /** Whether the network, its outputs and the options lead here. */
  applies(setting: Setting, options: EffectiveActionOptions): boolean;
  /** Why a problem that leads here has no solution, and what to use instead. */
  refuses(setting: Setting, options: EffectiveActionOptions): string | undefined;
  fit(setting: Setting, options: EffectiveActionOptions, run: Run): RegimeFit<State> | Promise<RegimeFit<State>>;
  /** Latent outputs at new inputs. */
  predict(fitted: FittedRegime<State>, inputs: Matrix, wantCovariance: boolean, run: Run): Prediction;
  /** Gradient of the log evidence in closed form; undefined where it is taken by differences. */
  evidenceGradient?(setting: Setting, options: EffectiveActionOptions, state: State): Omit<EvidenceGradient, "widths"> | undefined;
  /** As in `Theory`. */
  infiniteKernels?(state: State): readonly Matrix[] | undefined;
  claims(setting: Setting, options: EffectiveActionOptions): StatedErrors;
}

export const columnPrediction = ({ mean, variance, covariance }: ScalarPrediction): Prediction => ({
  mean: columnVector(mean),
  variance: columnVector(variance),
  ...(covariance ? { covariance } : {}),
});

/** How an iteration ended. */
interface Ending {
  readonly converged: boolean;
  readonly iterations: number;
  readonly residual: number;
}
export const solverOf = ({ converged, iterations, residual }: Ending): SolverReport => ({ converged, iterations, residual, jitter: 0 });
export const notConverged = ({ converged, residual }: Ending): readonly string[] =>
  converged ? [] : [`the order parameters have not converged (residual ${residual.toExponential(1)}); treat the result with care`];
export const severalMinima = ({ length }: readonly unknown[]): readonly string[] =>
  length > 1
    ? [`the action has ${length} minima (P > N: a first-order transition); the lowest is reported, all are in diagnostics.minima`]
    : [];

/** How far labels reach into the mean of the activation: ξ̂² against N, the plain theory's assumption. */
export const plainMeanWarning = (xi: number, width: number): readonly string[] =>
  xi * xi > 0.25 * width
    ? [
        `the targets have a sizeable component along the mean of the activation (ξ̂² = ${(xi * xi).toFixed(1)} against N = ${width}), which one order parameter cannot describe; centre the targets, or use one hidden layer with "mean": "two-parameter"`,
      ]
    : [];

/** The prior Wishart is singular when it has fewer degrees of freedom than rows. */
export const singularPrior = (dimension: number, width: number, of: string): readonly string[] =>
  width < dimension
    ? [
        `the width ${width} is smaller than the number of ${of} (${dimension}): the prior of the matrix order parameter is singular; the saddle exists, a Laplace evidence does not and is left out`,
      ]
    : [];

/** Σ σ_w²φφᵀ/N without σ_w²: the hidden kernel; the kernel itself where σ_w² = 1. */
export function divided(kernel: Matrix, weightVariance: number): Matrix {
  if (weightVariance === 1) return kernel;
  const data = new Float64Array(kernel.data);
  for (let i = 0; i < data.length; i++) data[i]! /= weightVariance;
  return { data, shape: kernel.shape };
}

/** Mean squared training error of the latent outputs. */
export function errorOn(train: Prediction, targets: Matrix): number {
  let sum = 0;
  targets.data.forEach((y, i) => (sum += ((train.mean.data[i]! - y) ** 2 + train.variance.data[i]!) / targets.data.length));
  return sum;
}

/** Largest dimension whose Hessian (n²(n+1)²/4 numbers, n(n+1) energies) is computed for the evidence. */
export const hessianLimit = 20;

/** A start above every stationary point: 1 + |Y|²/(4NT), kept within reason. */
export function largeStart({ targets, temperature, width }: Pick<MultiOutputInput, "targets" | "temperature" | "width">): number {
  const norm = targets.data.reduce((sum, y) => sum + y * y, 0);
  return Math.min(1 + norm / (4 * width * temperature || Number.MIN_VALUE), 100);
}

/** Matrix order parameters and actions of all minima. */
export const minimaReport = (minima: readonly MatrixActionMinimum[]): Json =>
  minima.map(({ orderParameter, action }) => ({ orderParameter: rowsOf(orderParameter), action }));
