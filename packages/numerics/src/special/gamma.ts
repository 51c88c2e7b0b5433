import * as stdlib from "../generated/stdlib.js";

/** log Γ(x), x > 0: relative error 1e-15 plus absolute 6e-15 between 1 and 1.3 (1e-13 relative beside the zeros); NaN for x ≤ 0. */
export const logGamma = onPositive(stdlib.gammaln);

/** Digamma ψ(x) = (log Γ)′(x), x > 0, error a few 1e-16·max(1, |ψ|); NaN for x ≤ 0. */
export const digamma = onPositive(stdlib.digamma);

/** Trigamma ψ′(x), x > 0, relative error a few 1e-16; NaN for x ≤ 0. */
export const trigamma = onPositive(stdlib.trigamma);

function onPositive(f: (x: number) => number): (x: number) => number {
  return (x) => (x > 0 ? f(x) : Number.NaN);
}
