import { identityArrays, identityValue } from "./array-activation.js";
import type { Activation } from "@finitewidth/core";
import { isserlisFourPoint } from "./four-point/polynomial.js";

/** φ(h) = h. */
export const identity: Activation = {
  name: "identity",
  summary: "φ(h) = h: deep linear networks, solved exactly at any width.",
  odd: true,
  smooth: true,
  bounded: false,
  linear: true,
  degree: 1,
  value: identityValue,
  derivative: () => 1,
  secondDerivative: () => 0,
  arrays: identityArrays,
  moments: {
    kernel: (_a, c) => c,
    kernelSlope: () => 1,
    kernelCurvature: () => 0,
    diagonal: (k) => k,
    diagonalSlope: () => 1,
    diagonalCurvature: () => 0,
    mean: () => 0,
    slope: () => 1,
    fourth: (k) => 3 * k * k,
    fourthOrder: () => ({ d40: 0, d31: 0, d22: 0, d13: 0, d04: 0 }),
    fourPoint: isserlisFourPoint,
  },
};
