import type { LikelihoodFamily, Plugin } from "@finitewidth/core";
import { gaussian } from "./family/gaussian.js";
import { logistic } from "./family/logistic.js";
import { poisson } from "./family/poisson.js";
import { probit } from "./family/probit.js";
import { softmax } from "./family/softmax.js";
import { classificationSection } from "./scores/report-section.js";
import { sampleLatentIsland } from "./posterior/island.js";

/** The likelihoods of this package. */
export const likelihoods: readonly LikelihoodFamily[] = [gaussian, logistic, probit, softmax, poisson];

/** The package as a plug-in. */
export const plugin: Plugin = {
  name: "@finitewidth/likelihoods",
  module: import.meta.url,
  likelihoods,
  reportSections: [classificationSection],
  tasks: [sampleLatentIsland],
};
