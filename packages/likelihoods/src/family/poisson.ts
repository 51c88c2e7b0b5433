import type { Likelihood, LikelihoodFamily } from "@finitewidth/core";
import { logGamma } from "@finitewidth/numerics";
import { linkParameters, requireScale, type LinkParameters } from "./parameters.js";
import { scalarLikelihood, type ScalarLink } from "./scalar.js";
import { requireEntries, requireOneColumn } from "./targets.js";

const link: ScalarLink = {
  logDensity: (y, z) => y * z - Math.exp(z) - logGamma(y + 1),
  gradient: (y, z) => y - Math.exp(z),
  curvature: (_y, z) => Math.exp(z),
  slope: (_y, z) => Math.exp(z),
};

/** Counts y ~ Poisson(e^{f/τ}). @throws FinitewidthError (code "input") unless τ > 0. */
export const poissonLikelihood = (scale = 1): Likelihood =>
  scalarLikelihood("poisson", requireScale(scale), link, {
    classes: () => undefined,
    check: (targets, path = "targets") => {
      requireOneColumn(targets, "poisson", path);
      requireEntries(targets, path, "a count, an integer ≥ 0", (value) => Number.isSafeInteger(value) && value >= 0);
    },
  });

/** Family `poisson`. */
export const poisson: LikelihoodFamily<LinkParameters> = {
  name: "poisson",
  summary: "Counts 0, 1, 2 …: Poisson of rate e^{f/τ}.",
  schema: linkParameters,
  create: ({ scale }) => poissonLikelihood(scale),
};
