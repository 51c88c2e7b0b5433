import { FinitewidthError, zeros, type Matrix, type RandomStream, type WishartLayer } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  cholesky,
  gram,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveLowerTransposed,
  trace,
  transpose,
} from "@finitewidth/linalg";
import type { ChainLayerLayout, ChainLayout } from "./layout.js";

/**
 * One layer of a chain: M_l = F_l F_lᵀ with F_l = R_l Z_l; E_l is the covariance factor (R_l Rₗᵀ = E_l E_lᵀ), undefined at the top. With a
 * skip that makes too many columns F_l is the Cholesky factor of `raw` rawᵀ, or F_{l+1} times `step`, that of `inner` innerᵀ.
 */
export interface ChainFactor {
  readonly z: Matrix;
  readonly r: Matrix;
  readonly f: Matrix;
  readonly e?: Matrix;
  readonly raw?: Matrix;
  readonly inner?: Matrix;
  readonly step?: Matrix;
}

/** into_(a k),(to + c) += scale Σ_i t_ki f_(a i),(from + c) for c < count and every output a: one tap applied to the sites of a factor. */
function applyTap(tap: Matrix, f: Matrix, from: number, into: Matrix, to: number, count: number, outputs: number, scale: number): void {
  const [rows, columns] = tap.shape;
  for (let a = 0; a < outputs; a++) {
    for (let k = 0; k < rows; k++) {
      const target = (a * rows + k) * into.shape[1] + to;
      for (let i = 0; i < columns; i++) {
        const value = scale * tap.data[k * columns + i]!;
        if (value === 0) continue;
        const source = (a * columns + i) * f.shape[1] + from;
        for (let c = 0; c < count; c++) into.data[target + c]! += value * f.data[source + c]!;
      }
    }
  }
}

/** (I⊗t) X (I⊗t)ᵀ over D outputs, t: S × S′, X: (D S′)². O(D² S S′ (S + S′)): I⊗t is never formed. */
export function mapSites(t: Matrix, outputs: number, x: Matrix): Matrix {
  const [rows, sites] = t.shape;
  const left = ({ data, shape: [, columns] }: Matrix): Matrix => {
    const out = zeros(outputs * rows, columns);
    for (let a = 0; a < outputs; a++) {
      const own = { data: data.subarray(a * sites * columns, (a + 1) * sites * columns), shape: [sites, columns] as const };
      out.data.set(multiply(t, own).data, a * rows * columns);
    }
    return out;
  };
  return transpose(left(transpose(left(x))));
}

/** E_l = [√(s_l/|m|) (I⊗t_m) F_{l+1}]_m: (D S_l) × (|m| r_{l+1}), a factor of the covariance of layer l. O(D |m| S_l S_{l+1} r_{l+1}). */
export function pushFactor(
  layout: Pick<ChainLayerLayout, "rows" | "inner"> & { readonly layer: Pick<WishartLayer, "variance" | "taps"> },
  outputs: number,
  above: Matrix,
): Matrix {
  const { layer, rows, inner } = layout;
  const scale = Math.sqrt(layer.variance / layer.taps.length);
  const e = zeros(rows, inner);
  layer.taps.forEach((tap, m) => applyTap(tap, above, 0, e, m * above.shape[1], above.shape[1], outputs, scale));
  return e;
}

/** Adjoint of `pushFactor`: gradient with respect to F_{l+1} from the gradient with respect to E_l. O(D |m| S_l S_{l+1} r_{l+1}). */
export function pullFactor(
  layout: ChainLayerLayout,
  outputs: number,
  above: { readonly rows: number; readonly rank: number },
  gradient: Matrix,
): Matrix {
  const { layer } = layout;
  const scale = Math.sqrt(layer.variance / layer.taps.length);
  const out = zeros(above.rows, above.rank);
  layer.taps.forEach((tap, m) => applyTap(transpose(tap), gradient, m * above.rank, out, 0, above.rank, outputs, scale));
  return out;
}

