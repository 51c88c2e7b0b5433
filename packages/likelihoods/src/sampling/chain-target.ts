import { shapeError, zeros, type Matrix, type Observation } from "@finitewidth/core";
import { createWorkspace, gram, identity, multiplyTransposedRight } from "@finitewidth/linalg";
import type { LogDensity } from "@finitewidth/numerics";
import { chiQuantile } from "./chi-quantile.js";

/**
 * Layers of a Wishart chain over outputs, 1 … L: Q = M_1, M_l | M_{l+1} ~ W(N_l, s_l M_{l+1}/N_l). Without layers Q = 1: a Gaussian
 * process.
 */
export interface OutputChain {
  readonly widths: readonly number[];
  /** s_l = σ_w²(l + 1). @defaultValue 1 */
  readonly variances?: readonly number[];
  /** b_l: variance of the bias of layer l, 1 … L; that of layer 1 belongs to K. @defaultValue 0 */
  readonly hiddenBias?: readonly number[];
  /** @defaultValue 0 */
  readonly readoutBias?: number;
}

/** A point in coordinates that mean something. */
export interface ChainPoint {
  /** F_1: d × r_1, with Q = F_1F_1ᵀ. */
  readonly factor: Matrix;
  /** r_1 × rank. */
  readonly g: Matrix;
  /** d. */
  readonly bias: Float64Array;
}

/**
 * Log likelihood over (chain, g), coordinates that are N(0, 1) under the prior: of a Gaussian process, of a deep linear network, or of any
 * kernel under a Wishart mixing matrix.
 */
export interface ChainTarget extends LogDensity {
  /** f at a point, P × d; the array is reused by the next call. */
  latent(x: Float64Array): Float64Array;
  pointAt(x: Float64Array): ChainPoint;
  /**
   * E[Ĝˡ | f, chain] of a linear network, l = 1 … L, P × P each: (1 − r_l/N_l)(s_{l−1}E[Ĝ^{l−1}] + b_l) + v_l v_lᵀ/N_l with v_1 = B gᵀ,
   * v_{l+1} = √s_l v_l Z_lᵀ + √b_{l+1} ξ_{l+1}: no inverse. `kernel`: K = BBᵀ.
   */
  hiddenKernels(x: Float64Array, kernel: Matrix): Matrix[];
}

interface Layer {
  readonly width: number;
  readonly variance: number;
  readonly bias: number;
  readonly size: number;
  readonly rank: number;
  readonly offset: number;
}

type EightMatrices = readonly [Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix, Matrix];

const times = (a: Matrix, b: Matrix, transpose: "none" | "left" | "right" = "none"): Matrix => {
  const [m, k] = transpose === "left" ? [a.shape[1], a.shape[0]] : a.shape;
  const n = transpose === "right" ? b.shape[0] : b.shape[1];
  const out = zeros(m, n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let e = 0; e < k; e++) {
        const left = transpose === "left" ? a.data[e * m + i]! : a.data[i * k + e]!;
        sum += left * (transpose === "right" ? b.data[j * k + e]! : b.data[e * n + j]!);
      }
      out.data[i * n + j] = sum;
    }
  }
  return out;
};

/**
 * Joint law of the Wishart chain and g in coordinates that are all exactly N(0, 1): layer L first, per layer the Bartlett diagonals through
 * their quantiles (Z_ii = χ_{N−i}/√N) and then what is below column by column (Z_ij = x/√N); then g row by row (r_1 × rank of K), then
 * biases of layers 2 … L (r_l each) and of the readout (d) where they are not 0. F_L = √s_L Z_L, F_l = √s_l F_{l+1} Z_l,
 * f = F_1 g Bᵀ + Σ_l √b_l F_l ξ_l + √b ξ. Rank-deficient chains (N_l < d) need nothing special. O(P rank r_1 + L d³) per gradient.
 * @throws FinitewidthError (code "shape") for lists of the wrong length. Source: docs/theories/classification.md.
 */
