import { stirlingTail } from "./complex-log-gamma.js";

/**
 * log Γ(x), x > 0: recurrence to x ≥ 10, then Stirling's series. Absolute error 2e-15 for x < 10, relative a few 1e-16 above; NaN for x ≤
 * 0.
 */
export function logGamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  let product = 1;
  let z = x;
  for (; z < 10; z++) product *= z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + stirlingTail(z, 0)[0] - Math.log(product);
}

/** Digamma ψ(x) = (log Γ)′(x), x > 0: recurrence to x ≥ 10, then the asymptotic series. Absolute error a few 1e-16·max(1, |ψ|). */
export function digamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  let sum = 0;
  let z = x;
  for (; z < 10; z++) sum -= 1 / z;
  const w = 1 / (z * z);
  // Σ B_{2k}/(2k) z^{−2k}, k = 1 … 8
  const series =
    w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w * (1 / 132 - w * (691 / 32760 - w * (1 / 12 - (w * 3617) / 8160)))))));
  return sum + Math.log(z) - 0.5 / z - series;
}

/** Trigamma ψ′(x), x > 0: recurrence to x ≥ 10, then the asymptotic series. Relative error a few 1e-16. */
export function trigamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  let sum = 0;
  let z = x;
  for (; z < 10; z++) sum += 1 / (z * z);
  const w = 1 / (z * z);
  // 1/z + 1/(2z²) + Σ B_{2k} z^{−2k−1}, k = 1 … 8
  const series = 1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * (5 / 66 - w * (691 / 2730 - w * (7 / 6 - (w * 3617) / 510))))));
  return sum + 1 / z + 0.5 * w + (w / z) * series;
}
