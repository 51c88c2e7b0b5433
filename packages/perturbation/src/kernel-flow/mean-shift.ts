import { zeros, type Matrix } from "@finitewidth/core";
import { pairFlow, pointFlow, type FlowParameters, type PointFlow } from "./point-flow.js";

/** δ vanishes identically: linear units, or one hidden layer. */
const shiftless = ({ activation, weightVariance }: FlowParameters): boolean => weightVariance.length === 1 || activation.linear === true;

/**
 * Coefficients of δˡ = E K̂ˡ − Kˡ for layers 1 … L+1: entry [l][k] is the n × n coefficient of 1/N_k. Zero for linear units and for one
 * hidden layer. O(n²) two-point problems by the two-input closure.
 */
export function meanShiftFlow(parameters: FlowParameters, firstKernel: Matrix, tick?: () => void): readonly (readonly Matrix[])[] {
  const n = firstKernel.shape[0];
  const L = parameters.weightVariance.length;
  const out = Array.from({ length: L + 1 }, () => Array.from({ length: L }, () => zeros(n, n)));
  if (shiftless(parameters)) return out;
  const points = pointFlows(parameters, firstKernel);
  for (let i = 0; i < n; i++) {
    tick?.();
    for (let j = 0; j <= i; j++) {
      const { meanShift } = i === j ? points[i]! : pairFlow(parameters, points[i]!, points[j]!, firstKernel.data[i * n + j]!);
      for (let l = 0; l <= L; l++)
        for (let k = 0; k < L; k++) out[l]![k]!.data[i * n + j] = out[l]![k]!.data[j * n + i] = meanShift[l]![k]!;
    }
  }
  return out;
}

const pointFlows = (parameters: FlowParameters, kernel: Matrix): PointFlow[] =>
  Array.from({ length: kernel.shape[0] }, (_, i) => pointFlow(parameters, kernel.data[i * kernel.shape[0] + i]!));

/**
 * δ^{L+1} at given widths on joint points whose leading block `known` (P × P) has been computed: O(P) two-point problems per new point.
 * Pairs of two different new points are left at zero unless `joint`.
 */
export function extendMeanShift(
  parameters: FlowParameters,
  widths: readonly number[],
  firstKernel: Matrix,
  known: Matrix,
  joint: boolean,
): Matrix {
  const n = firstKernel.shape[0];
  const P = known.shape[0];
  const out = zeros(n, n);
  if (shiftless(parameters)) return out;
  for (let i = 0; i < P; i++) out.data.set(known.data.subarray(i * P, (i + 1) * P), i * n);
  const points = pointFlows(parameters, firstKernel);
  for (let i = P; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      if (j >= P && j < i && !joint) continue;
      const flow = i === j ? points[i]! : pairFlow(parameters, points[i]!, points[j]!, firstKernel.data[i * n + j]!);
      const shift = flow.meanShift.at(-1)!.reduce((sum, value, k) => sum + value / widths[k]!, 0);
      out.data[i * n + j] = out.data[j * n + i] = shift;
    }
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
