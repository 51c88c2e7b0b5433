import type { LikelihoodFamily } from "@finitewidth/core";
import { gaussian } from "./family/gaussian.js";
import { logistic } from "./family/logistic.js";
import { poisson } from "./family/poisson.js";
import { probit } from "./family/probit.js";
import { softmax } from "./family/softmax.js";

/** The likelihoods of this package. */
export const likelihoods: readonly LikelihoodFamily[] = [gaussian, logistic, probit, softmax, poisson];
