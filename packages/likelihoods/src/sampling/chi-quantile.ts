import { gammaQuantile, logGamma, normalDensity, normalDistribution } from "@finitewidth/numerics";

/**
 * z = χ_ν/√ν as a function of a standard normal x with the same quantile, and dz/dx = φ(x)/(2νz p_ν(νz²)): coordinates in which a χ
 * variable has exactly the law N(0, 1). From the nearer tail, so that neither loses digits.
 */
export function chiQuantile(x: number, degrees: number): readonly [z: number, slope: number] {
  const half = degrees / 2;
  const c = Math.max(2 * gammaQuantile(Math.max(normalDistribution(-Math.abs(x)), 1e-300), half, x > 0), 1e-300);
  const logDensity = (half - 1) * Math.log(c) - c / 2 - half * Math.LN2 - logGamma(half);
  const z = Math.sqrt(c / degrees);
  return [z, (normalDensity(x) * Math.exp(-logDensity)) / (2 * degrees * z)];
}
