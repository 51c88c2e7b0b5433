import type { Matrix } from "@finitewidth/core";
import { conditionTargets } from "./gaussian-process.js";

/** Targets under N(0, K + T), one Gaussian per output, for theories that move the kernel. */
export interface TargetResponse {
  /** V = (K + T)⁻¹Y: P × D. Like `resolvent` without the null directions of K where T is lost in its rounding. */
  readonly weights: Matrix;
  /** R = (K + T)⁻¹: P × P. */
  readonly resolvent: Matrix;
  /** P, or the rank of K where null directions are left out. */
  readonly directions: number;
  /** Y − E f at the training points, all directions: P × D. */
  readonly missed: Matrix;
  /** ln N(Y | 0, K + T), all outputs and directions. */
  readonly logDensity: number;
}

/**
 * Weights, resolvent and log density of the targets Y (P × D): `conditionTargets` with everything made. O(P³).
 * @throws FinitewidthError (code "not-positive-definite") when K + T is singular, as at T = 0 with dependent inputs.
 */
export function respondToTargets(kernel: Matrix, targets: Matrix, temperature: number): TargetResponse {
  const { weights, directions, logEvidence, outside, resolvent } = conditionTargets(kernel, targets, temperature, { regular: true });
  const missed = { data: weights.data.map((value, i) => temperature * value + (outside?.data[i] ?? 0)), shape: weights.shape };
  return { weights, resolvent: resolvent(), directions, missed, logDensity: logEvidence };
}
