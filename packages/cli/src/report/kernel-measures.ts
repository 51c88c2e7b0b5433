import type { Matrix } from "@finitewidth/core";

/** A measure of a kernel beside another matrix, worked out once for each pair: headline, table and figures show the same ones. */
function remembered<T>(measure: (kernel: Matrix, beside: Matrix) => T): (kernel: Matrix, beside: Matrix) => T {
  const known = new WeakMap<Matrix, Map<Matrix, T>>();
  return (kernel, beside) => {
    const own = known.get(kernel) ?? new Map<Matrix, T>();
    known.set(kernel, own);
    if (!own.has(beside)) own.set(beside, measure(kernel, beside));
    return own.get(beside)!;
  };
}

/** ‖A − B‖_F / ‖B‖_F; 0 of a kernel beside itself, whatever its size. */
export const relativeShift = remembered(({ data: a }, { data: b }) => {
  if (a === b) return 0;
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
});

/** (tr K)² / tr K²: how many directions a kernel uses, between 1 and P. O(P²). */
export const effectiveRank = (kernel: Matrix): number => participation(kernel, kernel);

const participation = remembered(({ data, shape: [n] }) => {
  let [trace, square] = [0, 0];
  for (let i = 0; i < n; i++) trace += data[i * n + i]!;
  for (let i = 0; i < data.length; i++) square += data[i]! * data[i]!;
  return (trace * trace) / square;
});

/**
 * Centred alignment of a kernel with the targets: ⟨HKH, YYᵀ⟩ / (‖HKH‖ ‖HYYᵀH‖), H = 1 − 11ᵀ/P; 1 when the kernel is that of the targets,
 * undefined when the targets do not vary. O(P² D).
 */
export const centredAlignment = remembered((kernel, targets): number | undefined => {
  const [n, outputs] = targets.shape;
  const centredTargets = new Float64Array(targets.data);
  for (let a = 0; a < outputs; a++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += targets.data[i * outputs + a]! / n;
    for (let i = 0; i < n; i++) centredTargets[i * outputs + a]! -= mean;
  }
  const { data } = kernel;
  const rowMeans = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += data[i * n + j]!;
    rowMeans[i] = sum / n;
    total += rowMeans[i]! / n;
  }
  // ⟨HKH, YYᵀ⟩ = Σ_a y_aᵀ K y_a and ‖HYYᵀH‖² = ‖YᵀY‖² for centred columns y_a
  let [product, kernelSquare, targetSquare] = [0, 0, 0];
  const along = new Float64Array(outputs);
  for (let i = 0; i < n; i++) {
    along.fill(0);
    for (let j = 0; j < n; j++) {
      const centred = data[i * n + j]! - rowMeans[i]! - rowMeans[j]! + total;
      kernelSquare += centred * centred;
      for (let a = 0; a < outputs; a++) along[a]! += centred * centredTargets[j * outputs + a]!;
    }
    for (let a = 0; a < outputs; a++) product += along[a]! * centredTargets[i * outputs + a]!;
  }
  for (let a = 0; a < outputs; a++)
    for (let b = 0; b < outputs; b++) {
      let gram = 0;
      for (let i = 0; i < n; i++) gram += centredTargets[i * outputs + a]! * centredTargets[i * outputs + b]!;
      targetSquare += gram * gram;
    }
  return kernelSquare > 0 && targetSquare > 0 ? product / Math.sqrt(kernelSquare * targetSquare) : undefined;
});

/** Training points ordered by class (largest of several outputs) or by their first target, so that learned structure shows as blocks. */
export function orderByTarget({ data, shape: [points, outputs] }: Matrix): number[] {
  const key = (i: number): number => {
    if (outputs === 1) return data[i]!;
    const row = data.subarray(i * outputs, (i + 1) * outputs);
    return row.indexOf(Math.max(...row));
  };
  return Array.from({ length: points }, (_, i) => i).sort((i, j) => key(i) - key(j) || i - j);
}

/** What `orderByTarget` orders by: two values of one target, or one-hot rows, are classes. */
export function orderName({ data, shape: [points, outputs] }: Matrix): string {
  if (outputs > 1) return data.every((value) => value === 0 || value === 1) ? "class" : "largest output";
  return new Set(data).size <= Math.min(2, points - 1) ? "class" : "target";
}
