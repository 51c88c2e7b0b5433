/**
 * log K_ν(x), modified Bessel function of the second kind, any real order ν and x > 0, without over- or underflow. From
 * K_ν(x) = ½ ∫ exp(νt − x cosh t) dt, shifted to its maximum t₀ = arsinh(ν/x), by the trapezoid rule (exponentially convergent). Absolute
 * error of the logarithm about 1e-14 plus rounding of its leading part. +∞ at x = 0, NaN for x < 0. About 100 exponentials; up to 10⁴ when
 * both ν and x are tiny.
 */
export function logBesselK(order: number, x: number): number {
  if (x === 0) return Infinity;
  if (!(x > 0)) return Number.NaN;
  const nu = Math.abs(order);
  const radius = Math.hypot(x, nu);
  // √(x² + ν²) − ν
  const difference = x * (x / (radius + nu));
  const h = Math.min(0.15, 0.4 / Math.sqrt(radius));
  let sum = 1;
  for (const direction of [-1, 1]) {
    for (let j = 1; ; j++) {
      const s = direction * j * h;
      const exponent =
        Math.abs(s) < 1
          ? nu * (s - Math.sinh(s)) - 2 * radius * Math.sinh(0.5 * s) ** 2
          : nu * s - 0.5 * (radius + nu) * Math.expm1(s) - 0.5 * difference * Math.expm1(-s);
      if (!(exponent > -42)) break;
      sum += Math.exp(exponent);
    }
  }
  return Math.log(0.5 * h * sum) + nu * Math.asinh(nu / x) - radius;
}
