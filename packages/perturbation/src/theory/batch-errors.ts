import type { Matrix } from "@finitewidth/core";
import { addToMoments, emptyMoments, momentStandardError, type RunningMoments } from "@finitewidth/numerics";
import type { Batch } from "./batch.js";
import type { Quantities } from "./fit.js";

/** Scatter of the batches seen so far. */
export interface BatchErrors {
  readonly add: (batch: Batch) => void;
  /** Standard errors of the means over the batches. */
  finish(): {
    readonly logEvidence: number;
    readonly train: { readonly mean: Matrix; readonly variance: Matrix };
    readonly hiddenKernels: readonly Matrix[];
  };
}

/** Moments of matrices of one shape. */
interface MatrixMoments {
  readonly moments: RunningMoments;
  readonly shape: Matrix["shape"];
}

function addMatrix(to: MatrixMoments | undefined, { shape }: Matrix, data: Float64Array): MatrixMoments {
  const out = to ?? { moments: emptyMoments(data.length), shape };
  addToMoments(out.moments, data);
  return out;
}

/**
 * Errors of the evidence, of the predictions at the training points and of the hidden kernels from batches that are seen once and not kept:
 * two numbers an entry. `shifted`: the hidden kernels hold the shift of the prior, which is sampled too.
 */
export function batchErrors(derive: (batch: Batch) => Quantities, shifted: boolean): BatchErrors {
  const evidence = emptyMoments(1);
  let mean: MatrixMoments | undefined;
  let variance: MatrixMoments | undefined;
  let hidden: (MatrixMoments | undefined)[] = [];
  return {
    add: (batch) => {
      const derived = derive(batch);
      addToMoments(evidence, [derived.evidence.reduce((sum, value) => sum + value, 0)]);
      mean = addMatrix(mean, derived.train.mean, derived.train.mean.data);
      variance = addMatrix(variance, derived.train.variance, derived.train.variance.data);
      hidden = batch.hidden.map((m, l) => {
        const prior = shifted ? batch.priorShift!.hidden[l]!.data : undefined;
        return addMatrix(hidden[l], m, prior === undefined ? m.data : m.data.map((value, i) => value + prior[i]!));
      });
    },
    finish: () => {
      const of = (value: MatrixMoments | undefined): Matrix => ({ data: momentStandardError(value!.moments), shape: value!.shape });
      return {
        logEvidence: momentStandardError(evidence)[0]!,
        train: { mean: of(mean), variance: of(variance) },
        hiddenKernels: hidden.map(of),
      };
    },
  };
}
