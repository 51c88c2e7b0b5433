import { FinitewidthError, shapeError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { fusedKernelMap, type KernelMap } from "@finitewidth/linalg";
import { erf } from "./erf.js";
import { pairMoments } from "./quadrature/complete-moments.js";
import { relu } from "./relu.js";
import { sign } from "./sign.js";
import { step } from "./step.js";

/** From this many points on the fused kernel maps are faster. */
const largeMatrix = 128;
/** Relative differences of two variances from their covariance up to which the inputs are the same. */
const roundingOfEquals = 8e-16;

/**
 * G(K) = E φ(h)φ(h)ᵀ, h ~ N(0, K), for a symmetric P × P kernel (lower triangle read). Exactly symmetric; the diagonal by the one-variable
 * formula, so that duplicate inputs cost no digits. P²/2 two-point functions, vectorised for erf, ReLU, sign and step from P = 128 on:
 * 10 ms at P = 1000, 25 ms one by one.
 * @throws FinitewidthError (code "shape") for a rectangular matrix. Source: docs/theories/effective-action.md, "Kernels".
 */
export function kernelMap(activation: Activation, kernel: Matrix): Matrix {
  const n = squareSize(kernel, "kernel");
  const { diagonal } = activation.moments;
  const variances = Float64Array.from({ length: n }, (_, i) => kernel.data[i * n + i]!);
  const fused = n >= largeMatrix ? fusedMap(activation, variances, kernel, variances, true) : undefined;
  const out = fused ?? zeros(n, n);
  if (fused === undefined) {
    const { kernel: pair } = pairMoments(activation.moments);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const [a, c, b] = [variances[i]!, kernel.data[i * n + j]!, variances[j]!];
        // series are good to 1e-13 only, which equal inputs would carry on as a direction of their own
        const value = Math.abs(a - c) + Math.abs(b - c) <= roundingOfEquals * c ? diagonal(c) : pair(a, c, b);
        out.data[i * n + j] = value;
        out.data[j * n + i] = value;
      }
    }
  }
  for (let i = 0; i < n; i++) out.data[i * n + i] = diagonal(variances[i]!);
  return out;
}

/**
 * E φ(h_i)φ(h'_j) from the P × P′ cross kernel and the variances of its rows (P) and columns (P′). P P′ two-point functions. @throws
 * FinitewidthError (code "shape").
 */
export function crossKernelMap(
  activation: Activation,
  rowVariances: ArrayLike<number>,
  cross: Matrix,
  columnVariances: ArrayLike<number>,
): Matrix {
  const [rows, columns] = cross.shape;
  if (rowVariances.length !== rows) throw shapeError("rowVariances", `${rows} numbers`, `${rowVariances.length}`);
  if (columnVariances.length !== columns) throw shapeError("columnVariances", `${columns} numbers`, `${columnVariances.length}`);
  if (rows * columns >= largeMatrix ** 2) {
    const fused = fusedMap(activation, Float64Array.from(rowVariances), cross, Float64Array.from(columnVariances), false);
    if (fused !== undefined) return fused;
  }
  const out = zeros(rows, columns);
  const { kernel: pair } = pairMoments(activation.moments);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out.data[i * columns + j] = pair(rowVariances[i]!, cross.data[i * columns + j]!, columnVariances[j]!);
  }
  return out;
}

/** The kernel map that linalg has for an activation; by its moments, for another activation may have the same name. */
export function fusedKind(activation: Activation): KernelMap | undefined {
  const { kernel } = activation.moments;
  if (kernel === erf.moments.kernel) return "erf";
  if (kernel === relu.moments.kernel) return "relu";
  if (kernel === sign.moments.kernel) return "sign";
  return kernel === step.moments.kernel ? "step" : undefined;
}

/**
 * All two-point functions by `fusedKernelMap`; undefined without one, and for numbers that it refuses. arcsin r loses digits near r = ±1
 * and the ReLU kernel, √(ab)(sin ψ − ψ cos ψ)/2π with ψ → 0, near correlation −1: those pairs are computed once more, one by one, and
 * everything agrees with the pair formulas to a few ulp. Only the lower triangle is read where rows and columns are the same points.
 */
function fusedMap(
  activation: Activation,
  rowVariances: Float64Array,
  cross: Matrix,
  columnVariances: Float64Array,
  symmetric: boolean,
): Matrix | undefined {
  const kind = fusedKind(activation);
  if (kind === undefined) return undefined;
  const values = fusedValues(kind, rowVariances, cross, columnVariances, symmetric);
  if (values === undefined) return undefined;
  const { kernel: pair } = activation.moments;
  const [rows, columns] = cross.shape;
  const { centre, bound } =
    kind === "step" ? { centre: 0.25, bound: safeAngle / (2 * Math.PI) } : { centre: 0, bound: (2 / Math.PI) * safeAngle };
  const roots = columnVariances.map(Math.sqrt);
  for (let i = 0; i < rows; i++) {
    const least = safeRelu * Math.sqrt(rowVariances[i]!);
    const start = i * columns;
    const end = symmetric ? i : columns;
    for (let j = 0; j < end; j++) {
      const value = values[start + j]!;
      if (kind === "relu" ? value > least * roots[j]! : Math.abs(value - centre) < bound) continue;
      const again = pair(rowVariances[i]!, cross.data[start + j]!, columnVariances[j]!);
      values[start + j] = again;
      if (symmetric) values[j * columns + i] = again;
    }
  }
  return { data: values, shape: cross.shape };
}

/** arcsin 0.97, up to where arcsin is accurate, and the ReLU kernel at unit variances and correlation −½. */
const safeAngle = Math.asin(0.97);
const safeRelu = (Math.sqrt(3) / 2 - Math.PI / 6) / (2 * Math.PI);

function fusedValues(
  kind: KernelMap,
  rowVariances: Float64Array,
  cross: Matrix,
  columnVariances: Float64Array,
  symmetric: boolean,
): Float64Array | undefined {
  try {
    if (!symmetric) return fusedKernelMap(kind, cross, { variances: { rows: rowVariances, columns: columnVariances } }).data;
    const full = mirrored(cross);
    return fusedKernelMap(kind, full, { out: full.data }).data;
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "input") return undefined;
    throw error;
  }
}

/** The lower triangle on both sides, block by block. */
function mirrored(m: Matrix): Matrix {
  const n = m.shape[0];
  const out = m.data.slice();
  const block = 32;
  for (let top = 0; top < n; top += block) {
    for (let left = 0; left <= top; left += block) {
      for (let i = top; i < Math.min(top + block, n); i++) {
        for (let j = left; j < Math.min(left + block, i); j++) out[j * n + i] = out[i * n + j]!;
      }
    }
  }
  return { data: out, shape: m.shape };
}

/** g(k) = E φ² of every variance. */
export function diagonalMap(activation: Activation, variances: ArrayLike<number>): Float64Array {
  return Float64Array.from(variances, activation.moments.diagonal);
}

/** Size of a square matrix. @throws FinitewidthError (code "shape"). */
export function squareSize(m: Matrix, path: string): number {
  if (m.shape[0] !== m.shape[1]) throw shapeError(path, "a square matrix", `${m.shape[0]} × ${m.shape[1]}`);
  return m.shape[0];
}
