/** Value and gradient of a function of n variables. Value +∞ (or NaN) means: not in the domain; the gradient is then not read. */
export interface ValueAndGradient {
  readonly value: number;
  readonly gradient: Float64Array;
}
export type Objective = (x: Float64Array) => ValueAndGradient;

/** How a minimisation ended. */
export interface Minimum {
  readonly point: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
  /** Largest |gradient| entry. */
  readonly residual: number;
  /** The residual is below the tolerance asked for. */
  readonly converged: boolean;
  readonly iterations: number;
  /** Calls of the objective. */
  readonly evaluations: number;
}

/** Largest absolute entry. */
export const largestEntry = (x: Float64Array): number => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** x + t·direction. */
export const along = (x: Float64Array, t: number, direction: Float64Array): Float64Array => x.map((value, i) => value + t * direction[i]!);
