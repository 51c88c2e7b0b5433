import { matrix, zeros, type Matrix, type SiteBlocks } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, symmetricEigen, symmetrise } from "@finitewidth/linalg";
import { predictGaussianProcess, trainGaussianProcess, type GaussianProcess } from "@finitewidth/numerics";
import { addBias, centreBlocks, meanDirections, renormalisedBlocks, type BlockProblem, type BlockState } from "./block-problem.js";
import type { MultiOutputPrediction } from "./multi-output-predict.js";
import { plus } from "./small-matrix.js";

/** What block predictions need, as plain arrays. */
export interface BlockFit extends Pick<GaussianProcess, "root" | "form" | "weights"> {
  readonly sites: number;
  readonly orderParameter: Matrix;
  readonly zeta?: Matrix;
  /** m_i at the training inputs, where ζ is used: S × P. */
  readonly means?: Matrix;
  readonly biasVariance: number;
  readonly outputs: number;
}

/**
 * Latent outputs at new points. `cross`: blocks between training and new inputs (P × P′ each) with the new points' means and own blocks, as
 * the prior model gives them; `between`: blocks among the new points, for covariances. O(P′ P²D³ + S²D²P P′).
 */
export function predictBlocks(fit: BlockFit, cross: SiteBlocks, between?: SiteBlocks): MultiOutputPrediction {
  const { sites, outputs, orderParameter, zeta, means, biasVariance } = fit;
  const points = cross.blocks[0]!.shape[1];
  const useMean = zeta !== undefined && means !== undefined;
  const blocks = useMean ? centreBlocks(cross.blocks, sites, means, cross.means) : cross.blocks;
  let c = renormalisedBlocks(blocks, sites, outputs, orderParameter);
  if (useMean) c = plus(c, multiplyTransposedRight(multiply(meanDirections(means, outputs), zeta), meanDirections(cross.means, outputs)));
  addBias(c, outputs, biasVariance);
  const prior = between
    ? priorCovariance(fit, between.blocks, useMean ? cross.means : undefined)
    : priorVariances(fit, cross, useMean ? cross.means : undefined);
  const { mean, variance, covariance } = predictGaussianProcess(fit, c, prior);
  const wide = (data: Float64Array): Matrix => matrix(points, outputs, data);
  return { mean: wide(mean.data), variance: wide(variance), ...(covariance ? { covariance } : {}) };
}

/** K_R among new points, index point·D + output. */
function priorCovariance(
  { sites, outputs, orderParameter, zeta, biasVariance }: BlockFit,
  between: readonly Matrix[],
  means?: Matrix,
): Matrix {
  let own = renormalisedBlocks(means ? centreBlocks(between, sites, means, means) : between, sites, outputs, orderParameter);
  if (means && zeta) {
    const here = meanDirections(means, outputs);
    own = plus(own, multiplyTransposedRight(multiply(here, zeta), here));
  }
  addBias(own, outputs, biasVariance);
  return symmetrise(own);
}

/** Its diagonal, from each point's own blocks. */
function priorVariances({ sites, outputs, orderParameter, zeta, biasVariance }: BlockFit, cross: SiteBlocks, means?: Matrix): Float64Array {
  const points = cross.blocks[0]!.shape[1];
  const n = sites * outputs;
  const variances = new Float64Array(points * outputs).fill(biasVariance);
  for (let t = 0; t < points; t++) {
    for (let d = 0; d < outputs; d++) {
      for (let i = 0; i < sites; i++) {
        for (let j = 0; j < sites; j++) {
          const at = (i * outputs + d) * n + j * outputs + d;
          const mm = means ? means.data[i * points + t]! * means.data[j * points + t]! : 0;
          variances[t * outputs + d]! +=
            orderParameter.data[at]! * (cross.own!.data[t * sites * sites + i * sites + j]! - mm) + (zeta ? zeta.data[at]! * mm : 0);
        }
      }
    }
  }
  return variances;
}

/** Latent outputs at the training inputs. O(P³D³). */
export function predictBlocksTrain({ temperature, targets }: BlockProblem, state: BlockState): MultiOutputPrediction {
  const column: Matrix = { data: targets.data, shape: [targets.data.length, 1] };
  const { mean, variance } = trainGaussianProcess(state, state.covariance, column, temperature, temperature);
  return { mean: matrix(...targets.shape, mean.data), variance: matrix(...targets.shape, variance) };
}

/** Floating-point operations above which `blockLearnedKernel` is left out of a fit. */
export const learnedKernelCost = ({ sites, targets }: BlockProblem): number =>
  4 * sites * sites * targets.shape[1] ** 3 * targets.shape[0] ** 3;

/**
 * Posterior mean of Σ_i B̂_ii (σ_w² times the kernel averaged over sites) on the training inputs: Σ_i [B_ii + (1/N) Σ_kl Q_kl B_ik(r rᵀ −
 * A⁻¹)B_li]. For φ without a mean and a flattened readout. Exact given Q for φ = identity. O(S²P³D³).
 */
export function blockLearnedKernel(problem: BlockProblem, { inverse, residual }: BlockState, orderParameter: Matrix): Matrix {
  const { blocks, sites, targets, width } = problem;
  const [size, outputs] = targets.shape;
  const n = sites * outputs;
  const { values, vectors } = symmetricEigen(orderParameter);
  const middle = {
    data: inverse.data.map((value, at) => residual[Math.floor(at / residual.length)]! * residual[at % residual.length]! - value),
    shape: inverse.shape,
  };
  let out = zeros(size, size);
  for (let i = 0; i < sites; i++) {
    out = plus(out, blocks[i * sites + i]!);
    for (let m = 0; m < n; m++) {
      const c = zeros(size, size * outputs);
      const root = Math.sqrt(Math.max(values[m]!, 0));
      for (let k = 0; k < sites; k++) {
        const b = blocks[i * sites + k]!.data;
        for (let e = 0; e < outputs; e++) {
          const weight = root * vectors.data[(k * outputs + e) * n + m]!;
          for (let mu = 0; mu < size; mu++)
            for (let nu = 0; nu < size; nu++) c.data[mu * size * outputs + nu * outputs + e]! += weight * b[mu * size + nu]!;
        }
      }
      out = plus(out, multiplyTransposedRight(multiply(c, middle), c), 1 / width);
    }
  }
  return symmetrise(out);
}
