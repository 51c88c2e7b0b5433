import { FinitewidthError, zeros, type Matrix, type WishartChain } from "@finitewidth/core";
import { affine, multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import {
  addConstantCovariance,
  biasCovariance,
  biasCovarianceAdjoint,
  conditionTargets,
  constantCovarianceAdjoint,
  hasUpperBiases,
  siteCovariance,
  siteCovarianceAdjoint,
  type ConditionedTargets,
  type SiteKernels,
  type StackedFeatures,
} from "@finitewidth/numerics";
import type { DataWeight, SpectralData } from "./spectral-data.js";

/** What the data say about a chain of mixing matrices M_1 … M_L. */
export interface ChainData {
  readonly outputs: number;
  /** Number of observed directions: P·D, or the rank of the kernel times D at T = 0. */
  readonly count: number;
  /**
   * log det and yᵀ(·)⁻¹y of the covariance of the data, with the gradients of ½c[ℓ·log det + yᵀ(·)⁻¹y] in every M_l; undefined where it is
   * singular.
   */
  evaluate(mixing: readonly Matrix[], weight: DataWeight): ChainDataValue | undefined;
}
export interface ChainDataValue {
  readonly logDeterminant: number;
  readonly quadratic: number;
  readonly gradients: readonly (Matrix | undefined)[];
}

/** Fully connected chains without biases above the first layer: covariance Q ⊗ K + T. O(D³ + D²P) a call. */
export function kroneckerChainData({ eigenvalues, targets, temperature }: SpectralData): ChainData {
  const outputs = targets.shape[1];
  return {
    outputs,
    count: eigenvalues.length * outputs,
    evaluate(mixing, { weight, logDeterminant: counted }) {
      const { values, vectors } = symmetricEigen(mixing[0]!);
      if (!(values[0]! > 0)) return undefined;
      const rotated = multiply(targets, vectors).data;
      const inner = zeros(outputs, outputs);
      const alpha = new Float64Array(outputs);
      let [logDeterminant, quadratic] = [0, 0];
      for (let i = 0; i < eigenvalues.length; i++) {
        const kappa = eigenvalues[i]!;
        for (let a = 0; a < outputs; a++) {
          const v = values[a]! * kappa + temperature;
          alpha[a] = rotated[i * outputs + a]! / v;
          logDeterminant += Math.log(v);
          quadratic += alpha[a]! * rotated[i * outputs + a]!;
          inner.data[a * outputs + a]! += (0.5 * weight * counted * kappa) / v;
        }
        for (let a = 0; a < outputs; a++)
          for (let b = 0; b < outputs; b++) inner.data[a * outputs + b]! -= 0.5 * weight * kappa * alpha[a]! * alpha[b]!;
      }
      return { logDeterminant, quadratic, gradients: [multiplyTransposedRight(multiply(vectors, inner), vectors)] };
    },
  };
}

/** Chains over sites, or with biases: covariance Σ_ij M_1 K_ij + B ⊗ 11ᵀ + T over (output, point). O((PD)³ + (PDS)²) a call. */
export function siteChainData(
  chain: WishartChain,
  kernels: SiteKernels | StackedFeatures,
  targets: Matrix,
  temperature: number,
): ChainData {
  const [points, outputs] = targets.shape;
  const size = points * outputs;
  const y = zeros(size, 1);
  for (let mu = 0; mu < points; mu++) for (let a = 0; a < outputs; a++) y.data[a * points + mu] = targets.data[mu * outputs + a]!;
  return {
    outputs,
    count: size,
    evaluate(mixing, { weight, logDeterminant: counted }) {
      const conditioned = conditionWherePositive(dataCovariance(chain, kernels, mixing, outputs), y, temperature);
      if (conditioned === undefined) return undefined;
      const { logDeterminant, quadratic } = conditioned;
      const alpha = conditioned.weights.data;
      const h: Matrix = counted === 0 ? zeros(size, size) : affine(0.5 * weight * counted, conditioned.resolvent());
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) h.data[i * size + j]! -= 0.5 * weight * alpha[i]! * alpha[j]!;
      const gradients: (Matrix | undefined)[] = hasUpperBiases(chain)
        ? [...biasCovarianceAdjoint(chain, outputs, constantCovarianceAdjoint(h, outputs))]
        : [];
      gradients[0] = siteCovarianceAdjoint(kernels, outputs, h);
      return { logDeterminant, quadratic, gradients };
    },
  };
}

/** Covariance of the outputs at rows × columns given a chain, biases included, noise not. Cost of `siteCovariance`, D² S² P P′. */
export function dataCovariance(
  chain: WishartChain,
  kernels: SiteKernels | StackedFeatures,
  mixing: readonly Matrix[],
  outputs: number,
): Matrix {
  const covariance = siteCovariance(kernels, outputs, mixing[0]!);
  if (hasUpperBiases(chain)) addConstantCovariance(covariance, biasCovariance(chain, outputs, mixing));
  return covariance;
}

function conditionWherePositive(covariance: Matrix, targets: Matrix, temperature: number): ConditionedTargets | undefined {
  try {
    return conditionTargets(covariance, targets, temperature, { regular: true });
  } catch (error) {
    if (error instanceof FinitewidthError) return undefined;
    throw error;
  }
}
