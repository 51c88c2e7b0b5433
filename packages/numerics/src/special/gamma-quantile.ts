import { gammaincinv } from "../generated/stdlib-gamma.js";

/**
 * Quantile of the Gamma distribution of the given shape and unit scale: the x with P(g ≤ x) = p, or P(g > x) = p with `upper`, which keeps
 * the digits of the far tail. Relative error below 1e-12 for p ≥ 1e-20; 0 at p = 0, ∞ at p = 0 with `upper`. Half the χ² quantile of twice
 * the degrees of freedom.
 */
export const gammaQuantile = (p: number, shape: number, upper = false): number => gammaincinv(p, shape, upper);
