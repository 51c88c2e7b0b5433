import { allFinite, FinitewidthError, type Activation, type Matrix } from "@finitewidth/core";
import { fusedKernelMap, type KernelMap } from "@finitewidth/linalg";
import { crossKernelMap, fusedKind, kernelMap } from "./kernel-map.js";

/** K := weight·G(K) + bias. */
export interface LayerVariances {
  readonly weight: number;
  readonly bias: number;
  /** K is known to be finite, as what an earlier step returned: not looked through again. @defaultValue false */
  readonly finite?: boolean;
}

/** From this many numbers on the maps work in place. */
const large = 128 * 128;

/**
 * K := weight·G(K) + bias for an exactly symmetric kernel, in the array of K where there is a fused map (erf, ReLU, sign, step), and
 * through `kernelMap` elsewhere: the same numbers to a few ulp. P²/2 two-point functions, no second P × P array.
 */
export function kernelStep(activation: Activation, kernel: Matrix, { weight, bias, finite = false }: LayerVariances): Matrix {
  const n = kernel.shape[0];
  const { data } = kernel;
  const variances = Float64Array.from({ length: n }, (_, i) => data[i * n + i]!);
  const kind = n * n >= large ? fusedKind(activation) : undefined;
  const close = kind && closePairs(kind, activation, variances, kernel, variances, true);
  if (close && (finite || allFinite(data)) && fused(kind!, kernel)) {
    for (let k = 0; k < close.length; k += 2) {
      const at = close[k]!;
      const [i, j] = [Math.floor(at / n), at % n];
      data[at] = data[j * n + i] = close[k + 1]!;
    }
  } else data.set(kernelMap(activation, kernel).data);
  for (let i = 0; i < n; i++) data[i * n + i] = activation.moments.diagonal(variances[i]!);
  return scaled(kernel, weight, bias);
}

/** The same between rows and columns of the given variances. P P′ two-point functions, in the array of `cross`. */
export function crossKernelStep(
  activation: Activation,
  rows: Float64Array,
  cross: Matrix,
  columns: Float64Array,
  { weight, bias, finite = false }: LayerVariances,
): Matrix {
  const { data } = cross;
  const kind = data.length >= large ? fusedKind(activation) : undefined;
  const close = kind && closePairs(kind, activation, rows, cross, columns, false);
  if (close && (finite || allFinite(data)) && fused(kind!, cross, { rows, columns }))
    for (let k = 0; k < close.length; k += 2) data[close[k]!] = close[k + 1]!;
  else data.set(crossKernelMap(activation, rows, cross, columns).data);
  return scaled(cross, weight, bias);
}

function scaled(kernel: Matrix, weight: number, bias: number): Matrix {
  const { data } = kernel;
  if (weight !== 1 || bias !== 0) for (let at = 0; at < data.length; at++) data[at] = weight * data[at]! + bias;
  return kernel;
}

/** The fused map of a finite kernel in place; false, and nothing changed, for variances that it refuses. */
function fused(kind: KernelMap, kernel: Matrix, variances?: { readonly rows: Float64Array; readonly columns: Float64Array }): boolean {
  try {
    fusedKernelMap(kind, kernel, { out: kernel.data, ...(variances ? { variances } : {}) });
    return true;
  } catch (error) {
    // a negative variance: refused before the first entry
    if (error instanceof FinitewidthError && error.code === "input") return false;
    throw error;
  }
}

/** Correlation of erf from which arcsin loses digits, and what a bound on it must stay below, for rounding. */
const closeCorrelation = 0.97;
const farCorrelation = 0.96;

/**
 * Places and values, one after the other, of the pairs at which the fused maps lose digits (arcsin near ±1, ReLU near −1), by the pair
 * formula. Undefined for more than an eighth of all: in place would gain nothing.
 */
function closePairs(
  kind: KernelMap,
  activation: Activation,
  rowVariances: Float64Array,
  cross: Matrix,
  columnVariances: Float64Array,
  symmetric: boolean,
): number[] | undefined {
  const { kernel: pair } = activation.moments;
  const scale = (variances: Float64Array): Float64Array =>
    variances.map((value) => (kind === "erf" ? Math.SQRT2 / Math.sqrt(1 + 2 * value) : value > 0 ? 1 / Math.sqrt(value) : Infinity));
  if (kind === "erf" && largestCorrelation(rowVariances, columnVariances) < farCorrelation) return [];
  const [left, right] = [scale(rowVariances), scale(columnVariances)];
  const [rows, columns] = cross.shape;
  const out: number[] = [];
  for (let i = 0; i < rows; i++) {
    const start = i * columns;
    const end = symmetric ? i : columns;
    const factor = left[i]!;
    for (let j = 0; j < end; j++) {
      const correlation = factor * cross.data[start + j]! * right[j]!;
      if (kind === "relu" ? correlation > -0.5 : Math.abs(correlation) < closeCorrelation) continue;
      out.push(start + j, pair(rowVariances[i]!, cross.data[start + j]!, columnVariances[j]!));
    }
    if (out.length > (rows * columns) / 4 + 1000) return undefined;
  }
  return out;
}

/** Bound 2√(ab)/√((1 + 2a)(1 + 2b)) on the correlation parameter 2|c|/√((1 + 2a)(1 + 2b)) of erf, since |c| ≤ √(ab). */
function largestCorrelation(rowVariances: Float64Array, columnVariances: Float64Array): number {
  const [a, b] = [rowVariances, columnVariances].map((variances) => variances.reduce((most, value) => Math.max(most, value), 0)) as [
    number,
    number,
  ];
  return 2 * Math.sqrt((a / (1 + 2 * a)) * (b / (1 + 2 * b)));
}
