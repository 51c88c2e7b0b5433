import type { Matrix } from "@finitewidth/core";
import { affine, gram, identity, multiply, multiplyTransposedLeft, solveLower, transpose } from "@finitewidth/linalg";
import { smallEigen, smallMultiplyLeft } from "./small.js";
import type { ChainFactors } from "./chain-factors.js";
import type { MatrixTarget } from "./target.js";

/** One layer and one draw: N_l E[Ĝˡ] = kernel K + E[f F_1⁻ᵀ form F_1⁻¹ fᵀ], form symmetric r_1 × r_1. */
interface DrawnLayer {
  readonly kernel: number;
  readonly form: Matrix;
}

const sum = (a: Matrix, factor: number, b: Matrix): Matrix => ({
  data: a.data.map((value, i) => value + factor * b.data[i]!),
  shape: a.shape,
});

/**
 * Hidden kernels of every layer given one value of the chain. F_l = F_{l+1} C_l, E_l = C_{l−1} … C_1, so that f M_l⁺ fᵀ has the form
 * E_lᵀE_l. Dense: N_{l+1} E[Ĝ^{l+1}] = (N_{l+1} − r_{l+1}) s_l E[Ĝˡ] + E_{l+1}ᵀE_{l+1}. With a skip α, β² = s_l and Z the overlaps of the
 * row spaces before and after, S_l = N E[Ĝˡ]: S_{l+1} = E_{l+1}ᵀE_{l+1} + β²(1 − r/N)S_l + α²{S_l − E_lᵀZZᵀE_l − (r − |Z|²)/(N − r)(S_l −
 * E_lᵀE_l)}.
 * Source: docs/theories/residual.md §4.
 */
function drawnLayers({ chain, layout }: MatrixTarget, factors: ChainFactors): DrawnLayer[] {
  const first = factors.ranks[0]!;
  let e = identity(first);
  let layer: DrawnLayer = { kernel: chain.widths[0]! - first, form: identity(first) };
  const out = [layer];
  for (let l = 0; l + 1 < chain.widths.length; l++) {
    const [s, alpha, r] = [chain.variances[l]!, chain.skips?.[l], factors.ranks[l + 1]!];
    const [width, above] = [chain.widths[l]!, chain.widths[l + 1]!];
    const { z, inner, step } = factors.general![l]!;
    if (alpha === undefined) {
      e = multiply(affine(Math.sqrt(s), z), e);
      const keep = ((above - r) * s) / width;
      layer = { kernel: keep * layer.kernel, form: sum(squared(e), keep, layer.form) };
    } else if (s === 0) {
      e = affine(alpha, e);
      layer = { kernel: alpha * alpha * layer.kernel, form: affine(alpha * alpha, layer.form) };
    } else {
      const moved = inner ?? sum(affine(Math.sqrt(s), z), alpha, identity(r));
      const c = step ?? moved;
      const overlap = step === undefined ? identity(r) : solveLower(step, columnsOf(moved, layout.layers[l]!.shift));
      const seen = squared(multiply(transpose(overlap), e));
      const before = squared(e);
      const shared = overlap.data.reduce((total, value) => total + value * value, 0);
      const free = width > r ? (r - shared) / (width - r) : 0;
      const square = alpha * alpha;
      const keep = s * (1 - r / width) + square * (1 - free);
      e = multiply(c, e);
      const form = sum(sum(sum(squared(e), keep, layer.form), -square, seen), square * free, before);
      layer = { kernel: keep * layer.kernel, form };
    }
    out.push(layer);
  }
  return out;
}

const squared = (e: Matrix): Matrix => gram(transpose(e));

/** The first columns of a matrix. */
function columnsOf({ data, shape: [rows, columns] }: Matrix, count: number): Matrix {
  const out = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * columns, i * columns + count), i * count);
  return { data: out, shape: [rows, count] };
}

/** Contributions of one draw: coefficient of K_xx, diag to subtract, outer products to add and to subtract. */
export type SkipSink = (
  layer: number,
  kernel: number,
  diagonal: Float64Array,
  positive: readonly Float64Array[],
  negative: readonly Float64Array[],
) => void;

/** Hands the parts of E[Ĝˡ | Y, chain] of one draw to `sink`, layer by layer, after `target.likelihood` was evaluated there. */
export function addSkipDraw(target: MatrixTarget, factors: ChainFactors, weight: number, sink: SkipSink): void {
  const d = target.layout.outputs;
  const { rank: points, rotation, alpha, variance } = target.likelihood;
  const r = factors.ranks[0]!;
  const turned: Matrix = { data: new Float64Array(r * d), shape: [r, d] };
  smallMultiplyLeft(factors.f[0]!, rotation, d, r, d, turned.data);
  drawnLayers(target, factors).forEach(({ kernel, form }, l) => {
    const image = multiply(form, turned);
    const strength = Float64Array.from({ length: d }, (_, a) => {
      let value = 0;
      for (let c = 0; c < r; c++) value += turned.data[c * d + a]! * image.data[c * d + a]!;
      return value;
    });
    const diagonal = new Float64Array(points);
    for (let i = 0; i < points; i++) for (let a = 0; a < d; a++) diagonal[i]! += (weight * strength[a]!) / variance[i * d + a]!;
    const values = new Float64Array(r);
    const vectors = new Float64Array(r * r);
    smallEigen(form.data.slice(), r, values, vectors);
    const directions = multiplyTransposedLeft({ data: vectors, shape: [r, r] }, turned);
    const rows: [Float64Array[], Float64Array[]] = [[], []];
    values.forEach((value, c) => {
      const scale = Math.sqrt(weight * Math.abs(value));
      const row = new Float64Array(points);
      for (let i = 0; i < points; i++) for (let a = 0; a < d; a++) row[i]! += scale * directions.data[c * d + a]! * alpha[i * d + a]!;
      rows[value < 0 ? 1 : 0].push(row);
    });
    const trace = values.reduce((total, value) => total + value, 0);
    sink(l, weight * (kernel + trace), diagonal, ...rows);
  });
}
