import { coordinateLogPrior, sampleCoordinates, type ChainLayout } from "@finitewidth/numerics";
import type { PlainChain } from "../exact/chain.js";
import { farthestCoordinate, type PosteriorTarget, type TargetGradients, type TargetValue } from "../sampling/target.js";
import type { SpectralProblem } from "../spectrum/problem.js";
import { addChainGradient, biasAt, factorsAt, mixingAt, plainLayout } from "./chain-factors.js";
import { matrixLikelihood, type MatrixLikelihood } from "./likelihood.js";

/** Posterior over the signed-root coordinates of a chain over outputs, with the pieces that turn coordinates into mixing matrices. */
export interface MatrixTarget extends PosteriorTarget {
  readonly chain: PlainChain;
  readonly layout: ChainLayout;
  readonly likelihood: MatrixLikelihood;
}

/** O(L D³ + D² r) per evaluation. */
export function matrixTarget(chain: PlainChain, problem: SpectralProblem): MatrixTarget {
  const outputs = problem.targets.shape[1];
  const layout = plainLayout(chain, outputs);
  const likelihood = matrixLikelihood(problem);
  const mixing = new Float64Array(outputs * outputs);
  const evaluate = (x: Float64Array, gradients?: TargetGradients): TargetValue => {
    gradients?.prior.fill(0);
    gradients?.likelihood.fill(0);
    for (const value of x) if (!(Math.abs(value) <= farthestCoordinate)) return { logPrior: -Infinity, logLikelihood: -Infinity };
    const factors = factorsAt(layout, x);
    const logPrior = coordinateLogPrior(layout, x, factors.coordinates, gradients?.prior);
    mixingAt(factors, 0, outputs, mixing);
    const bias = biasAt(chain, factors, outputs);
    const logLikelihood = likelihood.evaluate(mixing, bias, gradients !== undefined);
    if (gradients !== undefined && logLikelihood > -Infinity)
      addChainGradient(layout, chain, factors, likelihood.gradientQ, bias && likelihood.gradientB, gradients.likelihood);
    return { logPrior, logLikelihood };
  };
  return {
    chain,
    layout,
    likelihood,
    dimension: layout.dimension,
    logConstant: likelihood.constant,
    evaluate,
    samplePrior: (stream, out) => sampleCoordinates(layout, stream, out),
  };
}