/** Cholesky factor of E Eᵀ, with a relative 1e-13 on the diagonal where that is numerically singular. */
function choleskyOfGram(e: Matrix): Matrix {
  const a = gram(e);
  try {
    return cholesky(a).factor;
  } catch (error) {
    if (!(error instanceof FinitewidthError) || error.code !== "not-positive-definite") throw error;
    return cholesky(addDiagonal(a, 1e-13 * trace(a))).factor;
  }
}

/** [α (I⊗T) F, 0] added to a factor whose first columns are along the units that the skip carries; in place. */
function addSkip({ layer }: ChainLayerLayout, outputs: number, above: Matrix, into: Matrix): void {
  if (layer.skip !== undefined) applyTap(layer.skip.tap, above, 0, into, 0, above.shape[1], outputs, layer.skip.coefficient);
}

const innerScale = ({ variance, taps }: WishartLayer): number => Math.sqrt(variance) * taps[0]!.data[0]!;

/** α T + √s t Z, with F_l = F_{l+1} times it, for single sites: the numbers T and t of a layer, and Z. */
function innerFactor({ layer, shift }: ChainLayerLayout, z: Matrix): Matrix {
  const scale = innerScale(layer);
  const columns = z.shape[1];
  const out = zeros(shift, columns);
  for (let i = 0; i < z.data.length; i++) out.data[i] = scale * z.data[i]!;
  for (let i = 0; i < shift; i++) out.data[i * columns + i]! += layer.skip!.coefficient * layer.skip!.tap.data[0]!;
  return out;
}

/**
 * Factors of every layer, 1 … L, from the matrices Z_l: R_L = √c, E_l from F_{l+1}, R_l = E_l or its Cholesky factor, F_l = R_l Z_l (plus
 * the skip). Theory pages: docs/theories/convolution.md §5, residual.md §3. Cost: O(Σ rows² |m| rank).
 */
export function chainFactors(layout: ChainLayout, z: readonly Matrix[]): readonly ChainFactor[] {
  const factors: ChainFactor[] = [];
  for (let l = layout.layers.length - 1; l >= 0; l--) {
    const here = layout.layers[l]!;
    const above = factors[0];
    if (above === undefined) {
      const r = addDiagonal(zeros(here.size, here.size), Math.sqrt(here.layer.variance));
      factors.unshift({ z: z[l]!, r, f: multiply(r, z[l]!) });
      continue;
    }
    const e = pushFactor(here, layout.outputs, above.f);
    const r = here.reduced ? choleskyOfGram(e) : e;
    if (here.compressed === "inner") {
      const inner = innerFactor(here, z[l]!);
      const step = choleskyOfGram(inner);
      factors.unshift({ z: z[l]!, r, f: multiply(above.f, step), e, inner, step });
      continue;
    }
    const raw = here.size === 0 ? zeros(here.rows, here.shift) : multiply(r, z[l]!);
    addSkip(here, layout.outputs, above.f, raw);
    factors.unshift(here.compressed === undefined ? { z: z[l]!, r, f: raw, e } : { z: z[l]!, r, f: choleskyOfGram(raw), e, raw });
  }
  return factors;
}

/**
 * Reverse mode through `chainFactors`: gradients with respect to every Z_l (entries above the diagonal are meaningless) from gradients with
 * respect to the M_l; entries may be left out. `direct`: gradient with respect to F_1, added to what M_1 contributes. Through R = chol(A):
 * Ā = ½R⁻ᵀ(Φ + Φᵀ)R⁻¹, Φ = tril(RᵀR̄) with half its diagonal. O(Σ rows² |m| rank), like `chainFactors`.
 */
