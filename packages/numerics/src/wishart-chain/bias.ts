import { zeros, type Matrix, type WishartChain } from "@finitewidth/core";
import { affine, identity } from "@finitewidth/linalg";

/** Whether any layer above the first has biases: then outputs get a constant of covariance B. */
export const hasUpperBiases = (chain: WishartChain): boolean =>
  chain.readoutBiasVariance > 0 || chain.layers.some(({ biasVariance }) => biasVariance > 0);

/** B = σ_b²(L+1) I + Σ_{l≥2} σ_b²(l) Σ_ij v_i v_j M_l (a i)(b j): covariance of the constant that biases add to the outputs, D × D. */
export function biasCovariance(chain: WishartChain, outputs: number, mixing: readonly Matrix[]): Matrix {
  const out = affine(chain.readoutBiasVariance, identity(outputs));
  chain.layers.forEach(({ biasVariance, biasWeights, sites }, l) => {
    if (biasVariance === 0) return;
    const m = mixing[l]!;
    const d = outputs * sites;
    for (let a = 0; a < outputs; a++) {
      for (let b = 0; b < outputs; b++) {
        let sum = 0;
        for (let i = 0; i < sites; i++)
          for (let j = 0; j < sites; j++) sum += biasWeights[i]! * biasWeights[j]! * m.data[(a * sites + i) * d + b * sites + j]!;
        out.data[a * outputs + b]! += biasVariance * sum;
      }
    }
  });
  return out;
}

/**
 * Adjoint of `biasCovariance`: gradients with respect to every M_l (undefined where it has no bias) from a symmetric gradient with respect
 * to B.
 */
export function biasCovarianceAdjoint(chain: WishartChain, outputs: number, gradient: Matrix): readonly (Matrix | undefined)[] {
  return chain.layers.map(({ biasVariance, biasWeights, sites }) => {
    if (biasVariance === 0) return undefined;
    const d = outputs * sites;
    const out = zeros(d, d);
    for (let a = 0; a < outputs; a++) {
      for (let b = 0; b < outputs; b++) {
        const value = biasVariance * gradient.data[a * outputs + b]!;
        for (let i = 0; i < sites; i++)
          for (let j = 0; j < sites; j++) out.data[(a * sites + i) * d + b * sites + j] = value * biasWeights[i]! * biasWeights[j]!;
      }
    }
    return out;
  });
}

/** Adds B ⊗ 11ᵀ to a covariance over (output, point), in place. */
export function addConstantCovariance(covariance: Matrix, bias: Matrix): void {
  const outputs = bias.shape[0];
  const [rows, columns] = covariance.shape;
  const [points, others] = [rows / outputs, columns / outputs];
  for (let r = 0; r < rows; r++) {
    const a = Math.floor(r / points);
    for (let c = 0; c < columns; c++) covariance.data[r * columns + c]! += bias.data[a * outputs + Math.floor(c / others)]!;
  }
}

/** Σ_μν H_(aμ)(bν): adjoint of `addConstantCovariance`, D × D. */
export function constantCovarianceAdjoint(h: Matrix, outputs: number): Matrix {
  const n = h.shape[0];
  const points = n / outputs;
  const out = zeros(outputs, outputs);
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) out.data[Math.floor(r / points) * outputs + Math.floor(c / points)]! += h.data[r * n + c]!;
  return out;
}
