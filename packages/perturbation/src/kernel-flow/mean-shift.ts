import { zeros, type Matrix } from "@finitewidth/core";
import { pairFlow, pointFlow, type FlowParameters, type PointFlow } from "./point-flow.js";

/**
 * Coefficients of δˡ = E K̂ˡ − Kˡ for layers 1 … L+1: entry [l][k] is the n × n coefficient of 1/N_k. Zero for linear units and for one hidden
 * layer. O(n²) two-point problems by the two-input closure. With `knownPoints` > 0 only pairs with an index ≥ knownPoints are computed and
 * the block of the others is copied from `known`; pairs of two new points are left out unless `joint` (their entries stay zero).
 */
export function meanShiftFlow(
  parameters: FlowParameters,
  firstKernel: Matrix,
  reuse?: { readonly knownPoints: number; readonly known: readonly (readonly Matrix[])[]; readonly joint: boolean },
  tick?: () => void,
): readonly (readonly Matrix[])[] {
  const n = firstKernel.shape[0];
  const L = parameters.weightVariance.length;
  const out = Array.from({ length: L + 1 }, () => Array.from({ length: L }, () => zeros(n, n)));
  if (L === 1 || parameters.activation.name === "identity") return out;
  const P = reuse?.knownPoints ?? 0;
  if (reuse) {
    for (let l = 0; l <= L; l++) for (let k = 0; k < L; k++) for (let i = 0; i < P; i++) out[l]![k]!.data.set(reuse.known[l]![k]!.data.subarray(i * P, (i + 1) * P), i * n);
  }
  const points: PointFlow[] = Array.from({ length: n }, (_, i) => pointFlow(parameters, firstKernel.data[i * n + i]!));
  for (let i = P; i < n; i++) {
    tick?.();
    const put = (j: number, shift: readonly Float64Array[]): void => {
      for (let l = 0; l <= L; l++) for (let k = 0; k < L; k++) out[l]![k]!.data[i * n + j] = out[l]![k]!.data[j * n + i] = shift[l]![k]!;
    };
    for (let j = 0; j < (reuse && !reuse.joint ? P : i); j++) put(j, pairFlow(parameters, points[i]!, points[j]!, firstKernel.data[i * n + j]!).meanShift);
    put(i, points[i]!.meanShift);
  }
  return out;
}

/** Σ_k coefficient_k / N_k of matrices of one shape. */
export function atWidths(coefficients: readonly Matrix[], widths: readonly number[]): Matrix {
  const out = zeros(...coefficients[0]!.shape);
  for (const [k, coefficient] of coefficients.entries()) {
    const factor = 1 / widths[k]!;
    for (let i = 0; i < out.data.length; i++) out.data[i]! += factor * coefficient.data[i]!;
  }
  return out;
}
