import type { Likelihood, LikelihoodFamily } from "@finitewidth/core";
import { logNormalDistribution, normalDistribution } from "@finitewidth/numerics";
import { binary } from "./logistic.js";
import { mills } from "./mills.js";
import { linkParameters, requireScale, type LinkParameters } from "./parameters.js";
import { scalarLikelihood, type ScalarLink } from "./scalar.js";
import { checkSigns, signLabels, signTargets } from "./targets.js";

const link: ScalarLink = {
  logDensity: (y, z) => logNormalDistribution(y * z),
  gradient: (y, z) => y * mills(y * z).ratio,
  curvature: (y, z) => mills(y * z).curvature,
  slope: (y, z) => y * mills(y * z).slope,
  // closed: with s² = 1 + v and z = ym/s, Φ(z), m + yvh/s, v − v²W/s²
  tilted: (y, mean, variance) => {
    const s = Math.sqrt(1 + variance);
    const z = (y * mean) / s;
    const { ratio, curvature } = mills(z);
    return [logNormalDistribution(z), mean + (y * variance * ratio) / s, variance - (variance * variance * curvature) / (s * s)];
  },
};

/** p(y | f) = Φ(y f/τ), y = ±1: the sign of f + Gaussian noise of variance τ². @throws FinitewidthError (code "input") unless τ > 0. */
export const probitLikelihood = (scale = 1): Likelihood =>
  scalarLikelihood("probit", requireScale(scale), link, {
    classes: () => 2,
    check: (targets, path = "targets") => checkSigns(targets, "probit", path),
    labels: signLabels,
    encode: signTargets,
    probabilities: (latents) => binary(latents.data, (f) => [normalDistribution(-f / scale), normalDistribution(f / scale)]),
  });

/** Family `probit`. */
export const probit: LikelihoodFamily<LinkParameters> = {
  name: "probit",
  summary: "Two classes −1 and +1: the sign of f + Gaussian noise of variance τ².",
  schema: linkParameters,
  create: ({ scale }) => probitLikelihood(scale),
};
