import { refusal, zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedRight, symmetrise, transpose } from "@finitewidth/linalg";
import type { SpectralProblem } from "../spectrum/problem.js";
import type { PosteriorSample } from "../sampling/target.js";
import { biasAt, factorsAt, mixingAt, type ChainFactors } from "./chain-factors.js";
import { choleskySemidefinite } from "./predict.js";
import { addSkipDraw } from "./skip-kernels.js";
import { columnProducts, identityOf, smallMultiply, smallMultiplyLeft } from "./small.js";
import type { MatrixTarget } from "./target.js";

/**
 * E[Ĝˡ] = `kernel` K_xx + Φᵀ `form` Φ on any points, with Φ = [k̂; 1ᵀ] ((r + 1) × M; without the row of ones when there are no biases
 * beyond layer 1), for one layer and one group of draws, weighted by the group's total weight.
 */
interface LayerSums {
  kernel: number;
  readonly form: Matrix;
}

/** Sums by layer and group, with the weight of every group. */
export interface HiddenKernelSums {
  readonly layers: readonly (readonly LayerSums[])[];
  readonly weights: Float64Array;
  readonly biased: boolean;
}

/**
 * Accumulates E[Ĝˡ | Y, chain] over draws. With F_1 = F_l E_l, f_l = F_l z (f without the biases above layer l): z | Y is Gaussian, and
 * E[Ĝˡ] = (1 − r_l/N_l)(σ_w²(l) E[Ĝ^{l−1}] + σ_b²(l) 11ᵀ) + E[z zᵀ summed over components]/N_l; no inverse of M_l anywhere.
 * Chains with skips (without biases beyond layer 1): see `addSkipDraw`. Groups are sets of batches. O(n L r (D r + D³)). Source:
 * docs/theories/exact.md, "Hidden kernels". @throws FinitewidthError (code "refused") for skips together with biases beyond the first
 * layer.
 */
export function hiddenKernelSums(
  target: MatrixTarget,
  problem: SpectralProblem,
  sample: Pick<PosteriorSample, "points" | "weights" | "batches">,
  groups: number,
  onDraw?: () => void,
): HiddenKernelSums {
  const { chain, layout, likelihood } = target;
  const d = layout.outputs;
  const r = likelihood.rank;
  const depth = chain.widths.length;
  const biased = chain.readoutBias > 0 || chain.hiddenBias.some((b) => b > 0);
  if (biased && chain.skips !== undefined)
    throw refusal("exact", "hidden kernels of networks with skips and biases beyond the first layer are not known in closed form");
  const width = r + (biased ? 1 : 0);
  const weights = new Float64Array(groups);
  const layers = Array.from({ length: depth }, () =>
    Array.from({ length: groups }, (): LayerSums => ({ kernel: 0, form: zeros(width, width) })),
  );
  const members: number[][] = Array.from({ length: groups }, () => []);
  sample.batches.forEach((batch, k) => members[batch % groups]!.push(k));
  const mixing = new Float64Array(d * d);
  members.forEach((draws, g) => {
    const columns: Float64Array[][] = Array.from({ length: depth }, () => []);
    const negative: Float64Array[][] = Array.from({ length: depth }, () => []);
    for (const k of draws) {
      const weight = sample.weights[k]!;
      weights[g]! += weight;
      const factors = factorsAt(layout, sample.points[k]!);
      mixingAt(factors, 0, d, mixing);
      likelihood.evaluate(mixing, biasAt(chain, factors, d), false);
      if (chain.skips !== undefined) {
        addSkipDraw(target, factors, weight, (l, kernel, diagonal, plus, minus) => {
          const sums = layers[l]![g]!;
          sums.kernel += kernel;
          for (let i = 0; i < r; i++) sums.form.data[i * width + i]! -= diagonal[i]!;
          columns[l]!.push(...plus);
          negative[l]!.push(...minus);
          if (columns[l]!.length > 256) flush(columns[l]!, sums.form);
        });
        onDraw?.();
        continue;
      }
      addDraw(target, problem, factors, weight, biased, (l, kernel, diagonal, ones, corner, rows) => {
        const sums = layers[l]![g]!;
        sums.kernel += kernel;
        const form = sums.form.data;
        for (let i = 0; i < r; i++) {
          form[i * width + i]! -= diagonal[i]!;
          if (!biased) continue;
          form[i * width + r]! -= ones[i]!;
          form[r * width + i]! -= ones[i]!;
        }
        if (biased) form[r * width + r]! += corner;
        columns[l]!.push(...rows);
        if (columns[l]!.length > 256) flush(columns[l]!, sums.form);
      });
      onDraw?.();
    }
    for (let l = 0; l < depth; l++) {
      flush(columns[l]!, layers[l]![g]!.form);
      flush(negative[l]!, layers[l]![g]!.form, -1);
    }
  });
  return { layers, weights, biased };
}

