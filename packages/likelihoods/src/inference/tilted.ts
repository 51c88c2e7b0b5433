import type { ScalarObservation } from "@finitewidth/core";
import { gaussLegendre, newtonRoot } from "@finitewidth/numerics";

/** [log mass, mean, variance] of N(f | m, v) p(y | f) in f. */
export type TiltedMoments = readonly [logMass: number, mean: number, variance: number];

/** Mode of ℓ(f) − (f − m)²/2v for a concave ℓ, and minus the second derivative there. */
function tiltedMode(
  gradient: (f: number) => number,
  curvature: (f: number) => number,
  mean: number,
  variance: number,
  tolerance: number,
): readonly [mode: number, precision: number] {
  const slope = (f: number): number => (f - mean) / variance - gradient(f);
  const up = slope(mean) < 0;
  let reach = Math.sqrt(variance);
  while (up ? slope(mean + reach) < 0 : slope(mean - reach) > 0) reach *= 2;
  const { root } = newtonRoot(
    (f) => ({ value: slope(f), slope: 1 / variance + curvature(f) }),
    up ? mean : mean - reach,
    up ? mean + reach : mean,
    { tolerance, start: mean },
  );
  return [root, 1 / variance + curvature(root)];
}

const rule = gaussLegendre(20);
const negligible = 40;

/**
 * Moments of a tilted density for any log-concave p(y | f) with features on the scale τ: Gauss–Legendre with 20 nodes on 12 panels, broken
 * at the mode, mode ± 4/√H, ± 3√v, ± 9√v and ± 3τ, ± 10τ, ± 30τ. All mass lies within 9√v of the mode, because −(log density)″ ≥ 1/v. Error
 * about 1e-11 for v/τ² = 1 … 10⁴. Gauss–Hermite nodes at the mode fail for v > 30 τ². Cost: 240 densities.
 */
export function panelMoments(observation: ScalarObservation, point: number, mean: number, variance: number, scale: number): TiltedMoments {
  const [mode, precision] = tiltedMode(
    (f) => observation.gradient(point, f),
    (f) => observation.curvature(point, f),
    mean,
    variance,
    1e-8,
  );
  const wide = Math.sqrt(variance);
  const narrow = 1 / Math.sqrt(precision);
  const [from, to] = [mode - 9 * wide, mode + 9 * wide];
  const breaks = [-30, -10, -3, 3, 10, 30].map((k) => k * scale);
  for (const k of [-1, 0, 1]) breaks.push(mode + 9 * k * wide);
  for (const k of [-1, 1]) breaks.push(mode + 3 * k * wide, mode + 4 * k * narrow);
  const sorted = Float64Array.from(breaks, (at) => Math.min(Math.max(at, from), to)).sort();
  const exponent = (f: number): number => observation.logDensity(point, f) - (0.5 * (f - mean) ** 2) / variance;
  const top = exponent(mode);
  let [mass, first, second] = [0, 0, 0];
  for (let panel = 0; panel + 1 < sorted.length; panel++) {
    const half = 0.5 * (sorted[panel + 1]! - sorted[panel]!);
    if (half === 0) continue;
    for (let k = 0; k < rule.nodes.length; k++) {
      const offset = sorted[panel]! + half * (1 + rule.nodes[k]!) - mode;
      const weight = half * rule.weights[k]! * Math.exp(exponent(mode + offset) - top);
      mass += weight;
      first += weight * offset;
      second += weight * offset * offset;
    }
  }
  const shift = first / mass;
  return [top + Math.log(mass) - 0.5 * Math.log(2 * Math.PI * variance), mode + shift, second / mass - shift * shift];
}

/** What the trapezoidal rule needs to know of one latent output. */
export interface SmoothLink {
  logDensity(y: number, z: number): number;
  gradient(y: number, z: number): number;
  curvature(y: number, z: number): number;
}

/**
 * The same moments for a link whose density is analytic in |Im z| < π, such as the logistic one: the trapezoidal rule with step min(½,
 * 0.7√v), error e⁻³⁰ or less, from the mode outwards until the density has fallen by e⁻⁴⁰. Fewer nodes than panels up to v of about 100,
 * panels beyond. About 25 densities up to v = ½, 200 at v = 100, and a few to find the mode.
 */
export function trapezoidMoments(link: SmoothLink, y: number, mean: number, variance: number): TiltedMoments {
  if (variance > 100) {
    const observation: ScalarObservation = {
      logDensity: (_, z) => link.logDensity(y, z),
      gradient: (_, z) => link.gradient(y, z),
      curvature: (_, z) => link.curvature(y, z),
    };
    return panelMoments(observation, 0, mean, variance, 1);
  }
  const [mode] = tiltedMode(
    (z) => link.gradient(y, z),
    (z) => link.curvature(y, z),
    mean,
    variance,
    1e-2,
  );
  const step = Math.min(0.5, 0.7 * Math.sqrt(variance));
  const exponent = (z: number): number => link.logDensity(y, z) - (0.5 * (z - mean) ** 2) / variance;
  const top = exponent(mode);
  let [mass, first, second] = [1, 0, 0];
  for (const sign of [-1, 1]) {
    for (let k = 1; ; k++) {
      const offset = sign * k * step;
      const fall = exponent(mode + offset) - top;
      if (fall < -negligible) break;
      const weight = Math.exp(fall);
      mass += weight;
      first += weight * offset;
      second += weight * offset * offset;
    }
  }
  const shift = first / mass;
  return [top + Math.log(mass * step) - 0.5 * Math.log(2 * Math.PI * variance), mode + shift, second / mass - shift * shift];
}
