import type { Matrix } from "@finitewidth/core";
import { identity, solveCholesky } from "@finitewidth/linalg";
import { addCoordinateGradient, biasCovarianceAdjoint, chainAdjoint, constantCovarianceAdjoint, coordinateLogPrior, hasUpperBiases, sampleCoordinates, siteCovarianceAdjoint } from "@finitewidth/numerics";
import type { PosteriorTarget, TargetGradients, TargetValue } from "../sampling/target.js";
import { conditionOnChain, type SiteConditional } from "./conditional.js";
import type { SiteProblem } from "./problem.js";

const outside: TargetValue = { logPrior: -Infinity, logLikelihood: -Infinity };

/**
 * Posterior of a chain over sites in its signed-root coordinates. Likelihood by Cholesky of the (P D)² covariance; gradient
 * ∂/∂M_(ai)(bj) = Σ_μν K_ij(μν) ½(αα^T − Σ⁻¹)_(aμ)(bν), carried back through the Bartlett factors. O((PD)³ + (PDS)²) an evaluation.
 * Source: docs/theories/convolution.md §6.
 */
export function siteTarget(problem: SiteProblem): PosteriorTarget {
  const { layout } = problem;
  const bound = 50 + 10 * Math.sqrt(Math.max(...layout.layers.map(({ layer }) => layer.width)));
  return {
    dimension: layout.dimension,
    bound,
    evaluate(x, gradients) {
      gradients?.prior.fill(0);
      gradients?.likelihood.fill(0);
      for (const value of x) if (!(Math.abs(value) <= bound)) return outside;
      const conditional = conditionOnChain(problem, x);
      if (conditional === undefined || !Number.isFinite(conditional.logLikelihood)) return outside;
      const logPrior = coordinateLogPrior(layout, x, gradients?.prior);
      if (gradients) addLikelihoodGradient(problem, conditional, gradients);
      return { logPrior, logLikelihood: conditional.logLikelihood };
    },
    samplePrior: (stream, out) => sampleCoordinates(layout, stream, out),
  };
}

function addLikelihoodGradient(problem: SiteProblem, { coordinates, factors, root, alpha }: SiteConditional, gradients: TargetGradients): void {
  const { law, layout, kernels, outputs } = problem;
  const size = alpha.length;
  const inverse = solveCholesky(root, identity(size));
  const h: Matrix = { data: inverse.data.map((value, k) => 0.5 * (alpha[Math.floor(k / size)]! * alpha[k % size]! - value)), shape: inverse.shape };
  const mixing: (Matrix | undefined)[] = hasUpperBiases(law.chain) ? [...biasCovarianceAdjoint(law.chain, outputs, constantCovarianceAdjoint(h, outputs))] : [];
  mixing[0] = siteCovarianceAdjoint(kernels, outputs, h);
  addCoordinateGradient(layout, coordinates, chainAdjoint(layout, factors, mixing), gradients.likelihood);
}
