import { digamma, trigamma } from "../special/gamma.js";
import type { PositiveFactor } from "./factor.js";
import { logGammaRatio } from "./log-gamma-ratio.js";

/** x ~ Gamma(shape a, mean m): E x^z = (m/a)^z Γ(a + z)/Γ(a). A layer of width n gives a = n/2. */
export function gammaFactor(shape: number, mean: number): PositiveFactor {
  const logMean = Math.log(mean);
  const ratio = logGammaRatio(shape);
  return {
    pole: shape,
    slopes: (c) => ({ mean: logMean + digamma(shape + c) - Math.log(shape), variance: trigamma(shape + c) }),
    line: (c) => {
      const top = ratio(c, 0)[0];
      return {
        at: (t) => {
          const value = ratio(c, t);
          return [value[0] + c * logMean, value[1] + t * logMean];
        },
        bound: (t) => ratio(c, t)[0] - top,
      };
    },
  };
}

/** x = exp(m + √v g), g ~ N(0, 1): log E x^z = m z + v z²/2. */
export function logNormalFactor(mean: number, variance: number): PositiveFactor {
  return {
    pole: Infinity,
    slopes: (c) => ({ mean: mean + variance * c, variance }),
    line: (c) => ({
      at: (t) => [mean * c + 0.5 * variance * (c * c - t * t), mean * t + variance * c * t],
      bound: (t) => -0.5 * variance * t * t,
    }),
  };
}
