import type { Figure } from "./figure.js";
import type { Json } from "./json.js";
import type { Prediction } from "./prediction.js";
import type { Problem } from "./problem.js";
import type { Matrix, Tensor } from "./tensor.js";

/** How an iteration or a sampler ended. Closed forms: converged, 0 iterations. */
export interface SolverReport {
  readonly converged: boolean;
  readonly iterations: number;
  readonly residual: number;
  /** Added to a diagonal to make it factorise; 0 unless asked for. */
  readonly jitter: number;
}

/**
 * A fitted theory: plain data, so it clones to a worker, saves to .npz (`posteriorToNpz`) and prints in a report. `predict` reads
 * `problem`, `options` and `state`, nothing else; the named fields are the result file's quantities, left out where a theory cannot give
 * them.
 */
export interface Posterior<Options = unknown, State = unknown> {
  readonly theory: string;
  readonly problem: Problem;
  readonly options: Options;
  /** What `predict` needs besides: tensors, numbers, names, lists and records of them. */
  readonly state: State;
  readonly solver: SolverReport;
  /** log density of Y, (2πT)^(−PD/2) included. */
  readonly logEvidence?: number;
  /** Set where `logEvidence` is the leading term of an expansion without its determinants: to be compared with nothing but itself. */
  readonly evidenceIsLeadingOrder?: true;
  /** Latent f at the training inputs. */
  readonly train?: Prediction;
  readonly orderParameter?: number | Tensor;
  /** Separate modes of the posterior that carry at least 1 % of it, where there are several: chains that sample it may see only one. */
  readonly modes?: number;
  /** Posterior mean of Ĝˡ on the training inputs, l = 1 … L: P × P each. */
  readonly hiddenKernels?: readonly Matrix[];
  /** Posterior mean of Ĝˡ minus its prior mean at the same widths, where a method resolves it better than by subtraction: P × P each. */
  readonly hiddenKernelShifts?: readonly Matrix[];
  /** Monte Carlo standard errors, keyed and shaped like the quantities above. */
  readonly standardError?: {
    readonly logEvidence?: number;
    readonly orderParameter?: number | Tensor;
    readonly hiddenKernels?: readonly Matrix[];
    readonly hiddenKernelShifts?: readonly Matrix[];
  };
  /** Anything else worth reporting; written to the result file as it is. */
  readonly diagnostics: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  /** Figures for the report beyond the standard ones, as plain data (see `@finitewidth/plots`). */
  readonly figures?: readonly Figure[];
}
