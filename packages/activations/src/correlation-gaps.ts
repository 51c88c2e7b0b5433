import type { Activation, Matrix } from "@finitewidth/core";
import { correlationGap, rootOfProduct } from "./pair-geometry.js";

/**
 * √(K_aa K_bb) − |K_ab| of the pairs (index a · columns + b) whose correlation is close to ±1, to more digits than the kernel itself holds.
 * Pairs that are not in it are far enough from ±1 that the kernel has the digits.
 */
export type CorrelationGaps = ReadonlyMap<number, number>;

/** Pairs are followed from 1 − |ρ| < 0.01 on: the kernel itself holds fourteen digits of more. */
const near = 0.01;
/** Angles between inputs that are within their own rounding are none. */
const parallel = 128 * Number.EPSILON ** 2;

/**
 * Whether recursions with this activation must carry the gaps: φ jumps, so that angles of layer l + 1 go with the root of those of layer l.
 */
export const needsGaps = (activation: Activation): boolean => !activation.smooth && activation.moments.gap !== undefined;

function nearPairs(
  rows: ArrayLike<number>,
  kernel: Matrix,
  columns: ArrayLike<number>,
  visit: (at: number, a: number, b: number) => void,
): void {
  const [n, m] = kernel.shape;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const s = rootOfProduct(rows[i]!, columns[j]!);
      if (s - Math.abs(kernel.data[i * m + j]!) < near * s) visit(i * m + j, i, j);
    }
  }
}

/**
 * Gaps of K = scale X X′ᵀ + bias, from the inputs: √(ab)·½|û ∓ v̂|² with û the direction of (√scale x, √bias), so that nothing cancels.
 * O(N0) for each pair that is nearly parallel, O(1) for the others. `kernel`: P × P′ with the variances of its rows and columns.
 */
export function inputGaps(
  inputs: Matrix,
  others: Matrix,
  kernel: Matrix,
  variances: { readonly rows: ArrayLike<number>; readonly columns: ArrayLike<number> },
  { scale, bias }: { readonly scale: number; readonly bias: number },
): CorrelationGaps {
  const gaps = new Map<number, number>();
  const features = inputs.shape[1];
  nearPairs(variances.rows, kernel, variances.columns, (at, i, j) => {
    const [u, v] = [Math.sqrt(variances.rows[i]!), Math.sqrt(variances.columns[j]!)];
    const side = kernel.data[at]! < 0 ? -1 : 1;
    let square = bias * (1 / u - side / v) ** 2;
    for (let k = 0; k < features; k++)
      square += scale * (inputs.data[i * features + k]! / u - (side * others.data[j * features + k]!) / v) ** 2;
    gaps.set(at, square > parallel ? 0.5 * square * u * v : 0);
  });
  return gaps;
}

/** Gaps that the kernel itself shows, for pairs that are within its rounding of ±1 none. */
export function kernelGaps(rows: ArrayLike<number>, kernel: Matrix, columns: ArrayLike<number>): CorrelationGaps {
  const gaps = new Map<number, number>();
  nearPairs(rows, kernel, columns, (at, i, j) => gaps.set(at, correlationGap(rows[i]!, kernel.data[at]!, columns[j]!)));
  return gaps;
}

/**
 * One layer with gaps: puts G of the near pairs into `g` (which holds G of the others, P × P′) and returns the gaps of K′ = weight·G +
 * bias, `next`. With u = √g(a), v = √g(b): √(a′b′) = weight·uv + bias + weight·bias (u − v)²/(√(a′b′) + weight·uv + bias). O(1) per near
 * pair.
 */
export function advanceGaps(
  activation: Activation,
  layer: { readonly rows: ArrayLike<number>; readonly kernel: Matrix; readonly columns: ArrayLike<number> },
  gaps: CorrelationGaps,
  g: Matrix,
  next: { readonly weight: number; readonly bias: number },
): CorrelationGaps {
  const { moments } = activation;
  const out = new Map<number, number>();
  const columns = layer.kernel.shape[1];
  const { weight, bias } = next;
  for (const [at, gap] of gaps) {
    const [a, c, b] = [layer.rows[Math.floor(at / columns)]!, layer.kernel.data[at]!, layer.columns[at % columns]!];
    const value = moments.kernel(a, c, b, gap);
    g.data[at] = value;
    const [u, v] = [Math.sqrt(moments.diagonal(a)), Math.sqrt(moments.diagonal(b))];
    const uv = u * v;
    const root = rootOfProduct(weight * u * u + bias, weight * v * v + bias);
    const unequal = root > 0 ? (weight * bias * (u - v) ** 2) / (root + weight * uv + bias) : 0;
    const own = moments.gap!(a, c, b, gap);
    const after = weight * value + bias;
    // |after| = weight·|G| + bias, bias − weight·|G| or weight·|G| − bias
    const below = value >= 0 ? weight * own : after >= 0 ? weight * (2 * uv - own) : weight * own + 2 * bias;
    if (unequal + below < near * root) out.set(at, unequal + below);
  }
  return out;
}
