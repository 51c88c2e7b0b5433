import type { Activation } from "@finitewidth/core";
import { signFourPoint } from "./four-point/sign.js";
import { sign } from "./sign.js";

/** φ(h) = ½(1 + sgn h), ½ at 0. Every moment follows from those of `sign`, whose odd moments vanish. */
export const step: Activation = {
  name: "step",
  summary: "φ(h) = ½(1 + sgn h): threshold units with a mean.",
  odd: false,
  smooth: false,
  bounded: true,
  degree: 0,
  value: (h) => 0.5 * (1 + sign.value(h)),
  derivative: () => 0,
  moments: {
    kernel: (a, c, b, gap) => 0.25 * (1 + sign.moments.kernel(a, c, b, gap)),
    gap: (a, c, b, gap) => {
      if (!(a > 0 && b > 0)) return a > 0 || b > 0 ? Math.SQRT1_2 / 2 - 0.25 : 0;
      const below = sign.moments.gap!(a, c, b, gap);
      return 0.25 * (c < 0 ? 2 - below : below);
    },
    kernelSlope: (a, c, b) => 0.25 * sign.moments.kernelSlope(a, c, b),
    kernelCurvature: (a, c, b) => 0.25 * sign.moments.kernelCurvature(a, c, b),
    diagonal: (k) => (k > 0 ? 0.5 : 0.25),
    diagonalSlope: () => 0,
    diagonalCurvature: () => 0,
    mean: () => 0.5,
    slope: (k) => 1 / Math.sqrt(2 * Math.PI * k),
    meanSlope: (a) => 0.5 / Math.sqrt(2 * Math.PI * a),
    fourth: (k) => (k > 0 ? 0.5 : 1 / 16),
    fourthOrder(a, c, b) {
      const { d40, d31, d22, d13, d04 } = sign.moments.fourthOrder(a, c, b);
      return { d40: 0.25 * d40, d31: 0.25 * d31, d22: 0.25 * d22, d13: 0.25 * d13, d04: 0.25 * d04 };
    },
    fourPoint(covariance) {
      let sum = 1 + signFourPoint(covariance);
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < i; j++) sum += sign.moments.kernel(covariance[5 * i]!, covariance[4 * i + j]!, covariance[5 * j]!);
      }
      return sum / 16;
    },
  },
};
