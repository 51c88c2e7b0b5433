import { applyAdjointSlopes, kernelMap, kernelSlopes } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import { combine } from "@finitewidth/linalg";
import type { TiltedAverages } from "./closure.js";
import { isNumericalFailure, solveByContinuation } from "./continuation.js";
import { respondToTargets } from "@finitewidth/numerics";
import { dataForce } from "./data-term.js";
import { variationalAverages } from "./gaussian-variational.js";
import { choleskyRoot } from "./kernel-root.js";
import { gaussianGradient, tiltGaussian, type TiltedGaussian } from "./linear-closure.js";
import { scaledCoordinates } from "./layer-coordinates.js";
import { checkSaddleProblem, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle-problem.js";
import { assembleSaddle, continuationOptions } from "./saddle.js";

/** What one evaluation of the map leaves. */
interface VariationalSweep {
  readonly kernels: readonly Matrix[];
  readonly conjugates: readonly Matrix[];
  readonly gaussians: readonly TiltedGaussian[];
}

const scaled = (factor: number, m: Matrix): Matrix => combine(factor, m, 0, m);

/**
 * Forward–backward equations with the Gaussian variational closure, solved for the covariances S¹ … S^L of all layers at once, so that no
 * closure is iterated within a sweep: C^{l+1} = gG(Sˡ) + g_b upwards; from the data force downwards Bˡ = gJᵀ(Sˡ)[A^{l+1}], Aˡ =
 * (N_l/N_{l−1})(Bˡ + 2BˡS′Bˡ); new S′ = (C⁻¹ − 2B)⁻¹. O(L P³) per sweep. @throws like `solveSaddle`. Source:
 * docs/theories/forward-backward.md.
 */
export function solveVariationalSaddle(
  activation: Activation,
  problem: Omit<SaddleProblem, "closure">,
  options: SaddleOptions = {},
): Saddle {
  checkSaddleProblem(problem);
  const { firstKernel, infiniteWidth, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const L = widths.length;
  respondToTargets(infiniteWidth[L - 1]!, targets, temperature);
  const layers = scaledCoordinates([firstKernel, ...infiniteWidth.slice(0, -1)]);
  const firstRoot = choleskyRoot(firstKernel);

  const kernelsOf = (covariances: readonly Matrix[]): Matrix[] =>
    covariances.map((s, l) => {
      const g = kernelMap(activation, s);
      return { data: g.data.map((value) => weightVariance[l]! * value + biasVariance[l]!), shape: g.shape };
    });
  const map = (x: Float64Array, strength: number): { readonly image: Float64Array; readonly state: VariationalSweep } | undefined => {
    try {
      const covariances = layers.toMatrices(x);
      const kernels = kernelsOf(covariances);
      const conjugates: Matrix[] = [];
      const gaussians: TiltedGaussian[] = [];
      conjugates[L - 1] = scaled(strength / widths[L - 1]!, dataForce(respondToTargets(kernels[L - 1]!, targets, temperature)));
      for (let l = L - 1; l >= 0; l--) {
        const tilt = scaled(weightVariance[l]!, applyAdjointSlopes(kernelSlopes(activation, covariances[l]!), conjugates[l]!));
        gaussians[l] = tiltGaussian(l === 0 ? firstRoot : choleskyRoot(kernels[l - 1]!), tilt);
        if (l > 0) conjugates[l - 1] = scaled(widths[l]! / widths[l - 1]!, gaussianGradient(tilt, gaussians[l]!.covariance));
      }
      return { image: layers.toUnknowns(gaussians.map(({ covariance }) => covariance)), state: { kernels, conjugates, gaussians } };
    } catch (error) {
      if (isNumericalFailure(error)) return undefined;
      throw error;
    }
  };
  // near a given solution: its tilted Gaussians are found by the first Newton steps from the kernels
  const start = layers.toUnknowns([firstKernel, ...(options.start ?? infiniteWidth).slice(0, -1)]);
  const found = solveByContinuation({ start, map, admissible: layers.isPositive }, continuationOptions(options));
  const { kernels, conjugates, gaussians } = found.state;
  const forward = gaussians.map((gaussian, l): TiltedAverages =>
    variationalAverages(activation, gaussian, conjugates[l]!, weightVariance[l]!),
  );
  return assembleSaddle(problem, kernels, { kernels, conjugates, forward, effectiveFraction: 1 }, found.residual, found.sweeps);
}
