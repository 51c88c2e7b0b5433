import { erfArrays } from "./array-activation.js";
import type { Activation } from "@finitewidth/core";
import { erf as errorFunction } from "@finitewidth/numerics";
import { erfFourPoint } from "./four-point/sign.js";
import { rootDeterminant } from "./pair-geometry.js";

/** φ(h) = erf h. Source: Williams (1997); docs/theories/effective-action.md, "Kernels". */
export const erf: Activation = {
  name: "erf",
  summary: "φ(h) = erf h: bounded, odd, every kernel in closed form.",
  odd: true,
  smooth: true,
  bounded: true,
  value: errorFunction,
  derivative: (h) => (2 / Math.sqrt(Math.PI)) * Math.exp(-h * h),
  secondDerivative: (h) => (-4 / Math.sqrt(Math.PI)) * h * Math.exp(-h * h),
  criticalVariance: (weightVariance) => ((4 * weightVariance) / Math.PI) ** 2 / 4 - 0.25,
  arrays: erfArrays,
  moments: {
    kernel: (a, c, b) => (2 / Math.PI) * Math.atan2(2 * c, root(a, c, b)),
    kernelSlope: slope,
    kernelCurvature: (a, c, b) => (-2 * c * slope(a, c, b)) / (1 + 2 * a),
    diagonal: (k) => (2 / Math.PI) * Math.atan2(2 * k, Math.sqrt(1 + 4 * k)),
    diagonalSlope,
    diagonalCurvature: (k) => -diagonalSlope(k) * (2 / (1 + 2 * k) + 2 / (1 + 4 * k)),
    mean: () => 0,
    slope: (k) => 2 / Math.sqrt(Math.PI * (1 + 2 * k)),
    fourth: (k) => erfFourPoint(new Float64Array(16).fill(k)),
    fourthOrder(a, c, b) {
      const [A, B] = [1 + 2 * a, 1 + 2 * b];
      const D = root(a, c, b) ** 2;
      const g = slope(a, c, b);
      return {
        d40: (4 * g * c * (B / D + 2 / A)) / A,
        d31: (-2 * g * B) / D,
        d22: (4 * g * c) / D,
        d13: (-2 * g * A) / D,
        d04: (4 * g * c * (A / D + 2 / B)) / B,
      };
    },
    fourPoint: erfFourPoint,
  },
};

/** √((1 + 2a)(1 + 2b) − 4c²). */
function root(a: number, c: number, b: number): number {
  const D = rootDeterminant(a, c, b);
  const square = 1 + 2 * a + 2 * b + 4 * D ** 2;
  return square < Infinity ? Math.sqrt(square) : 2 * Math.hypot(Math.sqrt(0.25 + 0.5 * a + 0.5 * b), D);
}

function slope(a: number, c: number, b: number): number {
  return 4 / (Math.PI * root(a, c, b));
}

function diagonalSlope(k: number): number {
  return 4 / (Math.PI * (1 + 2 * k) * Math.sqrt(1 + 4 * k));
}
