import { FinitewidthError, zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { multiplyTiled, tiledProduct, type TileSource } from "@finitewidth/linalg";
import { conjugateGradients, type SolvedColumns } from "../krylov/conjugate-gradients.js";
import { logDeterminantOf, lowRankPreconditioner, type LowRank } from "./low-rank.js";
import type { GaussianPrediction } from "./gaussian-process.js";

/** How far the iterations go. */
export interface IterativeSettings {
  /** |Y − (K + T)V| ≤ tolerance·|Y| for every output. @defaultValue 1e-10 */
  readonly tolerance?: number;
  /** Random vectors that estimate the log determinant, two at least. @defaultValue 16 */
  readonly probes?: number;
  /** @defaultValue 1000 */
  readonly maximumIterations?: number;
  /** Called before every product with K. */
  readonly breathe?: ((iteration: number) => void) | undefined;
}

/** A Gaussian process whose weights, evidence and variances come from products with K alone. */
export interface IterativeProcess {
  /** (K + T)⁻¹Y: P × D. */
  readonly weights: Matrix;
  readonly logEvidence: number;
  /** Standard error of the log evidence over the probes. */
  readonly logEvidenceError: number;
  /** Largest |Y − (K + T)V|/|Y| over the outputs, computed anew. */
  readonly residual: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Conditions on targets Y (P × D) by preconditioned conjugate gradients; `kernel` holds K without T > 0. The log determinant is that of the
 * preconditioner M = G Gᵀ + T and, for the rest, stochastic Lanczos quadrature: for probes z ~ N(0, M), log det M⁻¹(K + T) is the mean
 * of P e₁ᵀ log(T_k) e₁, T_k the tridiagonal matrix of the very iterations that solve for z. M^{−½}z is normal, so its direction does not
 * know its length, and P in place of |M^{−½}z|² leaves the mean of log M^{−½}(K + T)M^{−½} out of the scatter. The standard error comes
 * from that scatter; errors of the quadrature itself are as small as the residuals. Cost: an iteration is a product of K with D + probes
 * columns, 2 P² flops each. Source: J. Gardner et al., GPyTorch (2018); S. Ubaru, J. Chen, Y. Saad (2017).
 * @throws FinitewidthError (code "not-converged") when the residual stays above the tolerance.
 */
export function conditionIteratively(
  kernel: TileSource,
  preconditioner: LowRank,
  targets: Matrix,
  temperature: number,
  random: RandomStream,
  { tolerance = 1e-10, probes = 16, maximumIterations = 1000, breathe }: IterativeSettings = {},
): IterativeProcess {
  const [points, outputs] = targets.shape;
  const columns = outputs + probes;
  const m = lowRankPreconditioner(preconditioner, temperature);
  const draws = m.sample(random, probes);
  const right = zeros(points, columns);
  for (let i = 0; i < points; i++) {
    right.data.set(targets.data.subarray(i * outputs, (i + 1) * outputs), i * columns);
    right.data.set(draws.data.subarray(i * probes, (i + 1) * probes), i * columns + outputs);
  }
  const solved = solveShifted(kernel, m.apply, right, temperature, { tolerance, maximumIterations, breathe });
  const weights = zeros(points, outputs);
  for (let i = 0; i < points; i++) weights.data.set(solved.solution.data.subarray(i * columns, i * columns + outputs), i * outputs);
  const terms = Float64Array.from({ length: probes }, (_, k) => logDeterminantOf(solved.tridiagonals[outputs + k]!, points));
  const mean = terms.reduce((sum, term) => sum + term, 0) / probes;
  const variance = terms.reduce((sum, term) => sum + (term - mean) ** 2, 0) / (probes - 1);
  let quadratic = 0;
  for (let i = 0; i < targets.data.length; i++) quadratic += targets.data[i]! * weights.data[i]!;
  const logDeterminant = m.logDeterminant + mean;
  return {
    weights,
    logEvidence: -0.5 * (outputs * (logDeterminant + points * Math.log(2 * Math.PI)) + quadratic),
    logEvidenceError: 0.5 * outputs * Math.sqrt(variance / probes),
    residual: residualOf(kernel, weights, targets, temperature),
    iterations: solved.iterations,
    converged: solved.converged,
  };
}

function solveShifted(
  kernel: TileSource,
  precondition: (v: Matrix) => Matrix,
  right: Matrix,
  temperature: number,
  {
    tolerance,
    maximumIterations,
    breathe,
  }: Required<Pick<IterativeSettings, "tolerance" | "maximumIterations">> & Pick<IterativeSettings, "breathe">,
): SolvedColumns {
  let iteration = 0;
  const times = tiledProduct(kernel, right.shape[1]);
  const apply = (v: Matrix): Matrix => {
    breathe?.(iteration++);
    const product = times(v);
    for (let i = 0; i < product.data.length; i++) product.data[i]! += temperature * v.data[i]!;
    return product;
  };
  const solved = conjugateGradients(apply, precondition, right, { tolerance, maximumIterations });
  if (solved.converged) return solved;
  throw new FinitewidthError(
    `conjugate gradients stopped at a residual of ${solved.residual.toExponential(1)} after ${solved.iterations} iterations; raise the temperature, or use "solver": "dense"`,
    { code: "not-converged" },
  );
}

/** Largest |Y − (K + T)V|/|Y| over the columns. */
function residualOf(kernel: TileSource, weights: Matrix, targets: Matrix, temperature: number): number {
  const product = multiplyTiled(kernel, weights);
  const [points, outputs] = targets.shape;
  let worst = 0;
  for (let a = 0; a < outputs; a++) {
    let [rest, size] = [0, 0];
    for (let at = a; at < points * outputs; at += outputs) {
      rest += (targets.data[at]! - product.data[at]! - temperature * weights.data[at]!) ** 2;
      size += targets.data[at]! ** 2;
    }
    if (size > 0) worst = Math.max(worst, Math.sqrt(rest / size));
  }
  return worst;
}

/** Test points that are solved for together. */
const together = 128;

/**
 * Means K_xᵀV, and variances K_xx − K_xᵀ(K + T)⁻¹K_x (or the covariance, where `prior` is P* × P*) by conjugate gradients to a relative
 * residual ε: errors of the variances are of order ε² K_xx. Cost of the variances: iterations × 2 P² P* flops.
 * @throws FinitewidthError (code "not-converged").
 */
export function predictIteratively(
  kernel: TileSource,
  preconditioner: LowRank,
  weights: Matrix,
  temperature: number,
  cross: Matrix,
  prior: Float64Array | Matrix,
  { tolerance = 1e-7, maximumIterations = 1000, breathe }: Omit<IterativeSettings, "probes"> = {},
): GaussianPrediction {
  const [points, tests] = cross.shape;
  const outputs = weights.shape[1];
  const { apply } = lowRankPreconditioner(preconditioner, temperature);
  const mean = zeros(tests, outputs);
  for (let i = 0; i < points; i++)
    for (let j = 0; j < tests; j++)
      for (let a = 0; a < outputs; a++) mean.data[j * outputs + a]! += cross.data[i * tests + j]! * weights.data[i * outputs + a]!;
  const joint = prior instanceof Float64Array ? undefined : zeros(tests, tests);
  const variance = new Float64Array(tests);
  for (let first = 0; first < tests; first += together) {
    const count = Math.min(together, tests - first);
    const part = zeros(points, count);
    for (let i = 0; i < points; i++) part.data.set(cross.data.subarray(i * tests + first, i * tests + first + count), i * count);
    const { solution } = solveShifted(kernel, apply, part, temperature, { tolerance, maximumIterations, breathe });
    for (let i = 0; i < points; i++)
      for (let k = 0; k < count; k++) {
        const value = solution.data[i * count + k]!;
        variance[first + k]! += value * part.data[i * count + k]!;
        if (joint) for (let j = 0; j < tests; j++) joint.data[j * tests + first + k]! += value * cross.data[i * tests + j]!;
      }
  }
  const own = (j: number): number => (prior instanceof Float64Array ? prior[j]! : prior.data[j * (tests + 1)]!);
  for (let j = 0; j < tests; j++) variance[j] = Math.max(own(j) - variance[j]!, 0);
  if (!joint || prior instanceof Float64Array) return { mean, variance };
  const covariance = zeros(tests, tests);
  for (let i = 0; i < tests; i++)
    for (let j = 0; j < tests; j++) {
      const explained = 0.5 * (joint.data[i * tests + j]! + joint.data[j * tests + i]!);
      covariance.data[i * tests + j] = prior.data[i * tests + j]! - explained;
    }
  return { mean, variance, covariance };
}
