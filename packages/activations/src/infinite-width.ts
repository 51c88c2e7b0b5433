import { inputError, type Activation, type Matrix } from "@finitewidth/core";
import { advanceGaps, kernelGaps, needsGaps, type CorrelationGaps } from "./correlation-gaps.js";
import { crossKernelMap, diagonalMap, kernelMap } from "./kernel-map.js";

/** K¹ … K^{L+1} and G¹ … G^L of the infinite-width recursion. */
export interface Recursion {
  readonly preactivation: readonly Matrix[];
  readonly hidden: readonly Matrix[];
}

/** The same between two sets of inputs, with the variances K_aa of rows and columns layer by layer. */
export interface CrossRecursion extends Recursion {
  readonly rowVariances: readonly Float64Array[];
  readonly columnVariances: readonly Float64Array[];
}

/**
 * K^{l+1} = σ_w²(l+1) G(Kˡ) + σ_b²(l+1), l = 1 … L, from K¹ (P × P); `weightVariance` and `biasVariance` are those of layers 2 … L+1.
 * `gaps` (`inputGaps`): nearly parallel inputs to all digits where φ jumps; without it K¹ itself decides, which holds angles above 1e-7.
 * L·P²/2 two-point functions. Source: docs/theories/nngp.md; Lee et al. (2018), eq. 4–5.
 */
export function infiniteWidthRecursion(
  activation: Activation,
  firstKernel: Matrix,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
  gaps?: CorrelationGaps,
): Recursion {
  const diagonal = (k: Matrix): Float64Array => Float64Array.from({ length: k.shape[0] }, (_, i) => k.data[i * k.shape[0] + i]!);
  return recursion(activation, firstKernel, weightVariance, biasVariance, (k) => kernelMap(activation, k), diagonal, diagonal, gaps);
}

/** `infiniteWidthRecursion` for a rectangular K¹ (P × P′) with the variances of its rows and columns. L·P·P′ two-point functions. */
export function crossInfiniteWidthRecursion(
  activation: Activation,
  rowVariances: Float64Array,
  firstKernel: Matrix,
  columnVariances: Float64Array,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
  gaps?: CorrelationGaps,
): CrossRecursion {
  const own = (first: Float64Array): Float64Array[] => {
    const list = [first];
    for (const [l, weight] of weightVariance.entries())
      list.push(diagonalMap(activation, list[l]!).map((value) => weight * value + biasVariance[l]!));
    return list;
  };
  const [rows, columns] = [own(rowVariances), own(columnVariances)];
  const map = (k: Matrix, l: number): Matrix => crossKernelMap(activation, rows[l]!, k, columns[l]!);
  return {
    ...recursion(
      activation,
      firstKernel,
      weightVariance,
      biasVariance,
      map,
      (_, l) => rows[l]!,
      (_, l) => columns[l]!,
      gaps,
    ),
    rowVariances: rows,
    columnVariances: columns,
  };
}

function recursion(
  activation: Activation,
  firstKernel: Matrix,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
  map: (kernel: Matrix, layer: number) => Matrix,
  rows: (kernel: Matrix, layer: number) => Float64Array,
  columns: (kernel: Matrix, layer: number) => Float64Array,
  firstGaps?: CorrelationGaps,
): Recursion {
  checkVariances(weightVariance, biasVariance);
  const preactivation = [firstKernel];
  const hidden: Matrix[] = [];
  let gaps: CorrelationGaps | undefined = firstGaps;
  for (const [l, weight] of weightVariance.entries()) {
    const kernel = preactivation[l]!;
    const g = map(kernel, l);
    const bias = biasVariance[l]!;
    if (needsGaps(activation)) {
      const layer = { rows: rows(kernel, l), kernel, columns: columns(kernel, l) };
      gaps = advanceGaps(activation, layer, new Map([...kernelGaps(layer.rows, kernel, layer.columns), ...(gaps ?? [])]), g, {
        weight,
        bias,
      });
    }
    hidden.push(g);
    preactivation.push(affine(g, weight, bias));
  }
  return { preactivation, hidden };
}

function checkVariances(weightVariance: readonly number[], biasVariance: readonly number[]): void {
  if (biasVariance.length !== weightVariance.length)
    throw inputError("biasVariance", `${weightVariance.length} numbers, like weightVariance`, biasVariance);
}

function affine(g: Matrix, weight: number, bias: number): Matrix {
  const data = new Float64Array(g.data);
  // a loop: a callback for each of P² numbers takes many times as long
  for (let i = 0; i < data.length; i++) data[i] = weight * data[i]! + bias;
  return { data, shape: g.shape };
}
