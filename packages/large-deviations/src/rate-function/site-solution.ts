import { zeros, type Matrix, type Problem, type WishartChain } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft } from "@finitewidth/linalg";
import { conditionTargets, predictGaussianProcess, type SiteKernels, type StackedFeatures } from "@finitewidth/numerics";
import { dataCovariance, siteChainData } from "./chain-data.js";
import { chainFluctuations, chainRateMinima } from "./chain-minimiser.js";
import type { Solution } from "./solution.js";

/** Several sites, or biases above the first layer: minimises over the whole chain. */
export function solveSites(
  problem: Problem,
  chain: WishartChain,
  kernels: SiteKernels | StackedFeatures,
  referenceWidth: number,
): Solution {
  const { targets, temperature, scaling } = problem;
  const rate = { chain, data: siteChainData(chain, kernels, targets, temperature), referenceWidth, scaling };
  const minima = chainRateMinima(rate);
  const [best] = minima;
  const fluctuations = chainFluctuations(rate, best.mixing);
  return {
    mixing: best.mixing,
    spread: fluctuations?.spread ?? [],
    action: best.action,
    minima: minima.map(({ action, mixing }) => ({ action, mixing: mixing[0]! })),
    solver: { converged: best.converged, iterations: best.iterations, residual: best.residual, jitter: 0 },
    ...(fluctuations?.logEvidence === undefined ? {} : { logEvidence: fluctuations.logEvidence }),
    diagnostics: {},
  };
}

/** Posterior of f over (output, point) given the chain, and how its mean moves with it. */
export interface SitePrediction {
  /** D·P* numbers, output first. */
  readonly mean: Float64Array;
  /** (D P*) × (D P*). */
  readonly covariance: Matrix;
  along(direction: readonly Matrix[]): Float64Array;
}

/** Gaussian conditioning at covariance Σ_ij M_1 K_ij + B ⊗ 11ᵀ. `cross`: training × test kernels, `own`: test × test. O((PD)³ + (PDS)²). */
export function predictSites(
  problem: Problem,
  chain: WishartChain,
  mixing: readonly Matrix[],
  kernels: SiteKernels | StackedFeatures,
  cross: SiteKernels,
  own: SiteKernels,
): SitePrediction {
  const { targets, temperature } = problem;
  const [points, outputs] = targets.shape;
  const y = zeros(points * outputs, 1);
  for (let mu = 0; mu < points; mu++) for (let a = 0; a < outputs; a++) y.data[a * points + mu] = targets.data[mu * outputs + a]!;
  const conditioned = conditionTargets(dataCovariance(chain, kernels, mixing, outputs), y, temperature, { regular: true });
  const alpha = conditioned.weights;
  const c = dataCovariance(chain, cross, mixing, outputs);
  const { mean, covariance } = predictGaussianProcess(conditioned, c, dataCovariance(chain, own, mixing, outputs));
  return {
    mean: mean.data,
    covariance: covariance!,
    along(direction) {
      const bare = { ...chain, readoutBiasVariance: 0 };
      const moved = multiplyTransposedLeft(dataCovariance(bare, cross, direction, outputs), alpha).data;
      const inner = conditioned.unwhiten(conditioned.whiten(multiply(dataCovariance(bare, kernels, direction, outputs), alpha)));
      const back = multiplyTransposedLeft(c, inner).data;
      return moved.map((value, k) => value - back[k]!);
    },
  };
}
