import type { Matrix } from "@finitewidth/core";
import { zeros } from "@finitewidth/core";
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

/** Entry-by-entry mean of batches. */
export function averageBatches(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0]!;
  const factors = batches.map(() => 1 / batches.length);
  const mean = (of: (batch: Batch) => Matrix): Matrix => combineMatrices(batches.map(of), factors);
  const first = batches[0]!;
  const { shared } = first.projected;
  const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    hidden: first.hidden.map((_, l) => mean((batch) => batch.hidden[l]!)),
    preactivation: first.preactivation.map((_, l) => mean((batch) => batch.preactivation[l]!)),
    projected: {
      x: mean((batch) => batch.projected.x),
      meanPart: mean((batch) => batch.projected.meanPart),
      shared:
        shared instanceof Float64Array
          ? shared.map((_, i) => average(batches.map((batch) => (batch.projected.shared as Float64Array)[i]!)))
          : mean((batch) => batch.projected.shared as Matrix),
      outputs: mean((batch) => batch.projected.outputs),
    },
    traces: first.traces.map((_, k) => ({
      gradientX: average(batches.map((batch) => batch.traces[k]!.gradientX)),
      weightsZ: average(batches.map((batch) => batch.traces[k]!.weightsZ)),
      inverseZ: average(batches.map((batch) => batch.traces[k]!.inverseZ)),
    })),
    z: mean((batch) => batch.z),
    ...(first.priorShift === undefined
      ? {}
      : {
          priorShift: {
            output: mean((batch) => batch.priorShift!.output),
            hidden: first.priorShift.hidden.map((_, l) => mean((batch) => batch.priorShift!.hidden[l]!)),
          },
        }),
  };
}
