import type { Posterior, Registry } from "@finitewidth/core";
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
