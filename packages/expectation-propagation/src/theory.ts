import type { Theory } from "@finitewidth/core";
import { claimsOf } from "./claims.js";
import { fitExpectationPropagation, predictExpectationPropagation, theoryName } from "./fit.js";
import { expectationPropagationOptions, type ExpectationPropagationOptions } from "./options.js";
import { refusalOf } from "./problem.js";
import type { ExpectationPropagationState } from "./state.js";

/**
 * Expectation propagation over the dual field of the labels: one hidden layer, one output, any continuous activation of at most linear
 * growth, any width and load. Single units are exact, the field that they share is Gaussian, and a unit that takes the labels is treated
 * apart from the others. Source: docs/theories/expectation-propagation.md.
 */
export const expectationPropagation: Theory<ExpectationPropagationOptions, ExpectationPropagationState> = {
  name: theoryName,
  summary: "Strong labels: single units exact, the field they share Gaussian, a specialised unit apart (one hidden layer, one output).",
  options: expectationPropagationOptions,
  refuses: (problem, _options, registry) => refusalOf(problem, registry),
  fit: fitExpectationPropagation,
  predict: async (posterior, inputs, want, run) => predictExpectationPropagation(posterior, inputs, want, run),
  claims: claimsOf,
};
