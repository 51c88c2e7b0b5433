import { dot } from "@finitewidth/linalg";

/** How far GMRES goes. */
export interface GmresOptions {
  /** Stops when |b − A x| ≤ tolerance·|b|. */
  readonly tolerance: number;
  /** Largest number of Krylov vectors (no restart). */
  readonly maximumVectors: number;
}

/** Outcome of GMRES. `residual` is |b − A x|/|b| by the Arnoldi recurrence. */
export interface GmresResult {
  readonly solution: Float64Array;
  readonly residual: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/**
 * Solves A x = b for a general A given by its product with a vector, by GMRES from x = 0: the x of the Krylov space with the smallest
 * residual. Modified Gram–Schmidt, Givens rotations. Stores up to `maximumVectors` + 1 vectors; one product per iteration. With k
 * iterations O(k² n) besides the products. Source: Y. Saad and M. H. Schultz (1986).
 */
export function gmres(apply: (x: Float64Array) => Float64Array, b: Float64Array, { tolerance, maximumVectors }: GmresOptions): GmresResult {
  const norm = Math.sqrt(dot(b, b));
  if (norm === 0) return { solution: new Float64Array(b.length), residual: 0, iterations: 0, converged: true };
  const basis = [b.map((value) => value / norm)];
  // columns of R, rotations, and the rotated right-hand side
  const columns: Float64Array[] = [];
  const cosines: number[] = [];
  const sines: number[] = [];
  const rhs = [norm];
  let residual = 1;
  for (let k = 0; k < maximumVectors && residual > tolerance; k++) {
    const w = apply(basis[k]!).slice();
    const column = new Float64Array(k + 2);
    const before = Math.sqrt(dot(w, w));
    for (let i = 0; i <= k; i++) {
      const v = basis[i]!;
      const overlap = dot(v, w);
      column[i] = overlap;
      for (let j = 0; j < w.length; j++) w[j]! -= overlap * v[j]!;
    }
    const length = Math.sqrt(dot(w, w));
    for (let i = 0; i < k; i++) {
      const [upper, lower] = [column[i]!, column[i + 1]!];
      column[i] = cosines[i]! * upper + sines[i]! * lower;
      column[i + 1] = cosines[i]! * lower - sines[i]! * upper;
    }
    const radius = Math.hypot(column[k]!, length);
    const exhausted = length <= 1e-14 * before;
    if (radius === 0) break;
    cosines.push(column[k]! / radius);
    sines.push(length / radius);
    column[k] = radius;
    columns.push(column);
    rhs.push(-sines[k]! * rhs[k]!);
    rhs[k]! *= cosines[k]!;
    residual = Math.abs(rhs[k + 1]!) / norm;
    if (exhausted) break;
    basis.push(w.map((value) => value / length));
  }
  const count = columns.length;
  const weights = new Float64Array(count);
  for (let i = count - 1; i >= 0; i--) {
    let sum = rhs[i]!;
    for (let j = i + 1; j < count; j++) sum -= columns[j]![i]! * weights[j]!;
    weights[i] = sum / columns[i]![i]!;
  }
  const solution = new Float64Array(b.length);
  for (let i = 0; i < count; i++) {
    const v = basis[i]!;
    for (let j = 0; j < solution.length; j++) solution[j]! += weights[i]! * v[j]!;
  }
  return { solution, residual, iterations: count, converged: residual <= tolerance };
}