export function chainAdjoint(
  layout: ChainLayout,
  factors: readonly ChainFactor[],
  gradients: readonly (Matrix | undefined)[],
  direct?: Matrix,
): readonly Matrix[] {
  const out: Matrix[] = [];
  let fBar =
    direct === undefined ? zeros(layout.layers[0]!.rows, layout.layers[0]!.rank) : { data: direct.data.slice(), shape: direct.shape };
  for (const [l, here] of layout.layers.entries()) {
    const { z, r, f, e, raw, inner, step } = factors[l]!;
    const gradient = gradients[l];
    if (gradient) {
      const part = multiply(gradient, f);
      for (let i = 0; i < part.data.length; i++) fBar.data[i]! += 2 * part.data[i]!;
    }
    if (inner !== undefined && step !== undefined) {
      const above = factors[l + 1]!.f;
      const innerBar = choleskyAdjoint(step, multiplyTransposedLeft(above, fBar), inner);
      out.push(affine(innerScale(here.layer), innerBar));
      fBar = multiplyTransposedRight(fBar, step);
      continue;
    }
    if (raw !== undefined) fBar = choleskyAdjoint(f, fBar, raw);
    out.push(here.size === 0 ? zeros(0, here.shift) : multiplyTransposedLeft(r, fBar));
    if (e === undefined) break;
    const below = fBar;
    const above = layout.layers[l + 1]!;
    if (here.size > 0) {
      const rBar = multiplyTransposedRight(below, z);
      fBar = pullFactor(here, layout.outputs, above, here.reduced ? choleskyAdjoint(r, rBar, e) : rBar);
    } else fBar = zeros(above.rows, above.rank);
    if (here.layer.skip !== undefined)
      applyTap(transpose(here.layer.skip.tap), below, 0, fBar, 0, above.rank, layout.outputs, here.layer.skip.coefficient);
  }
  return out;
}

function choleskyAdjoint(r: Matrix, rBar: Matrix, e: Matrix): Matrix {
  const n = r.shape[0];
  const phi = multiplyTransposedLeft(r, rBar);
  const symmetric = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = phi.data[i * n + j]! * (i === j ? 0.5 : 1);
      symmetric.data[i * n + j]! += value;
      symmetric.data[j * n + i]! += value;
    }
  }
  // 2 Ā E with Ā = ½ R⁻ᵀ S R⁻¹
  const half = solveLowerTransposed(r, symmetric);
  return multiply(solveLowerTransposed(r, transpose(half)), e);
}

/**
 * Z (size × rank lower trapezoidal) with Z Zᵀ ~ W(N, I/N): Z_ii = √(χ²_{N−i}/N), i = 0 …, Z_ij ~ N(0, 1/N) below the diagonal. Singular
 * laws included.
 */
export function sampleBartlett(size: number, width: number, stream: RandomStream): Matrix {
  return sampleFactor({ size, shift: 0, bartlett: Math.min(size, width), layer: { width } }, stream);
}

/** Z of one layer: standard normals/√N along the units of a skip, a Bartlett factor of the remaining N − shift beside them. */
function sampleFactor(
  {
    size,
    shift,
    bartlett,
    layer: { width },
  }: Pick<ChainLayerLayout, "size" | "shift" | "bartlett"> & { readonly layer: { readonly width: number } },
  stream: RandomStream,
): Matrix {
  const columns = shift + bartlett;
  const z = zeros(size, columns);
  for (let j = 0; j < bartlett; j++) {
    z.data[j * columns + shift + j] = Math.sqrt((2 * stream.gamma((width - shift - j) / 2)) / width);
    for (let i = j + 1; i < size; i++) z.data[i * columns + shift + j] = stream.normal() / Math.sqrt(width);
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < shift; j++) z.data[i * columns + j] = stream.normal() / Math.sqrt(width);
  return z;
}

/** One draw of the factors of all layers from the prior. Cost: independent of the widths. */
export function sampleChainFactors(layout: ChainLayout, stream: RandomStream): readonly ChainFactor[] {
  const z = layout.layers.toReversed().map((here) => sampleFactor(here, stream));
  return chainFactors(layout, z.toReversed());
}
