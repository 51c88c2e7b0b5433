/** Gram matrices have rounding errors of this size: a correlation that is closer to ±1 is ±1. */
const rounding = 16 * Number.EPSILON;

/** √(xy) for x, y ≥ 0, where the product itself is beyond the range of numbers too: kernels of inputs of size 10¹⁰⁰, or 10⁻¹⁰⁰. */
export function rootOfProduct(x: number, y: number): number {
  const product = x * y;
  if ((product > 1e-290 && product < Infinity) || x === 0 || y === 0) return Math.sqrt(product);
  // a power of two costs no digits, which the gap between √(ab) and |c| could not spare
  const scale = product < 1 ? 2 ** 512 : 2 ** -512;
  return Math.sqrt(x * scale * (y * scale)) / scale;
}

/** √(ab) − |c| ≥ 0, how far a correlation is from ±1; 0 within the rounding of a Gram matrix. */
export function correlationGap(a: number, c: number, b: number): number {
  const s = rootOfProduct(a, b);
  const gap = s - Math.abs(c);
  return gap > rounding * s ? gap : 0;
}

/**
 * √(ab − c²), the root of the determinant of a 2 × 2 covariance, as √((√(ab) − |c|)(√(ab) + |c|)): no cancellation at correlation ±1 beyond
 * that of `gap`, and exactly 0 for inputs that are parallel within rounding.
 */
export function rootDeterminant(a: number, c: number, b: number, gap = correlationGap(a, c, b)): number {
  return rootOfProduct(gap, rootOfProduct(a, b) + Math.abs(c));
}

/** Whether two inputs are parallel within rounding and on the same side (c > 0): kernels then act as at equal inputs. */
export function coincident(a: number, c: number, b: number): boolean {
  return c > 0 ? correlationGap(a, c, b) === 0 : a === 0 && b === 0;
}

/** x·y with 0·∞ = 0: a vanishing factor in front of a diverging derivative. */
export function productOrZero(x: number, y: number): number {
  return x === 0 || y === 0 ? 0 : x * y;
}
