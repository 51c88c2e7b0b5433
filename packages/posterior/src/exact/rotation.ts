import { zeros, type Matrix } from "@finitewidth/core";
import { symmetricEigen } from "@finitewidth/linalg";
import type { SpectralProblem } from "../spectrum/problem.js";

/**
 * Rotation R (D × D) that puts the strongest direction of the targets first: eigenvectors of Yᵀ(K + T)⁻¹Y, descending. The prior of Q does
 * not change under rotations of the outputs; samplers work on Y R, where Bartlett diagonals stay away from 0, and results are rotated
 * back.
 * `singular`: where a layer is narrower than D, what Q leaves out of Y is seen through the noise alone, and YᵀY decides: in its
 * eigenvectors the mode has small entries off the diagonal and no curved ridge, however small T.
 */
export function outputRotation(problem: SpectralProblem, singular: boolean): Matrix {
  const { spectrum, targets, temperature } = problem;
  const d = targets.shape[1];
  const floor = temperature > 0 ? temperature : 1e-12 * (spectrum.values.at(-1) ?? 1);
  const weighted = zeros(d, d);
  for (const [i, kappa] of spectrum.values.entries()) {
    const variance = singular ? 1 : kappa + floor;
    for (let a = 0; a < d; a++)
      for (let b = 0; b < d; b++) weighted.data[a * d + b]! += (targets.data[i * d + a]! * targets.data[i * d + b]!) / variance;
  }
  const { vectors } = symmetricEigen(weighted);
  const out = zeros(d, d);
  for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) out.data[a * d + b] = vectors.data[a * d + (d - 1 - b)]!;
  return out;
}
