import { columnVector, zeros, type Matrix } from "@finitewidth/core";
import { cholesky, gram, multiplyVector, solveCholesky, solveLower, transpose, type Cholesky } from "@finitewidth/linalg";

/** Gaussian approximation of p(f | Y) for one output: N(0, K) times Gaussian sites of precisions w, with mean K a. */
export interface SiteApproximation {
  /** P: mean (EP) or mode (Laplace) of f. */
  readonly latent: Float64Array;
  /** a = K⁻¹ latent. */
  readonly alpha: Float64Array;
  /** w ≥ 0. */
  readonly weights: Float64Array;
  /** log Z, of p(Y). */
  readonly logEvidence: number;
  readonly iterations: number;
  readonly converged: boolean;
  /** Largest change of the last iteration. */
  readonly residual: number;
}

/** r = √w and the Cholesky factor of B = I + r K r. */
export interface SiteFactor {
  readonly root: Float64Array;
  readonly cholesky: Cholesky;
}

/** O(P³/3). Never inverts K, which may be singular. */
export function factorSites(kernel: Matrix, weights: Float64Array): SiteFactor {
  const n = weights.length;
  const root = weights.map((w) => Math.sqrt(Math.max(w, 0)));
  const b = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) b.data[i * n + j] = root[i]! * kernel.data[i * n + j]! * root[j]!;
    b.data[i * n + i]! += 1;
  }
  return { root, cholesky: cholesky(b) };
}

/** R v = (K + diag(w)⁻¹)⁻¹ v = r B⁻¹ r v. O(P²). */
export function applyResolvent({ root, cholesky: factor }: SiteFactor, v: Float64Array): Float64Array {
  const solved = solveCholesky(factor, columnVector(v.map((value, i) => value * root[i]!))).data;
  return solved.map((value, i) => value * root[i]!);
}

/** R, P × P. O(P³). */
export function resolvent({ root, cholesky: factor }: SiteFactor): Matrix {
  const n = root.length;
  const diagonal = zeros(n, n);
  for (let i = 0; i < n; i++) diagonal.data[i * n + i] = root[i]!;
  const half = solveLower(factor.factor, diagonal);
  return gramOfColumns(half);
}

/** XᵀX, exactly symmetric. */
function gramOfColumns(x: Matrix): Matrix {
  return gram(transpose(x));
}

/** L⁻¹ r C for cross kernels C (P × M): |column|² is what the data take from the prior variance. O(P² M). */
export function whitenedCross({ root, cholesky: factor }: SiteFactor, cross: Matrix): Matrix {
  const [n, m] = cross.shape;
  const scaled = zeros(n, m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) scaled.data[i * m + j] = root[i]! * cross.data[i * m + j]!;
  return solveLower(factor.factor, scaled);
}

/** Prior variances less what the data explain, at least 0. */
export function posteriorVariance(factor: SiteFactor, cross: Matrix, prior: Float64Array): Float64Array {
  const { data, shape } = whitenedCross(factor, cross);
  const m = shape[1];
  const out = prior.slice();
  for (let i = 0; i < data.length; i++) out[i % m]! -= data[i]! * data[i]!;
  return out.map((value) => Math.max(value, 0));
}

/** S = K − K R K, P × P. O(P³). */
export function posteriorCovariance(factor: SiteFactor, kernel: Matrix): Matrix {
  const explained = gramOfColumns(whitenedCross(factor, kernel));
  return { data: kernel.data.map((value, i) => value - explained.data[i]!), shape: kernel.shape };
}

/** Mean Kᵀa and variance of f at other points: `cross` P × M, `prior` the M prior variances. O(P² M). */
export function predictSites(
  kernel: Matrix,
  approximation: Pick<SiteApproximation, "alpha" | "weights">,
  cross: Matrix,
  prior: Float64Array,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const mean = multiplyVector(transpose(cross), approximation.alpha);
  return { mean, variance: posteriorVariance(factorSites(kernel, approximation.weights), cross, prior) };
}