/** form += sign Σ rows rowᵀ; empties the list. */
function flush(rows: Float64Array[], form: Matrix, sign = 1): void {
  if (rows.length === 0) return;
  const width = form.shape[0];
  const stacked = zeros(width, rows.length);
  rows.forEach((row, k) => {
    for (let i = 0; i < width; i++) stacked.data[i * rows.length + k] = row[i]!;
  });
  const product = gram(stacked);
  for (let i = 0; i < form.data.length; i++) form.data[i]! += sign * product.data[i]!;
  rows.length = 0;
}

type Sink = (
  layer: number,
  kernel: number,
  diagonal: Float64Array,
  ones: Float64Array,
  corner: number,
  rows: readonly Float64Array[],
) => void;

/**
 * Contributions of one draw to E[z zᵀ] of every layer: coefficient of K_xx, diag to subtract, k̂ᵀ(·)1ᵀ to subtract, 11ᵀ to add, and outer
 * products.
 */
function addDraw(target: MatrixTarget, problem: SpectralProblem, factors: ChainFactors, weight: number, biased: boolean, sink: Sink): void {
  const { chain, layout, likelihood } = target;
  const { outputs: d } = layout;
  const { rank: r, rotation, alpha, variance, w, s } = likelihood;
  const o = problem.ones;
  const first = factors.ranks[0]!;
  // F_kᵀO for every layer, r_k × D
  const turned = factors.f.map((f, k) => {
    const out = new Float64Array(factors.ranks[k]! * d);
    smallMultiplyLeft(f, rotation, d, factors.ranks[k]!, d, out);
    return out;
  });
  const onesAlpha = new Float64Array(d);
  if (biased) for (let i = 0; i < r; i++) for (let a = 0; a < d; a++) onesAlpha[a]! += o[i]! * alpha[i * d + a]!;
  const root = biased ? choleskySemidefinite(s, d) : new Float64Array(0);
  for (let l = 0; l < chain.widths.length; l++) {
    const rank = factors.ranks[l]!;
    // E from layer k to l (r_l × r_k), H = E_1 F_1ᵀO, J = Σ_{2≤k≤l} b_k E_k F_kᵀO
    let e = identityOf(rank);
    let trace = 0;
    let biasTrace = 0;
    const h = new Float64Array(rank * d);
    const j = new Float64Array(rank * d);
    const part = new Float64Array(rank * d);
    for (let k = l; k >= 0; k--) {
      const rankK = factors.ranks[k]!;
      if (k < l) {
        const next = new Float64Array(rank * rankK);
        // F_k = √s_k F_{k+1} Z_k
        smallMultiply(e, factors.coordinates.z[k]!.data, rank, factors.ranks[k + 1]!, rankK, next);
        const scale = Math.sqrt(chain.variances[k]!);
        e = next.map((value) => value * scale);
      }
      const square = e.reduce((sum, value) => sum + value * value, 0);
      if (k === 0) {
        smallMultiply(e, turned[0]!, rank, first, d, h);
        trace = square;
      } else if (chain.hiddenBias[k]! > 0) {
        smallMultiply(e, turned[k]!, rank, rankK, d, part);
        for (let i = 0; i < j.length; i++) j[i]! += chain.hiddenBias[k]! * part[i]!;
        biasTrace += chain.hiddenBias[k]! * square;
      }
    }
    const gramH = columnProducts(h, h, rank, d);
    const cross = columnProducts(h, j, rank, d);
    const gramJ = columnProducts(j, j, rank, d);
    const diagonal = new Float64Array(r);
    const ones = new Float64Array(r);
    let corner = weight * biasTrace;
    for (let a = 0; a < d; a++) corner -= weight * gramJ[a]! * w[a]!;
    for (let i = 0; i < r; i++) {
      for (let a = 0; a < d; a++) {
        const inverse = 1 / variance[i * d + a]!;
        diagonal[i]! += weight * gramH[a]! * inverse;
        ones[i]! += weight * cross[a]! * o[i]! * inverse;
      }
    }
    const rows: Float64Array[] = [];
    const width = r + (biased ? 1 : 0);
    const scale = Math.sqrt(weight);
    for (let c = 0; c < rank; c++) {
      const mean = new Float64Array(width);
      for (let i = 0; i < r; i++) for (let a = 0; a < d; a++) mean[i]! += scale * h[c * d + a]! * alpha[i * d + a]!;
      if (biased) for (let a = 0; a < d; a++) mean[r]! += scale * j[c * d + a]! * onesAlpha[a]!;
      rows.push(mean);
      if (!biased) continue;
      for (let b = 0; b < d; b++) {
        const spread = new Float64Array(width);
        for (let a = 0; a < d; a++) {
          const factor = scale * root[a * d + b]!;
          if (factor === 0) continue;
          for (let i = 0; i < r; i++) spread[i]! += (factor * h[c * d + a]! * o[i]!) / variance[i * d + a]!;
          spread[r]! += factor * j[c * d + a]! * w[a]!;
        }
        rows.push(spread);
      }
    }
    sink(l, weight * trace, diagonal, ones, corner, rows);
  }
}

