import { inputError, nonNegativeNumber, strictObject, type Likelihood, type LikelihoodFamily } from "@finitewidth/core";
import { requireEntries } from "./targets.js";

const parameters = strictObject({ temperature: nonNegativeNumber });

/**
 * y = f + ε, ε ~ N(0, T) in every column. T = 0 is a likelihood for theories that condition on f = Y; it has no density and `observe`
 * refuses it. @throws FinitewidthError (code "input") unless T ≥ 0.
 */
export function gaussianLikelihood(temperature: number): Likelihood {
  if (!(temperature >= 0 && Number.isFinite(temperature))) throw inputError("likelihood.temperature", "a number ≥ 0", temperature);
  const check: Likelihood["check"] = (targets, path = "targets") => requireEntries(targets, path, "a finite number", Number.isFinite);
  return {
    name: "gaussian",
    scale: 1,
    noise: temperature,
    latents: (columns) => columns,
    classes: () => undefined,
    contrasts: () => undefined,
    check,
    observe: (targets) => {
      check(targets);
      if (temperature === 0) throw inputError("likelihood.temperature", "a positive number where the noise needs a density", temperature);
      const [points, latents] = targets.shape;
      const y = targets.data;
      const constant = -0.5 * Math.log(2 * Math.PI * temperature);
      return {
        points,
        latents,
        evaluate: (f, out = {}) => {
          let total = 0;
          out.perPoint?.fill(0);
          out.curvature?.fill(0);
          for (let i = 0; i < y.length; i++) {
            const [point, column] = [Math.floor(i / latents), i % latents];
            const value = constant - (0.5 * (y[i]! - f[i]!) ** 2) / temperature;
            total += value;
            if (out.perPoint) out.perPoint[point]! += value;
            if (out.gradient) out.gradient[i] = (y[i]! - f[i]!) / temperature;
            if (out.curvature) out.curvature[(point * latents + column) * latents + column] = 1 / temperature;
          }
          return total;
        },
        curvatureSlope: (_f, _contraction, out) => void out.fill(0),
        ...(latents === 1
          ? {
              scalar: {
                logDensity: (i: number, f: number) => constant - (0.5 * (y[i]! - f) ** 2) / temperature,
                gradient: (i: number, f: number) => (y[i]! - f) / temperature,
                curvature: () => 1 / temperature,
                tilted: (i: number, mean: number, variance: number) => {
                  const total = variance + temperature;
                  const gain = variance / total;
                  const error = y[i]! - mean;
                  return [
                    -0.5 * (Math.log(2 * Math.PI * total) + (error * error) / total),
                    mean + gain * error,
                    gain * temperature,
                  ] as const;
                },
              },
            }
          : {}),
      };
    },
  };
}

/** Family `gaussian`: squared loss. */
export const gaussian: LikelihoodFamily<{ readonly temperature: number }> = {
  name: "gaussian",
  summary: "Numbers with Gaussian noise of variance T (squared loss).",
  schema: parameters,
  create: ({ temperature }) => gaussianLikelihood(temperature),
};
