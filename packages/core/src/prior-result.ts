import type { Figure } from "./figure.js";
import type { Json } from "./json.js";
import type { Matrix, Tensor } from "./tensor.js";

/** Answer to a prior question; the fields of `prior.json`. */
export interface PriorResult {
  /** E f_a f_aᵀ of one output: P × P. */
  readonly secondMoment?: Matrix;
  /** Connected, one output: P × P × P × P; left out for P > 8. */
  readonly fourthCumulant?: Tensor;
  /** P numbers. */
  readonly excessKurtosis?: Float64Array;
  /** One per `evaluateAt`. */
  readonly logDensity?: Float64Array;
  /** E K̂^{L+1} − K^{L+1}: P × P. */
  readonly kernelMeanShift?: Matrix;
  /** Cov of the entries of K̂^{L+1}: P × P × P × P; left out for P > 8. */
  readonly kernelCovariance?: Tensor;
  readonly standardError?: { readonly [quantity: string]: number | Tensor | Float64Array };
  readonly diagnostics?: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  readonly figures?: readonly Figure[];
}