/** Recursion over layers for one group (or all of them summed), normalised by `weight`: E[Ĝˡ] as coefficient of K_xx and form. */
function recursion(target: MatrixTarget, sums: readonly LayerSums[], weight: number, biased: boolean): LayerSums[] {
  const { chain, layout } = target;
  const out: LayerSums[] = [];
  let previous: LayerSums | undefined;
  for (const [l, layer] of sums.entries()) {
    const { width } = layout.layers[l]!.layer;
    // with skips what is kept of the layer below depends on the draw and is in the sums already
    const free = chain.skips === undefined ? 1 - layout.layers[l]!.rank / width : 0;
    const keep = free * (l === 0 ? 1 : chain.variances[l - 1]!);
    const form = layer.form.data.map((value, i) => value / (weight * width) + (previous === undefined ? 0 : keep * previous.form.data[i]!));
    if (biased) form[form.length - 1]! += free * chain.hiddenBias[l]!;
    previous = { kernel: layer.kernel / (weight * width) + keep * (previous?.kernel ?? 1), form: { data: form, shape: layer.form.shape } };
    out.push(previous);
  }
  return out;
}

/** Posterior means of Ĝ¹ … Ĝ^L with standard errors from the spread of the groups (absent for a single group). */
export interface HiddenKernels {
  readonly mean: readonly Matrix[];
  readonly standardError?: readonly Matrix[];
}

function finish(target: MatrixTarget, sums: HiddenKernelSums, onPoints: (layer: LayerSums) => Matrix): HiddenKernels {
  const total = sums.weights.reduce((sum, value) => sum + value, 0);
  const pooled = sums.layers.map((groups) => {
    const form = zeros(groups[0]!.form.shape[0], groups[0]!.form.shape[1]);
    let kernel = 0;
    for (const group of groups) {
      kernel += group.kernel;
      for (let i = 0; i < form.data.length; i++) form.data[i]! += group.form.data[i]!;
    }
    return { kernel, form };
  });
  const mean = recursion(target, pooled, total, sums.biased).map(onPoints);
  const used = Array.from(sums.weights.keys()).filter((g) => sums.weights[g]! > 0);
  if (used.length < 2) return { mean };
  const errors = mean.map((m) => zeros(m.shape[0], m.shape[1]));
  for (const g of used) {
    const share = sums.weights[g]! / total;
    recursion(
      target,
      sums.layers.map((groups) => groups[g]!),
      sums.weights[g]!,
      sums.biased,
    ).forEach((layer, l) => {
      const value = onPoints(layer).data;
      for (let i = 0; i < value.length; i++) errors[l]!.data[i]! += (share * (value[i]! - mean[l]!.data[i]!)) ** 2;
    });
  }
  const correction = used.length / (used.length - 1);
  return { mean, standardError: errors.map((e) => ({ data: e.data.map((value) => Math.sqrt(correction * value)), shape: e.shape })) };
}

/** E[Ĝˡ | Y] on the training points, P × P: V(…)Vᵀ in the eigenbasis of K. O(groups L P r (r + P)). */
export function hiddenKernelsOnTraining(target: MatrixTarget, problem: SpectralProblem, sums: HiddenKernelSums): HiddenKernels {
  const { values, vectors } = problem.spectrum;
  const r = values.length;
  return finish(target, sums, ({ kernel, form }) => {
    const inner = zeros(r, r);
    const width = form.shape[0];
    for (let i = 0; i < r; i++) {
      for (let j = 0; j < r; j++) {
        let value = values[i]! * form.data[i * width + j]! * values[j]!;
        if (sums.biased)
          value +=
            values[i]! * form.data[i * width + r]! * problem.ones[j]! +
            problem.ones[i]! * form.data[r * width + j]! * values[j]! +
            problem.ones[i]! * form.data[r * width + r]! * problem.ones[j]!;
        inner.data[i * r + j] = value;
      }
      inner.data[i * r + i]! += kernel * values[i]!;
    }
    return symmetrise(multiplyTransposedRight(multiply(vectors, inner), vectors));
  });
}

/** E[Ĝˡ | Y] on other points: `cross` = VᵀK_x (r × M), `prior` = K_xx (M × M). O(groups L M r (r + M)). */
export function hiddenKernelsOn(target: MatrixTarget, sums: HiddenKernelSums, cross: Matrix, prior: Matrix): HiddenKernels {
  const [r, points] = cross.shape;
  const phi = zeros(r + (sums.biased ? 1 : 0), points);
  phi.data.set(cross.data);
  if (sums.biased) phi.data.fill(1, r * points);
  return finish(target, sums, ({ kernel, form }) => {
    const product = multiply(transpose(phi), multiply(form, phi));
    return { data: product.data.map((value, i) => value + kernel * prior.data[i]!), shape: prior.shape };
  });
}
