import type { ScenarioFamily } from "../scenario-family.js";
import { attentionAndResidual } from "./attention-and-residual.js";
import { effectiveAction } from "./effective-action.js";
import { expectationPropagation } from "./expectation-propagation.js";
import { forwardBackward } from "./forward-backward.js";
import { linear } from "./linear.js";
import { perturbative } from "./perturbative.js";
import { samplers } from "./samplers.js";

/**
 * Small networks on which every theory is checked. Widths of 2 to 5 make finite-width effects large; variances differ from 1 so that a
 * wrong one shows.
 */
export const scenarios: readonly ScenarioFamily[] = [
  ...linear,
  ...attentionAndResidual,
  ...perturbative,
  ...effectiveAction,
  ...expectationPropagation,
  ...forwardBackward,
  ...samplers,
];
