import { reluArrays, reluValue } from "./array-activation.js";
import type { Activation } from "@finitewidth/core";
import { reluFourPoint } from "./four-point/relu.js";
import { coincident, productOrZero, rootDeterminant, rootOfProduct } from "./pair-geometry.js";

/**
 * φ(h) = max(h, 0), derivative ½ at 0. With θ the angle between the inputs, ψ = π − θ. Source: Cho and Saul (2009);
 * docs/theories/effective-action.md, "Kernels".
 */
export const relu: Activation = {
  name: "relu",
  summary: "φ(h) = max(h, 0): homogeneous of degree 1.",
  odd: false,
  smooth: false,
  bounded: false,
  degree: 1,
  value: reluValue,
  derivative: (h) => (h > 0 ? 1 : h < 0 ? 0 : 0.5),
  secondDerivative: () => 0,
  arrays: reluArrays,
  moments: {
    kernel(a, c, b) {
      const s = rootDeterminant(a, c, b);
      const psi = supplement(s, c);
      if (psi >= 0.5) return (s + psi * c) / (2 * Math.PI);
      // sin ψ − ψ cos ψ by its series: the two terms cancel near correlation −1
      const p = psi * psi;
      const series = 1 - (p / 10) * (1 - (p / 28) * (1 - (p / 54) * (1 - (p / 88) * (1 - p / 130))));
      return (rootOfProduct(a, b) * psi * p * series) / (6 * Math.PI);
    },
    kernelSlope: (a, c, b) => (coincident(a, c, b) ? 0.5 : supplement(rootDeterminant(a, c, b), c) / (2 * Math.PI)),
    kernelCurvature: (a, c, b) => (a === 0 || coincident(a, c, b) ? 0 : rootDeterminant(a, c, b) / (2 * Math.PI * a)),
    diagonal: (k) => 0.5 * k,
    diagonalSlope: () => 0.5,
    diagonalCurvature: () => 0,
    mean: (k) => Math.sqrt(k / (2 * Math.PI)),
    slope: () => 0.5,
    meanSlope: (a, c, b) => (Math.sqrt(b) + (a > 0 ? c / Math.sqrt(a) : 0)) / (2 * Math.sqrt(2 * Math.PI)),
    fourth: (k) => 1.5 * k * k,
    fourthOrder(a, c, b) {
      const s = rootDeterminant(a, c, b);
      const q = 1 / (2 * Math.PI * s);
      const odd = (x: number): number => (c === 0 ? 0 : -q * (c / x));
      const even = (x: number, y: number): number => (x === 0 ? 0 : productOrZero(q, (y - (2 * s * s) / x) / x));
      return { d40: even(a, b), d31: odd(a), d22: q, d13: odd(b), d04: even(b, a) };
    },
    fourPoint: reluFourPoint,
  },
};

/** ψ = π − θ in [0, π]: atan2, not acos, whose argument rounding can put above 1. Orthogonal (or zero) inputs: π/2. */
function supplement(s: number, c: number): number {
  return c === 0 ? 0.5 * Math.PI : Math.atan2(s, -c);
}
