import { FinitewidthError, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, gram, solveCholesky, type Cholesky } from "@finitewidth/linalg";
import { addConstantCovariance, biasCovariance, chainFactors, coordinatesToFactors, hasUpperBiases, siteCovariance, type ChainFactor, type CoordinateFactors, type SiteKernels } from "@finitewidth/numerics";
import type { SiteProblem } from "./problem.js";

/** The Gaussian posterior of the outputs given one value of the chain. */
export interface SiteConditional {
  readonly coordinates: CoordinateFactors;
  readonly factors: readonly ChainFactor[];
  /** M_1, and the M_l that carry biases (others undefined). */
  readonly mixing: readonly (Matrix | undefined)[];
  /** Σ_f + T = L Lᵀ over (output, point). */
  readonly root: Cholesky;
  /** (Σ_f + T)⁻¹y. */
  readonly alpha: Float64Array;
  readonly logLikelihood: number;
}

/** Covariance of the outputs at rows × columns of `kernels`, biases included, noise not. */
export function outputCovariance({ law, outputs }: SiteProblem, kernels: SiteKernels, mixing: readonly (Matrix | undefined)[]): Matrix {
  const covariance = siteCovariance(kernels, outputs, mixing[0]!);
  // M_l without a bias is never read
  if (hasUpperBiases(law.chain)) addConstantCovariance(covariance, biasCovariance(law.chain, outputs, mixing as readonly Matrix[]));
  return covariance;
}

/** Everything at one point of coordinate space; undefined where the covariance is singular. O((PD)³ + (PDS)²). */
export function conditionOnChain(problem: SiteProblem, x: Float64Array): SiteConditional | undefined {
  const { law, layout, kernels, targets, temperature } = problem;
  const coordinates = coordinatesToFactors(layout, x);
  try {
    const factors = chainFactors(layout, coordinates.z);
    const mixing = factors.map(({ f }, l) => (l === 0 || law.chain.layers[l]!.biasVariance > 0 ? gram(f) : undefined));
    const root = cholesky(addDiagonal(outputCovariance(problem, kernels, mixing), temperature));
    const alpha = solveCholesky(root, { data: targets, shape: [targets.length, 1] }).data;
    const quadratic = alpha.reduce((sum, value, k) => sum + value * targets[k]!, 0);
    return { coordinates, factors, mixing, root, alpha, logLikelihood: -0.5 * (quadratic + root.logDeterminant + targets.length * Math.log(2 * Math.PI)) };
  } catch (error) {
    if (error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "input")) return undefined;
    throw error;
  }
}
