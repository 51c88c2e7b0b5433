import { multiply } from "@finitewidth/linalg";
import type { Readout } from "./closure.js";
import type { ConditionalMoments } from "./conditional-moments.js";
import type { TiltedSample } from "./tilted-sample.js";

/**
 * What nodes say of one test point: E[φ(h*) | h] and E[φ(h*)² | h] at each of them under the tilt and under the proposal, and its entries
 * of the kernel, ⟨φ(h*)φ(h)⟩.
 */
interface TestPoint {
  readonly tilt: ConditionalMoments;
  readonly base: ConditionalMoments;
  readonly cross: Float64Array;
}

/**
 * Standard errors that random nodes leave in f* = C*V (D) and c** − C*RC*ᵀ of a test point. To first order in the errors of the averages,
 * those of the training kernel included, which V = (C + T)⁻¹Y and R follow, both are sums over nodes of x = g (m − βφ)(φV) and
 * g [q − 2m βφ + (βφ)²], m and q the conditional moments, β = C*R; weights p with the proposal's own moments (nodes' weights w) added
 * exactly give Σ [p (x − ⟨x⟩_p) − w (x − ⟨x⟩_w)]², px being ps²x where nodes have `reaches`. One layer; `nodeMoves` goes through several.
 * What conjugate kernels do in turn is left out. O(n P) a point.
 */
export function nodeErrors(
  { blocks: { features }, weights, squares, differences }: TiltedSample,
  { weights: v, resolvent, gain, bias }: Readout,
): (point: TestPoint) => { readonly mean: Float64Array; readonly variance: number } {
  const [count, size] = features.shape;
  const outputs = v.shape[1];
  const fields = multiply(features, v).data;
  const terms = new Float64Array(count);
  /** Of the sum over nodes of x under the tilt and under the proposal. */
  const error = (x: (moments: ConditionalMoments, i: number) => number, { tilt, base }: TestPoint): number => {
    let [underTilt, underProposal] = [0, 0];
    for (let i = 0; i < count; i++) {
      const [tilted, proposed] = [squares[i]! * x(tilt, i), (squares[i]! - differences[i]!) * x(base, i)];
      underTilt += tilted;
      underProposal += proposed;
      terms[i] = tilted - proposed;
    }
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (terms[i]! - weights[i]! * underTilt + (squares[i]! - differences[i]!) * underProposal) ** 2;
    return gain * Math.sqrt(sum);
  };
  return (point) => {
    const { cross } = point;
    const row = { data: cross.map((value) => gain * value + bias), shape: [1, size] } as const;
    const beta = multiply(row, resolvent).data;
    const explained = multiply(features, { data: beta, shape: [size, 1] }).data;
    const errors = new Float64Array(outputs);
    for (let d = 0; d < outputs; d++) errors[d] = error(({ mean }, i) => (mean[i]! - explained[i]!) * fields[i * outputs + d]!, point);
    const variance = error(({ mean, square }, i) => square[i]! - 2 * mean[i]! * explained[i]! + explained[i]! ** 2, point);
    return { mean: errors, variance };
  };
}
