import type { Activation } from "@finitewidth/core";
import { quadraticFourPoint } from "./four-point/polynomial.js";

/** φ(h) = h². */
export const quadratic: Activation = {
  name: "quadratic",
  summary: "φ(h) = h²: heavy-tailed kernels, even, closed forms of every order.",
  odd: false,
  smooth: true,
  bounded: false,
  degree: 2,
  value: (h) => h * h,
  derivative: (h) => 2 * h,
  secondDerivative: () => 2,
  moments: {
    kernel: (a, c, b) => a * b + 2 * c * c,
    kernelSlope: (_a, c) => 4 * c,
    kernelCurvature: (_a, _c, b) => 2 * b,
    diagonal: (k) => 3 * k * k,
    diagonalSlope: (k) => 6 * k,
    diagonalCurvature: () => 6,
    mean: (k) => k,
    slope: () => 0,
    fourth: (k) => 105 * k ** 4,
    fourthOrder: () => ({ d40: 0, d31: 0, d22: 4, d13: 0, d04: 0 }),
    fourPoint: quadraticFourPoint,
  },
};
