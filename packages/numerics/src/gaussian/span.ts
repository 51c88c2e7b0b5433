import { shapeError, zeros, type Matrix } from "@finitewidth/core";
import { multiplyTransposedLeft } from "@finitewidth/linalg";

/** A point whose variance beyond the training points is below this share of its own is in their span. */
const spanTolerance = 1e-12;

/** Test points split into what the range of a kernel explains of them and the rest. */
export interface SpanSplit {
  /** κ^{−½}k̂, k̂ the projections on the eigenvectors; rows of null directions are 0. r × P*. */
  readonly inside: Matrix;
  /** K_xx − Σ_i k̂_i²/κ_i, P* numbers or P* × P*, like `own`; 0 for a point in the span within rounding. */
  readonly outside: Float64Array;
}

/**
 * Given f ~ N(0, qK) and noise T the variance of a test point is q(outside + Σ_i inside_i² T/(qκ_i + T)): a sum of positive terms, where
 * K_xx − q k̂ᵀ(qκ + T)⁻¹k̂ would lose the digits of small T beside a singular K. `projected`: k̂, r × P*; `eigenvalues`: κ, r numbers,
 * those below rε of the largest null directions; `own`: K_xx, P* variances or the P* × P* covariance. O(r P*), O(r P*²) with covariances.
 * @throws FinitewidthError (code "shape").
 */
export function splitBySpan(projected: Matrix, eigenvalues: Float64Array, own: Float64Array): SpanSplit {
  const [r, points] = projected.shape;
  if (eigenvalues.length !== r) throw shapeError("eigenvalues", `${r} numbers, like the rows of projected`, `${eigenvalues.length}`);
  const whole = own.length === points * points && points > 1;
  if (!whole && own.length !== points) throw shapeError("own", `${points} variances or their covariance`, `${own.length} numbers`);
  const least = r * Number.EPSILON * eigenvalues.reduce((most, value) => Math.max(most, value), 0);
  const inside = zeros(r, points);
  for (let i = 0; i < r; i++) {
    if (!(eigenvalues[i]! > least)) continue;
    const scale = 1 / Math.sqrt(eigenvalues[i]!);
    for (let j = i * points; j < (i + 1) * points; j++) inside.data[j] = scale * projected.data[j]!;
  }
  const outside = own.slice();
  const diagonal = new Float64Array(points);
  for (let at = 0; at < inside.data.length; at++) diagonal[at % points]! += inside.data[at]! ** 2;
  const stride = whole ? points + 1 : 1;
  const spanned = diagonal.map((value, j) => (own[j * stride]! - value <= spanTolerance * own[j * stride]! ? 1 : 0));
  if (whole) {
    const explained = multiplyTransposedLeft(inside, inside);
    for (let at = 0; at < outside.length; at++)
      outside[at] = spanned[Math.floor(at / points)] || spanned[at % points] ? 0 : outside[at]! - explained.data[at]!;
  } else for (let j = 0; j < points; j++) outside[j] = spanned[j] ? 0 : outside[j]! - diagonal[j]!;
  return { inside, outside };
}
