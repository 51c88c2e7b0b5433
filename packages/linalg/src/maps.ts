import { inputError, shapeError, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { requireFinite, squareSize } from "./validate.js";

/** Functions applied to every number of an array. */
export type ElementwiseMap = "exp" | "erf" | "arcsin";

/** Activations with a closed-form second moment: erf, relu = max(h, 0), step = 1 for h > 0 and ½ at 0, sign. */
export type KernelMap = "erf" | "relu" | "step" | "sign";

function elementwise(kind: ElementwiseMap, x: Float64Array, out: Float64Array): Float64Array {
  if (out.length !== x.length) throw shapeError("out", `${x.length} numbers`, `${out.length}`);
  backend().map(kind, x, out);
  return out;
}

/** e^x for every entry, into `out` (a fresh array, or one to be reused: x itself too). Relative error about 1 ulp. O(n). */
export function mapExp(x: Float64Array, out: Float64Array = new Float64Array(x.length)): Float64Array {
  return elementwise("exp", x, out);
}

/** erf x for every entry, into `out` like `mapExp`. Relative error below 2·10⁻¹⁵. O(n). */
export function mapErf(x: Float64Array, out: Float64Array = new Float64Array(x.length)): Float64Array {
  return elementwise("erf", x, out);
}

/** arcsin x for every entry, into `out` like `mapExp`; NaN outside [−1, 1] like Math.asin. Error about 1 ulp. O(n). */
export function mapArcsin(x: Float64Array, out: Float64Array = new Float64Array(x.length)): Float64Array {
  return elementwise("arcsin", x, out);
}

function requireVariances(variances: Float64Array, path: string): void {
  const at = variances.findIndex((value) => !(value >= 0 && value < Infinity));
  if (at >= 0) throw inputError(`${path}[${at}]`, "a variance ≥ 0", variances[at]);
}

/** Where `fusedKernelMap` takes its variances from and puts its result. */
export interface FusedKernelMapOptions {
  /**
   * Variances of the preactivations of the rows and of the columns; without them the covariance is symmetric with the variances on its
   * diagonal.
   */
  readonly variances?: { readonly rows: Float64Array; readonly columns: Float64Array };
  /** Array that receives the result instead of a fresh one; the data of the covariance is allowed (undefined after an error). */
  readonly out?: Float64Array;
}

/**
 * Second moment E φ(h_i)φ(h_j) of Gaussian preactivations, in one pass. With a, b the variances of h_i, h_j and c their covariance:
 * erf (2/π) arcsin(2c/√((1+2a)(1+2b))); sign (2/π) arcsin ρ; step ¼ + arcsin(ρ)/2π; relu √(ab)/2π (√(1−ρ²) + (π/2 + arcsin ρ)ρ);
 * ρ = c/√(ab), clamped to [−1, 1], 0 where a variance vanishes.
 *
 * `covariance` alone: symmetric n × n (upper triangle read), variances on its diagonal, half the arcsines. With `variances`: m × n between
 * two sets of preactivations, e.g. test and training inputs.
 * @throws FinitewidthError (code "input") for NaN or a negative variance, (code "shape"). O(n²). Sources: Williams 1998; Cho and Saul 2009.
 */
export function fusedKernelMap(kind: KernelMap, covariance: Matrix, options: FusedKernelMapOptions = {}): Matrix {
  const { variances, out = new Float64Array(covariance.data.length) } = options;
  if (out.length !== covariance.data.length) throw shapeError("out", `${covariance.data.length} numbers`, `${out.length}`);
  const [m, n] = covariance.shape;
  let finite: boolean;
  if (variances === undefined) {
    squareSize(covariance, "covariance");
    requireVariances(
      Float64Array.from({ length: n }, (_, i) => covariance.data[i * n + i]!),
      "diagonal of covariance",
    );
    finite = backend().symmetricKernel(kind, covariance, out);
  } else {
    const { rows, columns } = variances;
    if (rows.length !== m || columns.length !== n)
      throw shapeError("variances", `${m} rows and ${n} columns`, `${rows.length} and ${columns.length}`);
    requireVariances(rows, "variances.rows");
    requireVariances(columns, "variances.columns");
    finite = backend().crossKernel(kind, covariance, rows, columns, out);
  }
  if (!finite) {
    requireFinite(covariance, "covariance");
    throw inputError("covariance", "finite numbers", "an infinite one");
  }
  return { data: out, shape: covariance.shape };
}
