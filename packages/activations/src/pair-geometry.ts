/**
 * √(ab − c²), the root of the determinant of a 2 × 2 covariance, as √((√(ab) − c)(√(ab) + c)): no cancellation at correlation ±1, and 0
 * instead of NaN where rounding puts the correlation beyond ±1.
 */
export function rootDeterminant(a: number, c: number, b: number): number {
  const s = Math.sqrt(a * b);
  return Math.sqrt(Math.max(s - c, 0) * Math.max(s + c, 0));
}

/**
 * Whether two inputs are parallel within rounding, ab − c² ≤ 1e-15 ab, and on the same side (c > 0): kernels then act as at equal inputs.
 */
export function coincident(a: number, c: number, b: number): boolean {
  if (!(c > 0)) return a === 0 && b === 0;
  const s = Math.sqrt(a * b);
  return (s - c) * (s + c) <= 1e-15 * a * b;
}

/** x·y with 0·∞ = 0: a vanishing factor in front of a diverging derivative. */
export function productOrZero(x: number, y: number): number {
  return x === 0 || y === 0 ? 0 : x * y;
}
