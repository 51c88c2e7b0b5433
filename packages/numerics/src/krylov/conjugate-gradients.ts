import { zeros, type Matrix } from "@finitewidth/core";
import type { SymmetricTridiagonal } from "@finitewidth/linalg";

/** How far conjugate gradients go. */
export interface ConjugateGradientOptions {
  /** Stops when |b − A x| ≤ tolerance·|b| for every column, by the recurrence. */
  readonly tolerance: number;
  readonly maximumIterations: number;
}

/** Solutions of A x = b for many b at once, and what their iterations know of A. */
export interface SolvedColumns {
  /** n × m. */
  readonly solution: Matrix;
  /** Largest relative residual of a column. */
  readonly residual: number;
  readonly iterations: number;
  readonly converged: boolean;
  /** For each column Lanczos' tridiagonal matrix of M^{−½}A M^{−½} from M^{−½}b. */
  readonly tridiagonals: readonly SymmetricTridiagonal[];
}

/** Sums down the columns of the products of entries. */
function columnProducts(a: Matrix, b: Matrix): Float64Array {
  const [rows, columns] = a.shape;
  const out = new Float64Array(columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j]! += a.data[i * columns + j]! * b.data[i * columns + j]!;
  return out;
}

/**
 * Preconditioned conjugate gradients from x = 0 for every column of B (n × m) side by side: A and M symmetric and positive definite, A by
 * its product with n × m matrices, M by its solution. Columns that are done wait for the others. 10 n m flops beside a product and a
 * solution with M per iteration. Source: G. Golub, C. Van Loan, Matrix Computations (2013), sections 10.3 and 11.5; Y. Saad, Iterative
 * Methods for Sparse Linear Systems (2003), section 6.7.3, for the tridiagonal matrix.
 */
export function conjugateGradients(
  apply: (v: Matrix) => Matrix,
  precondition: (v: Matrix) => Matrix,
  b: Matrix,
  { tolerance, maximumIterations }: ConjugateGradientOptions,
): SolvedColumns {
  const [rows, columns] = b.shape;
  const solution = zeros(rows, columns);
  const rest: Matrix = { data: b.data.slice(), shape: b.shape };
  const sizes = columnProducts(b, b);
  let conditioned = precondition(rest);
  const direction: Matrix = { data: conditioned.data.slice(), shape: b.shape };
  let inner = columnProducts(rest, conditioned);
  const steps = Array.from({ length: columns }, (): { alpha: number; beta: number }[] => []);
  const done = Array.from(sizes, (size) => size === 0);
  let iterations = 0;
  let worst = sizes.some((size) => size > 0) ? 1 : 0;
  while (iterations < maximumIterations && !done.every(Boolean)) {
    const product = apply(direction);
    const curvature = columnProducts(direction, product);
    const alpha = inner.map((value, j) => (done[j] ? 0 : value / curvature[j]!));
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const at = i * columns + j;
        solution.data[at]! += alpha[j]! * direction.data[at]!;
        rest.data[at]! -= alpha[j]! * product.data[at]!;
      }
    iterations++;
    conditioned = precondition(rest);
    const next = columnProducts(rest, conditioned);
    const beta = next.map((value, j) => (done[j] ? 0 : value / inner[j]!));
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const at = i * columns + j;
        direction.data[at] = conditioned.data[at]! + beta[j]! * direction.data[at]!;
      }
    const squares = columnProducts(rest, rest);
    worst = 0;
    for (let j = 0; j < columns; j++) {
      if (sizes[j]! > 0) worst = Math.max(worst, Math.sqrt(squares[j]! / sizes[j]!));
      if (done[j]) continue;
      steps[j]!.push({ alpha: alpha[j]!, beta: beta[j]! });
      done[j] = Math.sqrt(squares[j]!) <= tolerance * Math.sqrt(sizes[j]!);
    }
    inner = next;
  }
  return { solution, residual: worst, iterations, converged: done.every(Boolean), tridiagonals: steps.map(tridiagonalOf) };
}

/** diag 1/α_k + β_{k−1}/α_{k−1}, off the diagonal √β_k/α_k. */
function tridiagonalOf(steps: readonly { readonly alpha: number; readonly beta: number }[]): SymmetricTridiagonal {
  const diagonal = new Float64Array(steps.length);
  const offDiagonal = new Float64Array(Math.max(0, steps.length - 1));
  steps.forEach(({ alpha, beta }, k) => {
    const before = steps[k - 1];
    diagonal[k] = 1 / alpha + (before ? before.beta / before.alpha : 0);
    if (k < offDiagonal.length) offDiagonal[k] = Math.sqrt(beta) / alpha;
  });
  return { diagonal, offDiagonal };
}