export function chainTarget(root: Matrix, observation: Observation, chain: OutputChain): ChainTarget {
  const { widths, readoutBias = 0 } = chain;
  const L = widths.length;
  const variances = chain.variances ?? widths.map(() => 1);
  const hiddenBias = chain.hiddenBias ?? widths.map(() => 0);
  if (variances.length !== L) throw shapeError("variances", `${L} numbers, one per hidden layer`, `${variances.length}`);
  if (hiddenBias.length !== L) throw shapeError("hiddenBias", `${L} numbers, one per hidden layer`, `${hiddenBias.length}`);
  const d = observation.latents;
  const [points, rank] = root.shape;
  const layers: Layer[] = [];
  let [offset, size] = [0, d];
  for (let l = L - 1; l >= 0; l--) {
    const r = Math.min(size, widths[l]!);
    layers.unshift({ width: widths[l]!, variance: variances[l]!, bias: hiddenBias[l]!, size, rank: r, offset });
    offset += r * size - (r * (r - 1)) / 2;
    size = r;
  }
  const r1 = size;
  const gOffset = offset;
  const biasOffsets = layers.map(({ bias, rank: r }, l) => (l > 0 && bias > 0 ? r : 0));
  const biasStart = gOffset + r1 * rank;
  const hiddenBiasSize = biasOffsets.reduce((sum, n) => sum + n, 0);
  const dimension = biasStart + hiddenBiasSize + (readoutBias > 0 ? d : 0);
  const workspace = createWorkspace([
    [points, rank],
    ...[r1, r1, d].map((rows) => [rows, rank] as const),
    ...[d, d].map((rows) => [rows, r1] as const),
    ...[points, points].map((rows) => [rows, d] as const),
  ]);
  const [b, g, gBar, projected, top, topBar, latents, cotangent] = workspace.matrices as EightMatrices;
  b.data.set(root.data);
  const latent = latents.data;
  const slopes = cotangent.data;

  /** Z_l and dZ_ii/dx of layer l. */
  const bartlett = (x: Float64Array, { width, size: rows, rank: r, offset: from }: Layer) => {
    const z = zeros(rows, r);
    const slope = new Float64Array(r);
    for (let i = 0; i < r; i++) {
      const [value, derivative] = chiQuantile(x[from + i]!, width - i);
      const scale = Math.sqrt((width - i) / width);
      z.data[i * r + i] = value * scale;
      slope[i] = derivative * scale;
    }
    let at = from + r;
    for (let j = 0; j < r; j++) for (let i = j + 1; i < rows; i++) z.data[i * r + j] = x[at++]! / Math.sqrt(width);
    return { z, slope };
  };
  const forward = (x: Float64Array) => {
    const out: { z: Matrix; slope: Float64Array; left: Matrix; f: Matrix }[] = [];
    let above = zeros(d, d);
    for (let a = 0; a < d; a++) above.data[a * d + a] = 1;
    for (let l = L - 1; l >= 0; l--) {
      const { z, slope } = bartlett(x, layers[l]!);
      const left = { data: above.data.map((value) => Math.sqrt(layers[l]!.variance) * value), shape: above.shape };
      above = times(left, z);
      out.unshift({ z, slope, left, f: above });
    }
    return out;
  };
  const topOf = (chainAt: ReturnType<typeof forward>): Matrix => chainAt[0]?.f ?? identity(d);
  const biasOf = (x: Float64Array, factors: readonly Matrix[]): Float64Array => {
    const out = new Float64Array(d);
    let at = biasStart;
    for (let l = 1; l < L; l++) {
      const { bias, rank: r } = layers[l]!;
      if (biasOffsets[l] === 0) continue;
      for (let a = 0; a < d; a++) for (let k = 0; k < r; k++) out[a]! += Math.sqrt(bias) * factors[l]!.data[a * r + k]! * x[at + k]!;
      at += r;
    }
    if (readoutBias > 0) for (let a = 0; a < d; a++) out[a]! += Math.sqrt(readoutBias) * x[at + a]!;
    return out;
  };
  // f = (F_1 g) Bᵀ: the two products with B are all that grows with the number of points
  const outputs = (x: Float64Array, chainAt: ReturnType<typeof forward>): void => {
    top.data.set(topOf(chainAt).data);
    g.data.set(x.subarray(gOffset, biasStart));
    workspace.multiply(top, g, projected);
    workspace.multiply(b, projected, latents, { transposed: "right" });
    if (dimension === biasStart) return;
    const bias = biasOf(x, chainAt.map(({ f }) => f)); // prettier-ignore
    for (let i = 0; i < latent.length; i++) latent[i]! += bias[i % d]!;
  };
  const evaluate = (x: Float64Array, gradient: Float64Array): number => {
    const at = forward(x);
    outputs(x, at);
    const value = observation.evaluate(latent, { gradient: slopes });
    // with C = (∂ℓ/∂f)ᵀ B: ḡ = F_1ᵀ C and F̄_1 = C gᵀ
    workspace.multiply(cotangent, b, projected, { transposed: "left" });
    workspace.multiply(top, projected, gBar, { transposed: "left" });
    workspace.multiply(projected, g, topBar, { transposed: "right" });
    gradient.set(gBar.data, gOffset);
    let fBar: Matrix = { data: topBar.data.slice(), shape: topBar.shape };
    const total = new Float64Array(d);
    if (dimension > biasStart) for (let i = 0; i < slopes.length; i++) total[i % d]! += slopes[i]!;
    let biasAt = biasStart;
    const biasFrom = biasOffsets.map((n) => (biasAt += n) - n);
    if (readoutBias > 0) for (let a = 0; a < d; a++) gradient[biasAt + a] = Math.sqrt(readoutBias) * total[a]!;
    for (const [l, { width, variance, bias, size: rows, rank: r, offset: from }] of layers.entries()) {
      const { z, slope, left, f } = at[l]!;
      if (biasOffsets[l]! > 0) {
        for (let k = 0; k < r; k++) {
          let sum = 0;
          for (let a = 0; a < d; a++) {
            sum += f.data[a * r + k]! * total[a]!;
            fBar.data[a * r + k]! += Math.sqrt(bias) * total[a]! * x[biasFrom[l]! + k]!;
          }
          gradient[biasFrom[l]! + k] = Math.sqrt(bias) * sum;
        }
      }
      const zBar = times(left, fBar, "left");
      for (let i = 0; i < r; i++) gradient[from + i] = zBar.data[i * r + i]! * slope[i]!;
      let entry = from + r;
      for (let j = 0; j < r; j++) for (let i = j + 1; i < rows; i++) gradient[entry++] = zBar.data[i * r + j]! / Math.sqrt(width);
      const next = times(fBar, z, "right");
      fBar = { data: next.data.map((entryValue) => Math.sqrt(variance) * entryValue), shape: next.shape };
    }
    return value;
  };
  return {
    dimension,
    evaluate,
    latent: (x) => {
      outputs(x, forward(x));
      return latent;
    },
    hiddenKernels: (x, kernel) => {
      const at = forward(x);
      let v = multiplyTransposedRight(root, { data: x.slice(gOffset, biasStart), shape: [r1, rank] });
      let biasAt = biasStart;
      const out: Matrix[] = [];
      for (const [l, { width, bias, rank: r }] of layers.entries()) {
        if (l > 0) {
          const scale = Math.sqrt(layers[l - 1]!.variance);
          v = times(v, at[l - 1]!.z, "right");
          const own = biasOffsets[l] === 0 ? undefined : x.subarray(biasAt, biasAt + r);
          biasAt += biasOffsets[l]!;
          for (let i = 0; i < v.data.length; i++) v.data[i] = scale * v.data[i]! + (own ? Math.sqrt(bias) * own[i % r]! : 0);
        }
        const below = out[l - 1];
        const learned = gram(v).data;
        const [prior, scale, shift] = below ? [below.data, layers[l - 1]!.variance, bias] : [kernel.data, 1, 0];
        for (let i = 0; i < learned.length; i++) learned[i] = (1 - r / width) * (scale * prior[i]! + shift) + learned[i]! / width;
        out.push({ data: learned, shape: kernel.shape });
      }
      return out;
    },
    pointAt: (x) => {
      const at = forward(x);
      return {
        factor: topOf(at),
        g: { data: x.slice(gOffset, biasStart), shape: [r1, rank] },
        bias: biasOf(x, at.map(({ f }) => f)), // prettier-ignore
      };
    },
  };
}
