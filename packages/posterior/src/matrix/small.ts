/** Dense operations on matrices of a few rows, flat row-major arrays: no allocation, no dispatch. */

/** C = A B for A m × k, B k × n. */
export function smallMultiply(a: Float64Array, b: Float64Array, m: number, k: number, n: number, out: Float64Array): void {
  out.fill(0, 0, m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const value = a[i * k + p]!;
      if (value === 0) continue;
      for (let j = 0; j < n; j++) out[i * n + j]! += value * b[p * n + j]!;
    }
  }
}

/** C = Aᵀ B for A k × m, B k × n. */
export function smallMultiplyLeft(a: Float64Array, b: Float64Array, k: number, m: number, n: number, out: Float64Array): void {
  out.fill(0, 0, m * n);
  for (let p = 0; p < k; p++) {
    for (let i = 0; i < m; i++) {
      const value = a[p * m + i]!;
      for (let j = 0; j < n; j++) out[i * n + j]! += value * b[p * n + j]!;
    }
  }
}

/** C = A Bᵀ for A m × k, B n × k. */
export function smallMultiplyRight(a: Float64Array, b: Float64Array, m: number, k: number, n: number, out: Float64Array): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[j * k + p]!;
      out[i * n + j] = sum;
    }
  }
}

/**
 * Eigenvalues (into `values`) and eigenvectors (columns of `vectors`) of a symmetric n × n matrix by cyclic Jacobi rotations; `a` is
 * destroyed. O(n³) per sweep, about 6 sweeps; meant for n up to 20.
 */
export function smallEigen(a: Float64Array, n: number, values: Float64Array, vectors: Float64Array): void {
  vectors.fill(0);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    let total = 0;
    for (let i = 0; i < n; i++) {
      total += a[i * n + i]! ** 2;
      for (let j = 0; j < i; j++) off += a[i * n + j]! ** 2;
    }
    if (off <= 1e-32 * total || off === 0) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q]!;
        if (apq === 0) continue;
        const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const x = a[k * n + p]!;
          const y = a[k * n + q]!;
          a[k * n + p] = c * x - s * y;
          a[k * n + q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const x = a[p * n + k]!;
          const y = a[q * n + k]!;
          a[p * n + k] = c * x - s * y;
          a[q * n + k] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const x = vectors[k * n + p]!;
          const y = vectors[k * n + q]!;
          vectors[k * n + p] = c * x - s * y;
          vectors[k * n + q] = s * x + c * y;
        }
      }
    }
  }
  for (let i = 0; i < n; i++) values[i] = a[i * n + i]!;
}

/**
 * Solves A X = B by Gaussian elimination with partial pivoting, B n × m overwritten by X, A destroyed. Returns log |det A|, −∞ for a
 * singular A.
 */
export function smallSolve(a: Float64Array, b: Float64Array, n: number, m: number): number {
  let logDeterminant = 0;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[pivot * n + k]!)) pivot = i;
    if (pivot !== k) {
      for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [a[pivot * n + j]!, a[k * n + j]!];
      for (let j = 0; j < m; j++) [b[k * m + j], b[pivot * m + j]] = [b[pivot * m + j]!, b[k * m + j]!];
    }
    const diagonal = a[k * n + k]!;
    logDeterminant += Math.log(Math.abs(diagonal));
    if (diagonal === 0) return -Infinity;
    for (let i = k + 1; i < n; i++) {
      const factor = a[i * n + k]! / diagonal;
      if (factor === 0) continue;
      for (let j = k; j < n; j++) a[i * n + j]! -= factor * a[k * n + j]!;
      for (let j = 0; j < m; j++) b[i * m + j]! -= factor * b[k * m + j]!;
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = 0; j < m; j++) {
      let value = b[k * m + j]!;
      for (let i = k + 1; i < n; i++) value -= a[k * n + i]! * b[i * m + j]!;
      b[k * m + j] = value / a[k * n + k]!;
    }
  }
  return logDeterminant;
}

/** Unit matrix, n × n. */
export function identityOf(n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}

/** (XᵀY)_aa for every column a. */
export function columnProducts(x: Float64Array, y: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(columns);
  for (let c = 0; c < rows; c++) for (let a = 0; a < columns; a++) out[a]! += x[c * columns + a]! * y[c * columns + a]!;
  return out;
}
