/** E h1h2h3h4 = C12C34 + C13C24 + C14C23 for a 4 × 4 covariance, row-major. */
export function isserlisFourPoint(c: Float64Array): number {
  return c[1]! * c[11]! + c[2]! * c[7]! + c[3]! * c[6]!;
}

/**
 * E h1²h2²h3²h4²: sum over the 24 permutations of Π over cycles of 2^(length−1) Π C along the cycle, the terms of equal shape collected.
 * Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function quadraticFourPoint(c: Float64Array): number {
  const [k1, k2, k3, k4] = [c[0]!, c[5]!, c[10]!, c[15]!];
  const [c12, c13, c14, c23, c24, c34] = [c[1]!, c[2]!, c[3]!, c[6]!, c[7]!, c[11]!];
  const [s12, s13, s14, s23, s24, s34] = [c12 * c12, c13 * c13, c14 * c14, c23 * c23, c24 * c24, c34 * c34];
  return (
    k1 * k2 * k3 * k4 +
    2 * (s12 * k3 * k4 + s13 * k2 * k4 + s14 * k2 * k3 + s23 * k1 * k4 + s24 * k1 * k3 + s34 * k1 * k2) +
    4 * (s12 * s34 + s13 * s24 + s14 * s23) +
    8 * (c12 * c23 * c13 * k4 + c12 * c24 * c14 * k3 + c13 * c34 * c14 * k2 + c23 * c34 * c24 * k1) +
    16 * (c12 * c23 * c34 * c14 + c12 * c24 * c34 * c13 + c13 * c23 * c24 * c14)
  );
}
