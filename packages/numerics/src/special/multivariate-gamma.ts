import { logGamma } from "./gamma.js";

/**
 * Log of the multivariate gamma function, log Γ_d(x) = (d(d−1)/4) log π + Σ_{j<d} log Γ(x − j/2): normaliser of the Wishart density.
 * NaN unless x > (d−1)/2. O(d).
 */
export function logMultivariateGamma(dimension: number, x: number): number {
  let sum = 0.25 * dimension * (dimension - 1) * Math.log(Math.PI);
  for (let j = 0; j < dimension; j++) sum += logGamma(x - 0.5 * j);
  return sum;
}
