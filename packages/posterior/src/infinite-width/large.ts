import { FinitewidthError, rowRange, type Matrix, type Run } from "@finitewidth/core";
import {
  addTiledDiagonal,
  availableMemory,
  diagonalOf,
  fillTiles,
  gram,
  multiplyTransposedLeft,
  requireMemory,
  solveTiled,
  storedTiles,
  streamedTiles,
  tiledCholesky,
  tiledDiagonal,
  tiledInverseDiagonal,
  tiledLength,
  transpose,
  type LowerTiles,
  type TileSource,
} from "@finitewidth/linalg";
import {
  conditionIteratively,
  predictIteratively,
  randomlyPivotedCholesky,
  type GaussianPrediction,
  type IterativeProcess,
} from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";

/** How (K + T)⁻¹ is applied: by a factor, or by iterations; "auto" is a factor up to `denseLimit` points. */
export type Solver = "auto" | "dense" | "iterative";

/** Training points up to which the kernel is one array, and up to which "auto" factorises it. */
const wholeLimit = 16_000;
const denseLimit = 20_000;

/** Which way a problem goes: one array, tiles of its lower triangle, or iterations. */
export function chosenForm(points: number, temperature: number, solver: Solver = "auto"): "whole" | "tiles" | "iterative" {
  if (solver === "iterative") return "iterative";
  if (points <= wholeLimit || !(temperature > 0)) return "whole";
  return solver === "dense" || points <= denseLimit ? "tiles" : "iterative";
}

/** Lower Cholesky factor of K + T in tiles. Plain data. */
export interface TiledState {
  readonly form: "tiles";
  readonly tiles: LowerTiles;
  readonly weights: Matrix;
}

/** Weights that iterations found, and what preconditions further ones. Plain data. */
export interface IterativeState {
  readonly form: "iterative";
  readonly low: Matrix;
  readonly weights: Matrix;
}

/** Kernels between rows of inputs: among themselves, or with others. */
export type KernelBetween = (inputs: Matrix, others?: Matrix) => Matrix;

const partOf =
  (kernel: KernelBetween, inputs: Matrix) =>
  (from: number, to: number, first: number, last: number): Matrix =>
    from === first ? kernel(rowRange(inputs, from, to)) : kernel(rowRange(inputs, from, to), rowRange(inputs, first, last));

/** A Gaussian process by the lower triangle of its kernel in tiles: one half of a P × P array. @throws FinitewidthError "memory". */
export function fitTiles(
  kernel: KernelBetween,
  inputs: Matrix,
  targets: Matrix,
  temperature: number,
  run: Run,
): { readonly state: TiledState; readonly logEvidence: number } {
  const points = inputs.shape[0];
  const arrays = tiledLength(points) / points ** 2 + (2 * inputs.shape[1]) / points;
  requireMemory({ method: "nngp", points, arrays, together: 0, instead: 'the option "solver": "iterative"' });
  const breathe = (part: number, label: string) => (fraction: number) => {
    run.signal?.throwIfAborted();
    run.onProgress?.(part + (1 - part) * fraction, 1, label);
  };
  const tiles = fillTiles(points, partOf(kernel, inputs), undefined, (fraction) => breathe(0, "kernel")(0.2 * fraction));
  const largest = tiledDiagonal(tiles).reduce((most, value) => Math.max(most, value), 0);
  addTiledDiagonal(tiles, temperature);
  const logDeterminant = tiledCholesky(tiles, breathe(0.2, "kernel factorised"));
  const least = tiledDiagonal(tiles).reduce((all, value) => Math.min(all, value), Infinity);
  if (temperature <= 1e-7 * largest && least ** 2 <= 10 * (temperature + points * Number.EPSILON * largest))
    throw new FinitewidthError(
      `[nngp] the temperature ${temperature} is lost in the rounding of a singular kernel of ${points} points; raise it, or use at most ${wholeLimit} points`,
      { code: "not-positive-definite" },
    );
  const weights = solveTiled(tiles, solveTiled(tiles, targets), true);
  let quadratic = 0;
  for (let i = 0; i < targets.data.length; i++) quadratic += targets.data[i]! * weights.data[i]!;
  const logEvidence = -0.5 * (targets.shape[1] * (logDeterminant + points * Math.log(2 * Math.PI)) + quadratic);
  return { state: { form: "tiles", tiles, weights }, logEvidence };
}

/** Means and variances at the training points: Y − TV and T − T² diag (K + T)⁻¹. */
export function trainTiles({ tiles, weights }: TiledState, targets: Matrix, temperature: number): GaussianPrediction {
  const mean = { data: targets.data.map((value, i) => value - temperature * weights.data[i]!), shape: targets.shape };
  const variance = tiledInverseDiagonal(tiles).map((value) => Math.max(temperature - temperature ** 2 * value, 0));
  return { mean, variance };
}

