import { applyAdjointJacobian, crossKernelMap, kernelMap, vertexContraction } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { block, combine, diagonalOf, innerProduct, symmetrise, transpose } from "@finitewidth/linalg";
import type { TiltClosure, TestKernels, TiltedMeasure } from "./closure.js";
import { conditionalMoments } from "./conditional-moments.js";
import { homogeneousContraction, isHomogeneousPlane } from "./homogeneous-closure.js";
import { secondChaos } from "./kernel-response.js";
import { symmetricRoot } from "./kernel-root.js";
import { isLinear } from "./linear-closure.js";
import { nodeBlocks, projected, type NodeBlocks } from "./node-blocks.js";
import type { GaussianNodes } from "./nodes.js";

/** Weights w·(φᵀAφ − hᵀBh − its mean) at the nodes, h ~ N(0, C): what the second chaos leaves. The features are those of the blocks. */
interface Remainder {
  readonly weights: Float64Array;
  readonly total: number;
}

function remainderOf(activation: Activation, kernel: Matrix, conjugate: Matrix, nodes: GaussianNodes, blocks: NodeBlocks): Remainder {
  const { root } = symmetricRoot(kernel);
  const [count, size] = nodes.points.shape;
  const b = applyAdjointJacobian(activation, kernel, conjugate);
  const mean = innerProduct(conjugate, kernelMap(activation, kernel)) - innerProduct(b, kernel);
  const weights = new Float64Array(count);
  let total = 0;
  blocks.first(undefined, root, conjugate, ({ from, fields, features, force, spare: pull }) => {
    blocks.multiply(fields, b, pull);
    for (let i = 0, j = 0; i < fields.shape[0]; i++) {
      let energy = -mean;
      for (; j < (i + 1) * size; j++) energy += features.data[j]! * force.data[j]! - fields.data[j]! * pull.data[j]!;
      weights[from + i] = nodes.weights[from + i]! * energy;
      total += weights[from + i]!;
    }
  });
  return { weights, total };
}

/**
 * Whether four-point functions are cheaper than nodes would be inaccurate: P⁴/24 evaluations, microseconds each where they have closed
 * forms (homogeneous φ, and bounded ones whose moments are not found by quadrature: erf), milliseconds by quadrature, for which a lattice
 * does as well up to three points.
 */
export function usesFourPointFunctions({ bounded, degree, moments }: Activation, points: number): boolean {
  return degree !== undefined || (bounded && !("batch" in moments)) ? points <= 16 : points === 4;
}

/** Four-point contraction, and its second-chaos part. */
export interface FourPointContraction {
  /** Cov_{N(0,C)}[φφᵀ, φᵀAφ]: P × P. */
  readonly full: Matrix;
  /** 2J(C)[C B C], B = Jᵀ(C)[A]: the two-propagator part. */
  readonly secondChaos: Matrix;
}

/**
 * Cov_{N(0,C)}[φφᵀ, φᵀAφ] without a P⁴ tensor. Few points: by four-point functions (relu and sign at two: by angles), exactly. Otherwise
 * the second-chaos part exactly and the rest from nodes with hᵀBh subtracted, O(n P²), in the memory of `blocks` where these are given;
 * linear φ has no rest. Source: docs/theories/forward-backward.md, "First order".
 */
export function fourPointContraction(
  activation: Activation,
  kernel: Matrix,
  conjugate: Matrix,
  nodes: GaussianNodes,
  blocks = (): NodeBlocks => nodeBlocks(activation, nodes.points),
): FourPointContraction {
  const second = secondChaos(activation, kernel, conjugate);
  if (isLinear(activation)) return { full: second, secondChaos: second };
  if (isHomogeneousPlane(activation, kernel.shape[0]))
    return { full: symmetrise(homogeneousContraction(activation, kernel, conjugate)), secondChaos: second };
  if (usesFourPointFunctions(activation, kernel.shape[0]))
    return { full: symmetrise(vertexContraction(activation, kernel, conjugate)), secondChaos: second };
  const made = blocks();
  const { weights, total } = remainderOf(activation, kernel, conjugate, nodes, made);
  const rest = combine(1, made.gram(made.features, weights), -total, kernelMap(activation, kernel));
  return { full: symmetrise(combine(1, second, 1, rest)), secondChaos: second };
}

