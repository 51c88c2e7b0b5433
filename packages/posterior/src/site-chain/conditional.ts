import { FinitewidthError, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, gram, solveCholesky, symmetricEigenvalues, type Cholesky } from "@finitewidth/linalg";
import {
  addConstantCovariance,
  biasCovariance,
  chainFactors,
  coordinatesToFactors,
  hasUpperBiases,
  sampleCoordinates,
  type ChainFactor,
  type CoordinateFactors,
} from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { covarianceAt, type SiteModel } from "./problem.js";

/** The Gaussian posterior of the outputs given one value of the chain. */
export interface SiteConditional {
  readonly coordinates: CoordinateFactors;
  readonly factors: readonly ChainFactor[];
  /** Ψ with Σ_f = Ψ Ψᵀ + biases, where the covariance is put together from features. */
  readonly design?: Matrix;
  /** The M_l that carry biases (others undefined). */
  readonly mixing: readonly (Matrix | undefined)[];
  /** Σ_f + T = L Lᵀ over (output, point). */
  readonly root: Cholesky;
  /** (Σ_f + T)⁻¹y. */
  readonly alpha: Float64Array;
  readonly logLikelihood: number;
}

/** Adds the covariance of the constants that biases add to the outputs. */
export function addBiases({ law, outputs }: SiteModel, covariance: Matrix, mixing: readonly (Matrix | undefined)[]): void {
  // M_l without a bias is never read
  if (hasUpperBiases(law.chain)) addConstantCovariance(covariance, biasCovariance(law.chain, outputs, mixing as readonly Matrix[]));
}

/**
 * Everything at one point of coordinate space; undefined where the covariance is singular. O((PD)³ + (PD)² r F), r the rank of M_1 and F
 * the features.
 */
export function conditionOnChain(problem: SiteModel, x: Float64Array): SiteConditional | undefined {
  const { law, layout, covariance: sites, outputs, targets, temperature } = problem;
  const coordinates = coordinatesToFactors(layout, x);
  try {
    const factors = chainFactors(layout, coordinates.z);
    const mixing = factors.map(({ f }, l) => (law.chain.layers[l]!.biasVariance > 0 ? gram(f) : undefined));
    const { covariance, design } = covarianceAt(sites, outputs, factors[0]!.f);
    addBiases(problem, covariance, mixing);
    const root = cholesky(addDiagonal(covariance, temperature));
    const alpha = solveCholesky(root, { data: targets, shape: [targets.length, 1] }).data;
    const quadratic = alpha.reduce((sum, value, k) => sum + value * targets[k]!, 0);
    return {
      coordinates,
      factors,
      ...(design === undefined ? {} : { design }),
      mixing,
      root,
      alpha,
      logLikelihood: -0.5 * (quadratic + root.logDeterminant + targets.length * Math.log(2 * Math.PI)),
    };
  } catch (error) {
    if (error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "input")) return undefined;
    throw error;
  }
}

/**
 * Whether the outputs are confined to a subspace whatever the data, where they have no density at T = 0: a layer narrower than what passes
 * through it leaves the covariance of the outputs singular, at one draw of the chain as at all others. O((PD)³).
 */
export function isConfined(problem: SiteModel): boolean {
  const { layout, covariance: sites, outputs } = problem;
  const x = new Float64Array(layout.dimension);
  sampleCoordinates(layout, stream(1, 1), x);
  const factors = chainFactors(layout, coordinatesToFactors(layout, x).z);
  const { covariance } = covarianceAt(sites, outputs, factors[0]!.f);
  addBiases(
    problem,
    covariance,
    factors.map(({ f }) => gram(f)),
  );
  const values = symmetricEigenvalues(covariance);
  const rounding = 10 * values.length * Number.EPSILON;
  return !(values[0]! > rounding * values.at(-1)!);
}
