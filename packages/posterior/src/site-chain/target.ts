import type { Matrix } from "@finitewidth/core";
import { affine, identity, multiply, solveCholesky } from "@finitewidth/linalg";
import {
  addCoordinateGradient,
  biasCovarianceAdjoint,
  chainAdjoint,
  constantCovarianceAdjoint,
  coordinateLogPrior,
  hasUpperBiases,
  outputDesignAdjoint,
  sampleCoordinates,
  siteCovarianceAdjoint,
} from "@finitewidth/numerics";
import { farthestCoordinate, type PosteriorTarget, type TargetGradients, type TargetValue } from "../sampling/target.js";
import { conditionOnChain, type SiteConditional } from "./conditional.js";
import type { SiteModel } from "./problem.js";
import { conditionOnWeights, weightGradient } from "./weight-space.js";

const outside: TargetValue = { logPrior: -Infinity, logLikelihood: -Infinity };

/**
 * Posterior of a chain over sites in its signed-root coordinates. Likelihood by Cholesky of the (P D)² covariance; gradient
 * ∂/∂M_(ai)(bj) = Σ_μν K_ij(μν) ½(αα^T − Σ⁻¹)_(aμ)(bν), carried back through the Bartlett factors. O((PD)³ + (PD)² r F) an evaluation.
 * With fewer weights than targets by `conditionOnWeights` instead. Source: docs/theories/convolution.md §6.
 */
export function siteTarget(problem: SiteModel): PosteriorTarget {
  const { layout } = problem;
  return {
    dimension: layout.dimension,
    evaluate(x, gradients) {
      gradients?.prior.fill(0);
      gradients?.likelihood.fill(0);
      for (const value of x) if (!(Math.abs(value) <= farthestCoordinate)) return outside;
      const conditional = problem.weights ? conditionOnWeights(problem, problem.weights, x) : conditionOnChain(problem, x);
      if (conditional === undefined || !Number.isFinite(conditional.logLikelihood)) return outside;
      const logPrior = coordinateLogPrior(layout, x, conditional.coordinates, gradients?.prior);
      if (gradients && "weights" in conditional) {
        const direct = weightGradient(problem, problem.weights!, conditional);
        const { coordinates, factors } = conditional;
        addCoordinateGradient(layout, coordinates, chainAdjoint(layout, factors, [], direct), gradients.likelihood);
      } else if (gradients) addLikelihoodGradient(problem, conditional as SiteConditional, gradients);
      return { logPrior, logLikelihood: conditional.logLikelihood };
    },
    samplePrior: (stream, out) => sampleCoordinates(layout, stream, out),
  };
}

function addLikelihoodGradient(
  problem: SiteModel,
  { coordinates, factors, design, root, alpha }: SiteConditional,
  gradients: TargetGradients,
): void {
  const { law, layout, covariance, outputs } = problem;
  const size = alpha.length;
  const inverse = solveCholesky(root, identity(size)).data;
  // 2H = αα^T − Σ⁻¹
  const twice: Matrix = { data: inverse, shape: [size, size] };
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) inverse[i * size + j] = alpha[i]! * alpha[j]! - inverse[i * size + j]!;
  const biased = hasUpperBiases(law.chain);
  let direct: Matrix | undefined;
  const mixing: (Matrix | undefined)[] = [];
  if (covariance.kind === "features" && design)
    direct = outputDesignAdjoint(covariance.features, factors[0]!.f.shape[1], multiply(twice, design));
  if (covariance.kind === "kernels" || biased) {
    const h = affine(0.5, twice);
    if (biased) mixing.push(...biasCovarianceAdjoint(law.chain, outputs, constantCovarianceAdjoint(h, outputs)));
    if (covariance.kind === "kernels") mixing[0] = siteCovarianceAdjoint(covariance.kernels, outputs, h);
  }
  addCoordinateGradient(layout, coordinates, chainAdjoint(layout, factors, mixing, direct), gradients.likelihood);
}
