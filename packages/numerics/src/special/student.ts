import { tQuantile } from "../generated/stdlib-t.js";

/** Quantile of Student's t distribution with `degreesOfFreedom` > 0: the x with P(t ≤ x) = p, 0 ≤ p ≤ 1. Error below 1e-12. */
export const studentQuantile = (p: number, degreesOfFreedom: number): number => tQuantile(p, degreesOfFreedom);