/** [[C, cᵀ], [c, c*]] for one test point. */
function joined(kernel: Matrix, test: TestKernels, t: number): Matrix {
  const n = kernel.shape[0];
  const out = zeros(n + 1, n + 1);
  for (let i = 0; i < n; i++) {
    out.data.set(kernel.data.subarray(i * n, (i + 1) * n), i * (n + 1));
    out.data[i * (n + 1) + n] = out.data[n * (n + 1) + i] = test.cross.data[t * n + i]!;
  }
  out.data[n * (n + 1) + n] = test.variances[t]!;
  return out;
}

/**
 * First order in A: ⟨φφᵀ⟩ = G(C) + g Cov[φφᵀ, φᵀAφ], ∂W/∂C = g Jᵀ(C)[A]. Test points: the same for the joint kernel with A padded by zeros,
 * O(P² + n P) each. Exists for every activation with a fourth moment, heavy tails included.
 */
export function firstOrderClosure(activation: Activation, nodes: GaussianNodes): TiltClosure {
  let made: NodeBlocks | undefined;
  const blocks = (): NodeBlocks => (made ??= nodeBlocks(activation, nodes.points));
  return {
    ...(nodes.rescramble ? { rescramble: nodes.rescramble } : {}),
    averages({ kernel, conjugate, weightVariance }: TiltedMeasure, want) {
      const { full } = fourPointContraction(activation, kernel, conjugate, nodes, blocks);
      const gradient = (): Matrix => {
        const b = applyAdjointJacobian(activation, kernel, conjugate);
        return combine(weightVariance, b, 0, b);
      };
      return {
        secondMoment: combine(1, kernelMap(activation, kernel), weightVariance, full),
        ...(want.gradient ? { gradient: gradient() } : {}),
        effectiveFraction: 1,
      };
    },
    extend({ kernel, conjugate, weightVariance }, test) {
      const [points, size] = test.cross.shape;
      const root = symmetricRoot(kernel);
      const x = root.whiten(transpose(test.cross));
      const cross = crossKernelMap(activation, test.variances, test.cross, diagonalOf(kernel));
      const variances = test.variances.map((value) => activation.moments.diagonal(value));
      const padded = zeros(size + 1, size + 1);
      for (let i = 0; i < size; i++) padded.data.set(conjugate.data.subarray(i * size, (i + 1) * size), i * (size + 1));
      const exact = !isLinear(activation) && usesFourPointFunctions(activation, size);
      const remainder = isLinear(activation) || exact ? undefined : remainderOf(activation, kernel, conjugate, nodes, blocks());
      const means = remainder ? projected(nodes.points, x) : undefined;
      for (let t = 0; t < points; t++) {
        const joint = joined(kernel, test, t);
        const correction = exact ? vertexContraction(activation, joint, padded) : secondChaos(activation, joint, padded);
        const row = block(correction, size, size + 1, 0, size + 1).data;
        const zeroth = cross.data.slice(t * size, (t + 1) * size);
        const variance = variances[t]!;
        for (let a = 0; a < size; a++) cross.data[t * size + a]! += weightVariance * row[a]!;
        variances[t]! += weightVariance * row[size]!;
        if (!remainder || !means) continue;
        let explained = 0;
        for (let k = 0; k < size; k++) explained += x.data[k * points + t]! ** 2;
        const left = test.variances[t]! - explained;
        const column = Float64Array.from({ length: means.shape[0] }, (_, i) => means.data[i * points + t]!);
        const conditional = conditionalMoments(activation, column, left > 1e-12 * test.variances[t]! ? Math.sqrt(left) : 0);
        // control variate: the exact zeroth order times the sum of the remainder's weights
        for (let a = 0; a < size; a++) cross.data[t * size + a]! -= weightVariance * remainder.total * zeroth[a]!;
        variances[t]! -= weightVariance * remainder.total * variance;
        for (let i = 0; i < column.length; i++) {
          const weight = weightVariance * remainder.weights[i]!;
          variances[t]! += weight * conditional.square[i]!;
          for (let a = 0; a < size; a++) cross.data[t * size + a]! += weight * conditional.mean[i]! * blocks().features.data[i * size + a]!;
        }
      }
      return { cross, variances };
    },
  };
}
