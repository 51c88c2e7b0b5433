import { plugin as activations } from "@finitewidth/activations";
import type { Plugin } from "@finitewidth/core";
import { plugin as expectationPropagation } from "@finitewidth/expectation-propagation";
import { plugin as largeDeviations } from "@finitewidth/large-deviations";
import { plugin as likelihoods } from "@finitewidth/likelihoods";
import { plugin as monteCarlo } from "@finitewidth/monte-carlo";
import { plugin as perturbation } from "@finitewidth/perturbation";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorAttention } from "@finitewidth/prior-attention";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as priorSequential } from "@finitewidth/prior-sequential";
import { plugin as observables } from "./observables.js";

/** All plug-ins of this project: what the command line offers and the verification suite checks. */
export const standardPlugins: readonly Plugin[] = [
  activations,
  likelihoods,
  priorFc,
  priorConv,
  priorAttention,
  priorSequential,
  posterior,
  largeDeviations,
  expectationPropagation,
  perturbation,
  monteCarlo,
  observables,
];
