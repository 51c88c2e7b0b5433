import { matrix, zeros, type Matrix, type SiteBlocks } from "@finitewidth/core";
import {
  diagonalOf,
  gram,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveLower,
  symmetricEigen,
  symmetrise,
  transpose,
} from "@finitewidth/linalg";
import { addBias, centreBlocks, meanDirections, renormalisedBlocks, type BlockProblem, type BlockState } from "./block-problem.js";
import type { MultiOutputPrediction } from "./multi-output-predict.js";
import { plus } from "./small-matrix.js";

/** What block predictions need, as plain arrays. */
export interface BlockFit {
  readonly sites: number;
  readonly orderParameter: Matrix;
  readonly zeta?: Matrix;
  /** Cholesky factor of A. */
  readonly factor: Matrix;
  readonly residual: Float64Array;
  /** m_i at the training inputs, where ζ is used: S × P. */
  readonly means?: Matrix;
  readonly biasVariance: number;
  readonly outputs: number;
}

/**
 * Latent outputs at new points. `cross`: blocks between training and new inputs (P × P′ each) with the new points' means and own blocks, as
 * the prior model gives them; `between`: blocks among the new points, for covariances. O(P³D³/… + P′P²D³).
 */
export function predictBlocks(fit: BlockFit, cross: SiteBlocks, between?: SiteBlocks): MultiOutputPrediction {
  const { sites, outputs, orderParameter, zeta, means, biasVariance } = fit;
  const points = cross.blocks[0]!.shape[1];
  const useMean = zeta !== undefined && means !== undefined;
  const blocks = useMean ? centreBlocks(cross.blocks, sites, means, cross.means) : cross.blocks;
  let c = renormalisedBlocks(blocks, sites, outputs, orderParameter);
  const here = useMean ? meanDirections(cross.means, outputs) : undefined;
  if (useMean) c = plus(c, multiplyTransposedRight(multiply(meanDirections(means, outputs), zeta), here!));
  addBias(c, outputs, biasVariance);
  const mean = matrix(points, outputs, multiplyTransposedLeft(c, { data: fit.residual, shape: [fit.residual.length, 1] }).data);
  const white = transpose(solveLower(fit.factor, c));
  if (between) {
    let own = renormalisedBlocks(
      useMean ? centreBlocks(between.blocks, sites, cross.means, cross.means) : between.blocks,
      sites,
      outputs,
      orderParameter,
    );
    if (useMean) own = plus(own, multiplyTransposedRight(multiply(here!, zeta), here!));
    addBias(own, outputs, biasVariance);
    const covariance = symmetrise(plus(own, gram(white), -1));
    return {
      mean,
      variance: matrix(
        points,
        outputs,
        diagonalOf(covariance).map((value) => Math.max(value, 0)),
      ),
      covariance,
    };
  }
  const n = sites * outputs;
  const variance = zeros(points, outputs);
  const size = white.shape[1];
  for (let t = 0; t < points; t++) {
    for (let d = 0; d < outputs; d++) {
      let value = biasVariance;
      for (let i = 0; i < sites; i++) {
        for (let j = 0; j < sites; j++) {
          const at = (i * outputs + d) * n + j * outputs + d;
          const mm = useMean ? cross.means.data[i * points + t]! * cross.means.data[j * points + t]! : 0;
          value +=
            orderParameter.data[at]! * (cross.own!.data[t * sites * sites + i * sites + j]! - mm) + (useMean ? zeta.data[at]! * mm : 0);
        }
      }
      const row = (t * outputs + d) * size;
      for (let j = 0; j < size; j++) value -= white.data[row + j]! ** 2;
      variance.data[t * outputs + d] = Math.max(value, 0);
    }
  }
  return { mean, variance };
}

/** Latent outputs at the training inputs: y − Tr, T(1 − T A⁻¹). */
export function predictBlocksTrain(problem: BlockProblem, { inverse, residual }: BlockState): MultiOutputPrediction {
  const { temperature: T, targets } = problem;
  const mean = { data: targets.data.map((y, i) => y - T * residual[i]!), shape: targets.shape };
  return {
    mean,
    variance: matrix(
      targets.shape[0],
      targets.shape[1],
      diagonalOf(inverse).map((value) => Math.max(T * (1 - T * value), 0)),
    ),
  };
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
