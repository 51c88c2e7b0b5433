import type { Activation } from "@finitewidth/core";
import { signFourPoint } from "./four-point/sign.js";
import { productOrZero, rootDeterminant } from "./pair-geometry.js";

/** φ(h) = sgn h, sgn 0 = 0. Derivatives of the kernel diverge (±∞) at correlation ±1. */
export const sign: Activation = {
  name: "sign",
  summary: "φ(h) = sgn h: binary units; the kernel is not differentiable at duplicate inputs.",
  odd: true,
  smooth: false,
  bounded: true,
  degree: 0,
  value: (h) => (h > 0 ? 1 : h < 0 ? -1 : 0),
  derivative: () => 0,
  moments: {
    kernel: (a, c, b, gap) => (a > 0 && b > 0 ? (2 / Math.PI) * Math.atan2(c, rootDeterminant(a, c, b, gap)) : 0),
    gap: (a, c, b, gap) => (a > 0 && b > 0 ? (2 / Math.PI) * Math.atan2(rootDeterminant(a, c, b, gap), Math.abs(c)) : 0),
    kernelSlope: signSlope,
    kernelCurvature: (a, c, b) => (c === 0 ? 0 : -(c / a) * signSlope(a, c, b)),
    diagonal: (k) => (k > 0 ? 1 : 0),
    diagonalSlope: () => 0,
    diagonalCurvature: () => 0,
    mean: () => 0,
    slope: (k) => Math.sqrt(2 / (Math.PI * k)),
    fourth: (k) => (k > 0 ? 1 : 0),
    fourthOrder(a, c, b) {
      const g = signSlope(a, c, b);
      const s2 = rootDeterminant(a, c, b) ** 2;
      const odd = (x: number, y: number): number => (c === 0 ? 0 : g * (c / x) * (y / s2 + 2 / x));
      return {
        d40: odd(a, b),
        d31: -productOrZero(g / s2, b),
        d22: productOrZero(g / s2, c),
        d13: -productOrZero(g / s2, a),
        d04: odd(b, a),
      };
    },
    fourPoint: signFourPoint,
  },
};

function signSlope(a: number, c: number, b: number): number {
  return 2 / (Math.PI * rootDeterminant(a, c, b));
}
