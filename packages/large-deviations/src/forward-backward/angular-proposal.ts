import { FinitewidthError, rowRange, type Activation, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  multiply,
  multiplyTransposedLeft,
  scaleRows,
  symmetricEigen,
  symmetrise,
  type SymmetricEigen,
} from "@finitewidth/linalg";
import { spectralFunction } from "../effective-action/small-matrix.js";
import type { TiltedMeasure } from "./closure.js";
import type { KernelRoot } from "./kernel-root.js";

/** Shares of the tilt that the proposal goes through: what is left to 1 halves, and with it the least q at most. */
const shares = [0.5, 0.75, 0.875, 0.9375, 1] as const;
/** Nodes that find the proposal, and the share of the prior's covariance that it keeps. */
const [mostNodes, kept] = [2 ** 12, 0.1];
/** Points that have no closed form, up to as many as the nodes can tell a covariance of. */
const [leastPoints, mostPoints] = [3, 16];

/** Whether the proposal is fitted: φ of degree 1 at few points. */
export const isFitted = ({ degree }: Activation, points: number): boolean => degree === 1 && points >= leastPoints && points <= mostPoints;

export const divergent = (): FinitewidthError =>
  new FinitewidthError("the tilt grows faster than the Gaussian decays in some direction: W is infinite", {
    code: "not-positive-definite",
  });

/**
 * Eigenvalues λ and vectors of the tilt of a Gaussian with the covariance of the tilted measure, 1/(1 − λ) in whitened coordinates, for φ
 * of degree 1: weights (|z|²/q)^{P/2} and moments (P/q) yyᵀ of directions y, q = |y|² − 2gφᵀAφ, the tilt growing share by share. A tenth of
 * the prior stays in it, so that weights are bounded. O(P²) for each of 5 · 4096 nodes. @throws FinitewidthError (code
 * "not-positive-definite") where q ≤ 0.
 */
export function fittedTilt(
  activation: Activation,
  { root }: KernelRoot,
  { conjugate, weightVariance }: TiltedMeasure,
  points: Matrix,
): SymmetricEigen {
  const [count, size] = [Math.min(points.shape[0], mostNodes), points.shape[1]];
  const z = rowRange(points, 0, count);
  const squares = (rows: Matrix, others: Matrix): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => {
      let sum = 0;
      for (let j = i * size; j < (i + 1) * size; j++) sum += rows.data[j]! * others.data[j]!;
      return sum;
    });
  const radii = squares(z, z);
  let eigen: SymmetricEigen | undefined;
  for (const share of shares) {
    const y = eigen ? multiply(z, spectralFunction(eigen, Math.sqrt)) : z;
    const h = multiply(y, root);
    const features = { data: h.data.map((value) => activation.value(value)), shape: h.shape };
    const energies = squares(features, multiply(features, conjugate));
    const decays = squares(y, y).map((radius, i) => radius - 2 * weightVariance * share * energies[i]!);
    if (decays.some((decay) => decay <= 0)) throw divergent();
    const weights = decays.map((decay, i) => (radii[i]! / decay) ** (0.5 * size));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const moments = scaleRows(
      y,
      weights.map((weight, i) => ((weight / total) * size) / decays[i]!),
    );
    eigen = symmetricEigen(addDiagonal(affine(1 - kept, symmetrise(multiplyTransposedLeft(y, moments))), kept));
  }
  const { values, vectors } = eigen!;
  return { values: values.map((value) => 1 - 1 / value), vectors };
}
