import { inputError, type Activation, type Matrix } from "@finitewidth/core";
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
 * L·P²/2 two-point functions. Source: docs/theories/nngp.md; Lee et al. (2018), eq. 4–5.
 */
export function infiniteWidthRecursion(
  activation: Activation,
  firstKernel: Matrix,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
): Recursion {
  checkVariances(weightVariance, biasVariance);
  const preactivation = [firstKernel];
  const hidden: Matrix[] = [];
  for (const [l, weight] of weightVariance.entries()) {
    const g = kernelMap(activation, preactivation[l]!);
    hidden.push(g);
    preactivation.push(affine(g, weight, biasVariance[l]!));
  }
  return { preactivation, hidden };
}

/** `infiniteWidthRecursion` for a rectangular K¹ (P × P′) with the variances of its rows and columns. L·P·P′ two-point functions. */
export function crossInfiniteWidthRecursion(
  activation: Activation,
  rowVariances: Float64Array,
  firstKernel: Matrix,
  columnVariances: Float64Array,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
): CrossRecursion {
  checkVariances(weightVariance, biasVariance);
  const preactivation = [firstKernel];
  const hidden: Matrix[] = [];
  const rows = [rowVariances];
  const columns = [columnVariances];
  for (const [l, weight] of weightVariance.entries()) {
    const bias = biasVariance[l]!;
    const g = crossKernelMap(activation, rows[l]!, preactivation[l]!, columns[l]!);
    hidden.push(g);
    preactivation.push(affine(g, weight, bias));
    rows.push(diagonalMap(activation, rows[l]!).map((value) => weight * value + bias));
    columns.push(diagonalMap(activation, columns[l]!).map((value) => weight * value + bias));
  }
  return { preactivation, hidden, rowVariances: rows, columnVariances: columns };
}

function checkVariances(weightVariance: readonly number[], biasVariance: readonly number[]): void {
  if (biasVariance.length !== weightVariance.length)
    throw inputError("biasVariance", `${weightVariance.length} numbers, like weightVariance`, biasVariance);
}

function affine(g: Matrix, weight: number, bias: number): Matrix {
  return { data: g.data.map((value) => weight * value + bias), shape: g.shape };
}
