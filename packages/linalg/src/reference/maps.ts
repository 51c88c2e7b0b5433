import type { Matrix } from "@finitewidth/core";
import type { ElementwiseMap, KernelMap } from "../maps.js";
import { erf } from "./erf.js";

const functions: Record<ElementwiseMap, (x: number) => number> = { exp: Math.exp, erf, arcsin: Math.asin };

export function map(kind: ElementwiseMap, x: Float64Array, out: Float64Array): void {
  const f = functions[kind];
  for (let i = 0; i < x.length; i++) out[i] = f(x[i]!);
}

// E φ(h₁)φ(h₂) from the correlation parameter r (clamped) and √(ab).
function kernelValue(kind: KernelMap, r: number, size: number): number {
  const bounded = Math.min(1, Math.max(-1, r));
  const angle = Math.asin(bounded);
  if (kind === "relu") return (size / (2 * Math.PI)) * (Math.sqrt((1 - bounded) * (1 + bounded)) + (Math.PI / 2 + angle) * bounded);
  if (kind === "step") return 0.25 + angle / (2 * Math.PI);
  return (2 / Math.PI) * angle;
}

/** E φ(h)² where the correlation is exactly 1; r is the correlation parameter of erf. */
export function diagonalValue(kind: KernelMap, variance: number, r: number): number {
  if (kind === "relu") return variance / 2;
  if (kind === "step") return variance > 0 ? 0.5 : 0.25;
  if (kind === "sign") return variance > 0 ? 1 : 0;
  return kernelValue(kind, r, 1);
}

/** Factors s with r = s_i s_j c. */
export function factorsOf(kind: KernelMap, variances: Float64Array): Float64Array {
  if (kind === "erf") return variances.map((a) => Math.sqrt(2 / (1 + 2 * a)));
  return variances.map((a) => (a > 0 ? 1 / Math.sqrt(a) : 0));
}

export function symmetricKernel(kind: KernelMap, c: Matrix, out: Float64Array): boolean {
  const n = c.shape[0];
  if (!c.data.every(Number.isFinite)) return false;
  const variances = Float64Array.from({ length: n }, (_, i) => c.data[i * n + i]!);
  const factors = factorsOf(kind, variances);
  for (let i = 0; i < n; i++) {
    out[i * n + i] = diagonalValue(kind, variances[i]!, variances[i]! * factors[i]! ** 2);
    for (let j = i + 1; j < n; j++) {
      const value = kernelValue(kind, c.data[i * n + j]! * factors[i]! * factors[j]!, Math.sqrt(variances[i]!) * Math.sqrt(variances[j]!));
      out[i * n + j] = value;
      out[j * n + i] = value;
    }
  }
  return true;
}

export function crossKernel(
  kind: KernelMap,
  c: Matrix,
  rowVariances: Float64Array,
  columnVariances: Float64Array,
  out: Float64Array,
): boolean {
  const [m, n] = c.shape;
  if (!c.data.every(Number.isFinite)) return false;
  const rowFactors = factorsOf(kind, rowVariances);
  const columnFactors = factorsOf(kind, columnVariances);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const size = Math.sqrt(rowVariances[i]!) * Math.sqrt(columnVariances[j]!);
      out[i * n + j] = kernelValue(kind, c.data[i * n + j]! * rowFactors[i]! * columnFactors[j]!, size);
    }
  }
  return true;
}
