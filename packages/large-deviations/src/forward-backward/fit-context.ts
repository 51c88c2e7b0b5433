import { zeros, type Matrix, type Posterior, type Registry } from "@finitewidth/core";
import type { ForwardBackwardOptions } from "./options.js";
import type { ForwardBackwardState } from "./state.js";

export type ForwardBackwardPosterior = Posterior<ForwardBackwardOptions, ForwardBackwardState>;

/** What a fit may use besides its arguments. */
export interface FitContext {
  readonly registry: Registry;
  readonly seed: number;
  /** Called before every sweep with the fraction done, roughly; throws to cancel. */
  tick(fraction: number): void;
}

/** Share of the sweeps done: most solutions take 10–140. */
export const roughFraction = (sweeps: number): number => sweeps / (sweeps + 30);

/** Equal variance of all outputs: P × D. */
export function spread(variance: Float64Array, outputs: number): Matrix {
  const out = zeros(variance.length, outputs);
  for (let i = 0; i < out.data.length; i++) out.data[i] = variance[Math.floor(i / outputs)]!;
  return out;
}
