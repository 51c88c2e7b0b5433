import type { Activation } from "@finitewidth/core";
import { normalDensity, normalDistribution } from "@finitewidth/numerics";
import { rootDeterminant } from "./pair-geometry.js";
import { completeMoments } from "./quadrature/complete-moments.js";
import type { ActivationFunction } from "./quadrature/function.js";

const twoPi = 2 * Math.PI;

/** φ, its derivatives, and E (m + x)Φ(m + x), x ~ N(0, v): with w = √(1 + v), m Φ(m/w) + (v/w) p(m/w). */
export const geluFunction: ActivationFunction = {
  value: (h) => h * normalDistribution(h),
  derivative: (h) => normalDistribution(h) + h * normalDensity(h),
  secondDerivative: (h) => (2 - h * h) * normalDensity(h),
  thirdDerivative: (h) => h * (h * h - 4) * normalDensity(h),
  fourthDerivative: (h) => (-4 + h * h * (7 - h * h)) * normalDensity(h),
  conditionalMean(mean, variance) {
    const w = Math.sqrt(1 + variance);
    return mean * normalDistribution(mean / w) + (variance / w) * normalDensity(mean / w);
  },
  odd: false,
  analyticRadius: Math.PI / 2,
  saturates: true,
};

/**
 * φ(h) = h Φ(h), Φ the standard normal distribution function (the exact GELU). Two-point functions in closed form, the others by
 * quadrature.
 */
export const gelu: Activation = {
  name: "gelu",
  summary: "φ(h) = h Φ(h), the exact Gaussian error linear unit.",
  odd: false,
  smooth: true,
  bounded: false,
  value: geluFunction.value,
  derivative: geluFunction.derivative,
  secondDerivative: (h) => (2 - h * h) * normalDensity(h),
  moments: completeMoments(geluFunction, {
    kernel(a, c, b) {
      // r² = ab − c² without cancellation, which at correlation ±1 and large variances would be all that is left; no product overflows
      const r = rootDeterminant(a, c, b);
      const root = Math.hypot(Math.sqrt(1 + a + b), r);
      return c * orthant(c, root) + (r * (r / root) + c * ((c / (1 + a) + c / (1 + b)) / root)) / twoPi;
    },
    kernelSlope: slope,
    kernelCurvature: curvature,
    diagonal: (k) => {
      const root = Math.sqrt(1 + 2 * k);
      return k * orthant(k, root) + (2 * k * k) / ((1 + k) * twoPi * root);
    },
    diagonalSlope: (k) => slope(k, k, k) + curvature(k, k, k),
    diagonalCurvature(k) {
      const { d40, d31, d22 } = fourthOrder(k, k, k);
      return 0.5 * d40 + 2 * d31 + 1.5 * d22;
    },
    mean: (k) => k / Math.sqrt(twoPi * (1 + k)),
    slope: () => 0.5,
    fourthOrder,
  }),
};

/** P(z1 > 0, z2 > 0) for the noisy pair: ¼ + asin(c/√((1+a)(1+b)))/2π. */
function orthant(c: number, root: number): number {
  return 0.25 + Math.atan2(c, root) / twoPi;
}

function slope(a: number, c: number, b: number): number {
  const D = 1 + a + b + rootDeterminant(a, c, b) ** 2;
  const root = Math.sqrt(D);
  return orthant(c, root) + (c / (1 + a) + c / (1 + b) + c / D) / (twoPi * root);
}

/** E (2 − x²)p(x) yΦ(y), p the normal density: Stein's identity under the Gaussian tilted by p(x), then by p(x)p(y). */
function curvature(a: number, c: number, b: number): number {
  const A = 1 + a;
  const s2 = rootDeterminant(a, c, b) ** 2;
  const D = A + b + s2;
  return (((b + s2) / A) * (2 - (a + s2) / D) - 2 * (c / A) ** 2) / (twoPi * Math.sqrt(D));
}

/** The same technique for (x³ − 4x)p, (−x⁴ + 7x² − 4)p; S = C(1 + C)⁻¹ is the covariance tilted by p(x)p(y). */
function fourthOrder(a: number, c: number, b: number): { d40: number; d31: number; d22: number; d13: number; d04: number } {
  const s2 = rootDeterminant(a, c, b) ** 2;
  const D = 1 + a + b + s2;
  const scale = 1 / (twoPi * Math.sqrt(D));
  const sxy = c / D;
  const side = (x: number, y: number): { four: number; three: number; tilted: number } => {
    const X = 1 + x;
    const [s, t, v, tilted] = [x / X, c / X, (y + s2) / X, (x + s2) / D];
    return {
      four: scale * (v * (-3 * tilted * tilted + 7 * tilted - 4) + t * t * (14 - 8 * s - 4 * tilted)),
      three: scale * (t * (2 * s + tilted - 4) + 3 * tilted * sxy - 4 * sxy),
      tilted,
    };
  };
  const [first, other] = [side(a, b), side(b, a)];
  const d22 = scale * (4 - 2 * first.tilted - 2 * other.tilted + first.tilted * other.tilted + 2 * sxy * sxy);
  return { d40: first.four, d31: first.three, d22, d13: other.three, d04: other.four };
}