/** As `predictGaussianProcess`. */
export function predictTiles({ tiles, weights }: TiledState, cross: Matrix, prior: Float64Array | Matrix): GaussianPrediction {
  const mean = multiplyTransposedLeft(cross, weights);
  const applied = solveTiled(tiles, cross);
  const [points, tests] = applied.shape;
  const own = (j: number): number => (prior instanceof Float64Array ? prior[j]! : prior.data[j * (tests + 1)]!);
  const variance = Float64Array.from({ length: tests }, (_, j) => own(j));
  for (let i = 0; i < points; i++) for (let j = 0; j < tests; j++) variance[j]! -= applied.data[i * tests + j]! ** 2;
  for (let j = 0; j < tests; j++) variance[j] = Math.max(variance[j]!, 0);
  if (prior instanceof Float64Array) return { mean, variance };
  const explained = gram(transpose(applied));
  return { mean, variance, covariance: { data: prior.data.map((value, i) => value - explained.data[i]!), shape: prior.shape } };
}

/** Columns of the preconditioner: a fifth of the points, at most so many. */
const largestRank = 1500;
/** Probes of the log determinant. */
const probes = 16;
const solverStreams = 12;

/** Products with the kernel: in memory where there is room for its lower triangle, made anew at every iteration elsewhere. */
function tileSource(kernel: KernelBetween, inputs: Matrix): TileSource {
  const points = inputs.shape[0];
  const part = partOf(kernel, inputs);
  return 8 * tiledLength(points) < 0.8 * availableMemory() ? storedTiles(fillTiles(points, part)) : streamedTiles(points, part);
}

/** Variances at the inputs, without more than a block of rows of the kernel at a time. */
function kernelDiagonal(kernel: KernelBetween, inputs: Matrix): Float64Array {
  const points = inputs.shape[0];
  const out = new Float64Array(points);
  const rows = 64;
  for (let from = 0; from < points; from += rows) {
    const block = kernel(rowRange(inputs, from, Math.min(points, from + rows)));
    out.set(diagonalOf(block), from);
  }
  return out;
}

const breathing = (run: Run) => (iteration: number) => {
  run.signal?.throwIfAborted();
  run.onProgress?.(iteration / (iteration + 20), 1, `iteration ${iteration}`);
};

/** A Gaussian process by preconditioned conjugate gradients. @throws FinitewidthError "not-converged". */
export function fitIteratively(
  kernel: KernelBetween,
  inputs: Matrix,
  targets: Matrix,
  temperature: number,
  run: Run,
): { readonly state: IterativeState; readonly process: IterativeProcess; readonly diagnostics: Record<string, number | string> } {
  const points = inputs.shape[0];
  const rank = Math.min(largestRank, Math.ceil(points / 5));
  const columns = (pivots: readonly number[]): Matrix => {
    const features = inputs.shape[1];
    const chosen = new Float64Array(pivots.length * features);
    pivots.forEach((pivot, k) => chosen.set(inputs.data.subarray(pivot * features, (pivot + 1) * features), k * features));
    return kernel(inputs, { data: chosen, shape: [pivots.length, features] });
  };
  const breathe = breathing(run);
  const low = randomlyPivotedCholesky(kernelDiagonal(kernel, inputs), columns, rank, stream(run.seed, solverStreams, 0), () => breathe(0));
  const process = conditionIteratively(tileSource(kernel, inputs), low, targets, temperature, stream(run.seed, solverStreams, 1), {
    probes,
    breathe,
  });
  const diagnostics = {
    form: "iterative",
    preconditionerRank: low.shape[1],
    probes,
    iterations: process.iterations,
    residual: process.residual,
    logEvidenceError: process.logEvidenceError,
  };
  return { state: { form: "iterative", low, weights: process.weights }, process, diagnostics };
}

/** As `predictGaussianProcess`; every block of test points is an iteration of its own. */
export const predictLarge = (
  state: TiledState | IterativeState,
  kernel: KernelBetween,
  inputs: Matrix,
  temperature: number,
  cross: Matrix,
  prior: Float64Array | Matrix,
  run: Run,
): GaussianPrediction =>
  state.form === "tiles"
    ? predictTiles(state, cross, prior)
    : predictIteratively(tileSource(kernel, inputs), state.low, state.weights, temperature, cross, prior, { breathe: breathing(run) });

/** What a fit by iterations says of its evidence. */
export const iterativeWarnings = ({ logEvidenceError }: IterativeProcess): readonly string[] => [
  `the log evidence is an estimate, ± ${logEvidenceError.toPrecision(2)}, by stochastic Lanczos quadrature; "solver": "dense" works it out`,
  'predictions at the training inputs are left out with "solver": "iterative"',
];
