import { applySlopes } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { transpose } from "@finitewidth/linalg";
import { fromPairs, pairCount, pairIndex, requirePairMemory, toPairs } from "./index-pairs.js";
import { pushToOutput, type KernelChain } from "./kernel-chain.js";

/** A vertex that is already known for the first points of the kernel. */
export interface KnownVertex {
  readonly points: number;
  readonly vertex: Matrix;
}

/**
 * C_{ab,cd} = E φ_aφ_bφ_cφ_d − G_ab G_cd over the index pairs a ≤ b, c ≤ d of a kernel: n_p × n_p, n_p = n(n+1)/2. Each sorted quadruple is
 * evaluated once: n⁴/24 four-point functions, less those of the `known` leading points. 8 n_p² bytes.
 * @throws FinitewidthError (code "memory") before allocating more than the limit.
 */
export function vertexOnPairs(
  activation: Activation,
  kernel: Matrix,
  secondMoment: Matrix,
  known?: KnownVertex,
  tick?: () => void,
): Matrix {
  const n = kernel.shape[0];
  requirePairMemory(n, 1, 'use the sampled engine ("engine": "sampled")');
  const m = pairCount(n);
  const out = zeros(m, m);
  const from = known?.points ?? 0;
  if (known) copyKnown(out, n, known);
  const [g, k] = [secondMoment.data, kernel.data];
  const { fourPoint } = activation.moments;
  const covariance = new Float64Array(16);
  const index = [0, 0, 0, 0];
  const put = (a: number, b: number, c: number, d: number, value: number): void => {
    const [p, q] = [pairIndex(n, a, b), pairIndex(n, c, d)];
    const entry = value - g[a * n + b]! * g[c * n + d]!;
    out.data[p * m + q] = entry;
    out.data[q * m + p] = entry;
  };
  for (let d = from; d < n; d++) {
    for (let c = 0; c <= d; c++) {
      tick?.();
      for (let b = 0; b <= c; b++) {
        for (let a = 0; a <= b; a++) {
          index[0] = a;
          index[1] = b;
          index[2] = c;
          index[3] = d;
          for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) covariance[4 * i + j] = k[index[i]! * n + index[j]!]!;
          const value = fourPoint(covariance);
          put(a, b, c, d, value);
          put(a, c, b, d, value);
          put(a, d, b, c, value);
        }
      }
    }
  }
  return out;
}

function copyKnown(out: Matrix, n: number, { points, vertex }: KnownVertex): void {
  const m = out.shape[0];
  const small = vertex.shape[0];
  const place = new Int32Array(small);
  for (let a = 0; a < points; a++) for (let b = a; b < points; b++) place[pairIndex(points, a, b)] = pairIndex(n, a, b);
  for (let p = 0; p < small; p++) for (let q = 0; q < small; q++) out.data[place[p]! * m + place[q]!] = vertex.data[p * small + q]!;
}

/** F S Fᵀ over index pairs for a linear map F of symmetric matrices, S symmetric. O(n_p) applications of F, twice. */
export function congruence(s: Matrix, n: number, map: (x: Matrix) => Matrix): Matrix {
  const half = (m: Matrix): Matrix => {
    const rows = m.shape[0];
    const width = m.shape[1];
    let out: Matrix | undefined;
    for (let p = 0; p < rows; p++) {
      const image = toPairs(map(fromPairs(m.data.subarray(p * width, (p + 1) * width), n)));
      out ??= zeros(rows, image.length);
      out.data.set(image, p * image.length);
    }
    return out!;
  };
  return half(transpose(half(s)));
}

/**
 * Covariances over index pairs, one coefficient of 1/N_k per hidden layer: `hidden[l][k]` of Ĝ^{l+1}, `preactivation[l][k]` of K̂^{l+1}
 * (l from 0; undefined for layers k that do not reach l).
 */
export interface CovarianceFlow {
  readonly hidden: readonly (readonly Matrix[])[];
  readonly preactivation: readonly (readonly Matrix[])[];
}

/**
 * Σ^{l+1} = lift[C(Kˡ)/N_l + J_l Σˡ J_lᵀ] liftᵀ without inverse kernels. `vertices`: C(K¹) … C(K^L) over pairs. O(L² n_p n²).
 * Source: docs/theories/perturbative.md §2.
 */
export function covarianceFlow(chain: KernelChain, vertices: readonly Matrix[]): CovarianceFlow {
  const hidden: Matrix[][] = [];
  const preactivation: Matrix[][] = [[]];
  for (const [l, layer] of chain.layers.entries()) {
    const n = layer.kernel.shape[0];
    hidden.push([...preactivation[l]!.map((s) => congruence(s, n, (x) => applySlopes(layer.slopes, x))), vertices[l]!]);
    preactivation.push(hidden[l]!.map((s) => congruence(s, n, layer.lift)));
  }
  return { hidden, preactivation };
}

/** Σ^{L+1} alone, one coefficient of 1/N_k per hidden layer: each vertex is pushed to the output in one step. O(L n_p n²). */
export function outputCovariance(chain: KernelChain, vertices: readonly Matrix[]): readonly Matrix[] {
  return chain.layers.map((layer, k) => congruence(vertices[k]!, layer.kernel.shape[0], (x) => pushToOutput(chain, k, x)));
}

/** C(K¹) … C(K^L) of a chain. n⁴/24 four-point functions and 8 n_p² bytes a layer. */
export function chainVertices(
  chain: KernelChain,
  known?: { readonly points: number; readonly vertices: readonly Matrix[] },
  tick?: () => void,
): Matrix[] {
  return chain.layers.map((layer, l) =>
    vertexOnPairs(chain.activation, layer.kernel, layer.secondMoment, known && { points: known.points, vertex: known.vertices[l]! }, tick),
  );
}
