import { erf, erfc, erfcx, erfinv } from "../generated/stdlib.js";

export {
  /** erf(x) = (2/√π) ∫₀ˣ exp(−t²) dt. Error below 1 ulp. */
  erf,
  /** erfc(x) = 1 − erf(x), without cancellation for large x. */
  erfc,
  /** Scaled complement exp(x²) erfc(x): neither under- nor overflows for large x > 0. */
  erfcx,
};

/** Standard normal density exp(−x²/2)/√(2π). */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

/** Standard normal distribution function Φ(x) = ½ erfc(−x/√2), accurate relative to itself in the lower tail. */
export function normalDistribution(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2);
}

/** log Φ(x) without underflow: by the scaled complement for x < −1. */
export function logNormalDistribution(x: number): number {
  if (x < -1) return -0.5 * x * x + Math.log(0.5 * erfcx(-x * Math.SQRT1_2));
  return Math.log1p(-0.5 * erfc(x * Math.SQRT1_2));
}

/**
 * Inverse of `normalDistribution`: Φ⁻¹(p), relative error about 1e-15 for every p > 0. √2 erf⁻¹(2p − 1) for p ≥ 0.01; in the tail, where
 * that loses digits (1e-6 at p = 1e-12), Newton's iteration on log Φ from the asymptotic expansion. ±∞ at p = 1, 0; NaN outside [0, 1].
 */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p >= 0.01) return Math.SQRT2 * erfinv(2 * p - 1);
  if (!(p > 0)) return p === 0 ? -Infinity : Number.NaN;
  const logarithm = Math.log(p);
  const square = -2 * logarithm;
  let x = -Math.sqrt(square - Math.log(square) - Math.log(2 * Math.PI));
  for (let iteration = 0; iteration < 8; iteration++) {
    // Φ(x) = ½ erfcx(−x/√2) exp(−x²/2), so Φ/φ needs no exponential
    const scaled = 0.5 * erfcx(-x * Math.SQRT1_2);
    const step = (Math.log(scaled) - 0.5 * x * x - logarithm) * scaled * Math.sqrt(2 * Math.PI);
    x -= step;
    if (!(Math.abs(step) > 1e-8)) break;
  }
  return x;
}
