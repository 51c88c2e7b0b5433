import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import type { PriorResult } from "./prior-result.js";
import type { Problem } from "./problem.js";
import type { Matrix, Tensor } from "./tensor.js";

/** What Monte Carlo of the real network must estimate to test a claim. */
export interface Estimand {
  readonly of: "prior" | "posterior";
  /** Name of a registered observable; those of the result files among them, e.g. "predictive.mean". */
  readonly quantity: string;
  /** Hidden layer, for observables of single layers such as `hiddenKernel`. */
  readonly layer?: number;
}

/** A number that the theory stands behind and a sampled finite network could contradict. */
export interface Claim {
  /** Unique within the theory, e.g. "predictive-mean". */
  readonly id: string;
  /** One sentence for the report. */
  readonly statement: string;
  /** Paper and equation, or theory page and section. */
  readonly source: string;
  readonly estimand: Estimand;
  readonly value: Tensor;
  /** Monte Carlo standard error of the value itself, for theories evaluated by sampling their mixing variable. */
  readonly standardError?: Tensor;
  /**
   * "exact": no error but Monte Carlo's. `{ order }`: the residual falls as N^−order when all widths grow together, checked by its slope.
   * `{ relative }`: within that fraction of the value (a measured error of an approximation, with its source).
   */
  readonly error: "exact" | { readonly order: number } | { readonly relative: number };
}

/** Where claims are tested: a small network with data and test inputs. */
export interface Scenario {
  readonly name: string;
  readonly problem: Problem;
  /** P* × N0. */
  readonly testInputs: Matrix;
  /** P* × D: claims about the generalisation error are made where they are given. */
  readonly testTargets?: Matrix;
}

/** A theory fitted to a scenario: all that its claims are made of. */
export interface FittedScenario<Options = unknown, State = unknown> {
  readonly scenario: Scenario;
  readonly posterior: Posterior<Options, State>;
  /** At the test inputs; with joint covariance only where the scenario asks for it. */
  readonly predictive: Prediction;
  /** Answer to the prior question at the training inputs; left out where the theory has none. */
  readonly prior?: PriorResult;
}
