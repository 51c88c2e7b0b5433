import { FinitewidthError, zeros, type Matrix, type WishartChain, type WishartLayer } from "@finitewidth/core";
import { affine, combine, identity, multiply, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { mapSites } from "./factors.js";

/**
 * First and second moments of what makes up the covariance of the outputs of a Wishart chain; matrices over pairs are row-major in each
 * pair.
 */
export interface MixingMoments {
  /** E M_1: d × d with d = outputs × sites. */
  readonly mean: Matrix;
  /** Cov(M_1 entries): d² × d². */
  readonly covariance: Matrix;
  /** E B: D × D, B = σ_b²(L+1) I + Σ_{l≥2} σ_b²(l) vᵀM_l v, the constant part of the outputs' covariance. */
  readonly biasMean: Matrix;
  /** Cov(B entries, M_1 entries): D² × d². */
  readonly biasMixingCovariance: Matrix;
  /** Cov(B entries): D² × D². */
  readonly biasCovariance: Matrix;
}

const largestTensor = 2 ** 31;

/** c Σ_m (I⊗t_m) X (I⊗t_m)ᵀ over a list of maps between sites. X: (D S_{l+1})², result (D S_l)². */
function sandwich(maps: readonly Matrix[], factor: number, rows: number, outputs: number, x: Matrix): Matrix {
  let out = zeros(outputs * rows, outputs * rows);
  for (const map of maps) out = combine(1, out, factor, mapSites(map, outputs, x));
  return out;
}

/** s |m|⁻¹ Σ_m (I⊗t_m) X (I⊗t_m)ᵀ: mean of the Wishart part of the layer below. */
const pullBackScale = ({ taps, variance, sites }: WishartLayer, outputs: number, x: Matrix): Matrix =>
  sandwich(taps, variance / Math.max(1, taps.length), sites, outputs, x);

/** α² (I⊗T) X (I⊗T)ᵀ: what a skip hands down. */
const pullBackSkip = ({ skip, sites }: WishartLayer, outputs: number, x: Matrix): Matrix | undefined =>
  skip === undefined ? undefined : sandwich([skip.tap], skip.coefficient ** 2, sites, outputs, x);

/** Mean of the layer below given one above, skip included: (D S_{l+1})² to (D S_l)². O(|m| D² S_l S_{l+1} (S_l + S_{l+1})). */
export function pullBackMixing(layer: WishartLayer, outputs: number, x: Matrix): Matrix {
  const scale = pullBackScale(layer, outputs, x);
  const skip = pullBackSkip(layer, outputs, x);
  return skip === undefined ? scale : combine(1, scale, 1, skip);
}

/** Adjoint of `pullBackMixing`: s |m|⁻¹ Σ_m (I⊗t_m)ᵀ G (I⊗t_m) and the same for the skip. O(|m| D² S_l S_{l+1} (S_l + S_{l+1})). */
export function pushForwardMixing(layer: WishartLayer, outputs: number, gradient: Matrix): Matrix {
  const { taps, variance, skip } = layer;
  const above = (skip?.tap ?? taps[0])?.shape[1] ?? 0;
  const scale = sandwich(taps.map(transpose), variance / Math.max(1, taps.length), above, outputs, gradient);
  if (skip === undefined) return scale;
  return combine(1, scale, 1, sandwich([transpose(skip.tap)], skip.coefficient ** 2, above, outputs, gradient));
}

/** I_D ⊗ t. */
export function blockDiagonal(t: Matrix, copies: number): Matrix {
  const [rows, columns] = t.shape;
  const out = zeros(copies * rows, copies * columns);
  for (let a = 0; a < copies; a++) {
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) out.data[(a * rows + i) * copies * columns + a * columns + j] = t.data[i * columns + j]!;
  }
  return out;
}

const rowsMapped = (m: Matrix, map: (row: Matrix) => Matrix): Matrix => {
  const [rows, columns] = m.shape;
  const side = Math.round(Math.sqrt(columns));
  const mapped = Array.from(
    { length: rows },
    (_, r) => map({ data: m.data.subarray(r * columns, (r + 1) * columns), shape: [side, side] }).data,
  );
  const width = mapped[0]?.length ?? 0;
  const out = zeros(rows, width);
  mapped.forEach((row, r) => out.data.set(row, r * width));
  return out;
};

/** First and second moments of two random matrices X, Y of one size: E X, E Y and Cov of their entries, d² × d². */
interface JointMoments {
  readonly x: Matrix;
  readonly y: Matrix;
  readonly covariance: Matrix;
}

