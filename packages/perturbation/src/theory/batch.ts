import type { Matrix } from "@finitewidth/core";
import { columnVector, zeros } from "@finitewidth/core";
import { block, multiply } from "@finitewidth/linalg";
import type { GaussianPieces } from "../posterior/gaussian-pieces.js";
import { residualRows, type ProjectedFluctuation } from "../posterior/corrections.js";

/**
 * Everything that one evaluation of the fluctuation gives, at the widths of the network: the whole answer of a deterministic engine, one of
 * 16 independent batches of a sampled one. Plain data.
 */
export interface Batch {
  /** Data-driven shifts of Ĝˡ, l = 1 … L, on the training points, averaged over sites. */
  readonly hidden: readonly Matrix[];
  /** Data-driven shifts of K̂ˡ, l = 1 … L+1, likewise. */
  readonly preactivation: readonly Matrix[];
  /** What the rows see (see `ProjectedFluctuation`); X over the joint points. */
  readonly projected: ProjectedFluctuation;
  /**
   * Coefficients of 1/N_k that the evidence needs, one each per layer: tr(A X), Σ_j a_jᵀ Z a_j, tr(Γ⁻¹Z); widths already in for drawn
   * networks.
   */
  readonly traces: readonly { readonly gradientX: number; readonly weightsZ: number; readonly inverseZ: number }[];
  /** Z on the training points at the widths of the network. */
  readonly z: Matrix;
  /**
   * Drawn networks and compositions: E K̂^{L+1} − K^{L+1} over the joint points, E Ĝˡ − Gˡ on the training points and, where it is known, E
   * K̂ˡ − Kˡ.
   */
  readonly priorShift?: { readonly output: Matrix; readonly hidden: readonly Matrix[]; readonly preactivation?: readonly Matrix[] };
}

/** Rows through which the training points are seen: T Γ⁻¹. */
export const trainingRows = ({ inverse, temperature }: GaussianPieces): Matrix => ({
  data: inverse.data.map((value) => temperature * value),
  shape: inverse.shape,
});

/** Rows for test points of a joint kernel (training points first): [−K_*R Γ⁻¹, 1]. */
export function testRows(kernel: Matrix, { inverse }: GaussianPieces): Matrix {
  const P = inverse.shape[0];
  return residualRows(multiply(block(kernel, P, kernel.shape[0], 0, P), inverse));
}

/** Leading P × P block. */
export const trainingBlock = (m: Matrix, P: number): Matrix => (m.shape[0] === P ? m : block(m, 0, P, 0, P));

/** Sum of matrices with the given factors. */
export function combineMatrices(list: readonly Matrix[], factors: readonly number[]): Matrix {
  const out = zeros(...list[0]!.shape);
  for (const [k, m] of list.entries()) for (let i = 0; i < out.data.length; i++) out.data[i]! += factors[k]! * m.data[i]!;
  return out;
}

/** Sum of projections of the layers with the given factors. */
export function combineProjections(
  projections: readonly Omit<ProjectedFluctuation, "x">[],
  factors: readonly number[],
): Omit<ProjectedFluctuation, "x"> {
  const combine = (of: (p: (typeof projections)[number]) => Matrix): Matrix => combineMatrices(projections.map(of), factors);
  const { shared } = projections[0]!;
  return {
    meanPart: combine((p) => p.meanPart),
    shared:
      shared instanceof Float64Array
        ? shared.map((_, i) => projections.reduce((sum, p, k) => sum + factors[k]! * (p.shared as Float64Array)[i]!, 0))
        : combine((p) => p.shared as Matrix),
    outputs: combine((p) => p.outputs),
  };
}

const added = (total: Matrix | undefined, m: Matrix, factor: number): Matrix => {
  const out = total ?? zeros(...m.shape);
  for (let i = 0; i < out.data.length; i++) out.data[i]! += factor * m.data[i]!;
  return out;
};

/**
 * Adds a batch times a factor to a sum, in place; a new one where there is none yet. With 1/16 for 16 batches the sum is their mean, and
 * none of them has to be kept.
 */
export function addBatch(total: Batch | undefined, batch: Batch, factor: number): Batch {
  const { projected, priorShift } = batch;
  const { x, meanPart, shared, outputs } = projected;
  const sharedTotal = total?.projected.shared;
  return {
    hidden: batch.hidden.map((m, l) => added(total?.hidden[l], m, factor)),
    preactivation: batch.preactivation.map((m, l) => added(total?.preactivation[l], m, factor)),
    projected: {
      x: added(total?.projected.x, x, factor),
      meanPart: added(total?.projected.meanPart, meanPart, factor),
      shared:
        shared instanceof Float64Array
          ? added(sharedTotal && columnVector(sharedTotal as Float64Array), columnVector(shared), factor).data
          : added(sharedTotal as Matrix | undefined, shared, factor),
      outputs: added(total?.projected.outputs, outputs, factor),
    },
    traces: batch.traces.map((trace, k) => ({
      gradientX: (total?.traces[k]!.gradientX ?? 0) + factor * trace.gradientX,
      weightsZ: (total?.traces[k]!.weightsZ ?? 0) + factor * trace.weightsZ,
      inverseZ: (total?.traces[k]!.inverseZ ?? 0) + factor * trace.inverseZ,
    })),
    z: added(total?.z, batch.z, factor),
    ...(priorShift === undefined
      ? {}
      : {
          priorShift: {
            output: added(total?.priorShift?.output, priorShift.output, factor),
            hidden: priorShift.hidden.map((m, l) => added(total?.priorShift?.hidden[l], m, factor)),
          },
        }),
  };
}
