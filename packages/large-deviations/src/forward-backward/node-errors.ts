import { multiply } from "@finitewidth/linalg";
import type { Readout } from "./closure.js";
import type { TiltedSample } from "./tilted-sample.js";

/** What nodes say of one test point: E[φ(h*) | h] and E[φ(h*)² | h] at each of them, and its entries of the kernel, ⟨φ(h*)φ(h)⟩. */
interface TestPoint {
  readonly mean: Float64Array;
  readonly square: Float64Array;
  readonly cross: Float64Array;
}

/**
 * Standard errors that random nodes leave in f* = C*V (D) and c** − C*RC*ᵀ of a test point. To first order in the errors of the averages,
 * those of the training kernel included, which V = (C + T)⁻¹Y and R follow, both are sums over nodes of x = g (m − βφ)(φV) and
 * g [q − 2m βφ + (βφ)²], m and q the conditional moments, β = C*R; weights p with the proposal's own moments (nodes' weights w) added
 * exactly give Σ [p (x − ⟨x⟩_p) − w (x − ⟨x⟩_w)]². One layer; `nodeMoves` goes through several. What conjugate kernels do in turn is
 * left out. O(n P) a point.
 */
export function nodeErrors(
  { blocks: { features }, weights, differences }: TiltedSample,
  { weights: v, resolvent, gain, bias }: Readout,
): (point: TestPoint) => { readonly mean: Float64Array; readonly variance: number } {
  const [count, size] = features.shape;
  const outputs = v.shape[1];
  const fields = multiply(features, v).data;
  const x = new Float64Array(count);
  const error = (): number => {
    let [underTilt, underProposal] = [0, 0];
    for (let i = 0; i < count; i++) {
      underTilt += weights[i]! * x[i]!;
      underProposal += (weights[i]! - differences[i]!) * x[i]!;
    }
    let sum = 0;
    for (let i = 0; i < count; i++)
      sum += (weights[i]! * (x[i]! - underTilt) - (weights[i]! - differences[i]!) * (x[i]! - underProposal)) ** 2;
    return gain * Math.sqrt(sum);
  };
  return ({ mean, square, cross }) => {
    const row = { data: cross.map((value) => gain * value + bias), shape: [1, size] } as const;
    const beta = multiply(row, resolvent).data;
    const explained = multiply(features, { data: beta, shape: [size, 1] }).data;
    const errors = new Float64Array(outputs);
    for (let d = 0; d < outputs; d++) {
      for (let i = 0; i < count; i++) x[i] = (mean[i]! - explained[i]!) * fields[i * outputs + d]!;
      errors[d] = error();
    }
    for (let i = 0; i < count; i++) x[i] = square[i]! - 2 * mean[i]! * explained[i]! + explained[i]! ** 2;
    return { mean: errors, variance: error() };
  };
}