/** Adds (E[X_ac Y_bd] + E[X_ad Y_bc])/n to `into`, and (E[Y_ac X_bd] + E[Y_ad X_bc])/n when X and Y differ. */
function addSpread(into: Float64Array, { x, y, covariance }: JointMoments, width: number, both: boolean): void {
  const d = x.shape[0];
  const second = (a: number, b: number, c: number, e: number): number =>
    covariance.data[(a * d + b) * d * d + c * d + e]! + x.data[a * d + b]! * y.data[c * d + e]!;
  for (let a = 0; a < d; a++) {
    for (let b = 0; b < d; b++) {
      for (let c = 0; c < d; c++) {
        for (let e = 0; e < d; e++) {
          let value = second(a, c, b, e) + second(a, e, b, c);
          if (both) value += second(b, e, a, c) + second(b, c, a, e);
          into[(a * d + b) * d * d + c * d + e]! += value / width;
        }
      }
    }
  }
}

/** (a, b) ← Σ_ij v_i v_j M_(ai)(bj): D² × d². */
function biasContraction(layer: WishartLayer, outputs: number): Matrix {
  const { sites, biasWeights } = layer;
  const d = outputs * sites;
  const out = zeros(outputs * outputs, d * d);
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      for (let i = 0; i < sites; i++) {
        for (let j = 0; j < sites; j++)
          out.data[(a * outputs + b) * d * d + (a * sites + i) * d + b * sites + j] = biasWeights[i]! * biasWeights[j]!;
      }
    }
  }
  return out;
}

/**
 * Means and covariances of M_1 and of the bias part of the outputs' covariance, exact at any widths, by the linear recursion of E[M⊗M]
 * from the readout down: a Wishart step adds (E[Σ_ac Σ_bd] + E[Σ_ad Σ_bc])/N_l, a skip the same of what it hands down with Σ, a layer maps
 * both index pairs. Covariances are carried, not second moments, so nothing cancels at large widths. @throws FinitewidthError (code
 * "memory") when (D S)⁴ numbers do not fit. Cost: O(L |m| D⁴ S⁵). Source: docs/theories/convolution.md §5 and docs/theories/exact.md.
 */
export function mixingMoments(chain: WishartChain, outputs: number): MixingMoments {
  const largest = Math.max(...chain.layers.map((layer) => outputs * layer.sites));
  const bytes = 32 * largest ** 4;
  if (bytes > largestTensor)
    throw new FinitewidthError(
      `second moments of a ${largest} × ${largest} mixing matrix would take ${bytes} bytes, more than ${largestTensor}; use fewer sites or sample the prior`,
      { code: "memory" },
    );
  const pairs = outputs * outputs;
  let biasMean = affine(chain.readoutBiasVariance, identity(outputs));
  let biasCovariance = zeros(pairs, pairs);
  let mean = zeros(0, 0);
  let covariance = zeros(0, 0);
  let cross = zeros(0, 0);
  for (const [above, layer] of chain.layers.toReversed().entries()) {
    const d = outputs * layer.sites;
    if (above === 0) {
      mean = affine(layer.variance, identity(d));
      covariance = zeros(d * d, d * d);
      cross = zeros(pairs, d * d);
      addSpread(covariance.data, { x: mean, y: mean, covariance: zeros(d * d, d * d) }, layer.width, false);
    } else {
      const pull = (x: Matrix): Matrix => pullBackMixing(layer, outputs, x);
      const scale = (x: Matrix): Matrix => pullBackScale(layer, outputs, x);
      const between = (left: typeof pull, right: typeof pull): Matrix => rowsMapped(transpose(rowsMapped(covariance, right)), left);
      const y = scale(mean);
      const next = between(pull, pull);
      // E[Σ_ac Σ_bd + Σ_ad Σ_bc]/n around the scale Σ, and the same of the skip with Σ
      addSpread(next.data, { x: y, y, covariance: between(scale, scale) }, layer.width, false);
      if (layer.skip !== undefined) {
        const skip = (x: Matrix): Matrix => pullBackSkip(layer, outputs, x)!;
        addSpread(next.data, { x: skip(mean), y, covariance: transpose(between(skip, scale)) }, layer.width, true);
      }
      mean = pull(mean);
      covariance = next;
      cross = rowsMapped(cross, pull);
    }
    if (layer.biasVariance > 0) {
      const contraction = biasContraction(layer, outputs);
      const b = layer.biasVariance;
      const mixed = multiplyTransposedRight(cross, contraction);
      const part = multiply(contraction, covariance);
      biasCovariance = combine(
        1,
        combine(1, biasCovariance, b, combine(1, mixed, 1, transpose(mixed))),
        b * b,
        multiplyTransposedRight(part, contraction),
      );
      cross = combine(1, cross, b, part);
      biasMean = combine(1, biasMean, b, {
        data: multiply(contraction, { data: mean.data, shape: [d * d, 1] }).data,
        shape: [outputs, outputs],
      });
    }
  }
  return { mean, covariance, biasMean, biasMixingCovariance: cross, biasCovariance };
}
