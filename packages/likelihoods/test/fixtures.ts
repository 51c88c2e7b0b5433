import { matrixFromRows, type Likelihood, type Matrix } from "@finitewidth/core";
import { logisticLikelihood, poissonLikelihood, probitLikelihood, softmaxLikelihood } from "../src/index.js";

/** Fixtures write NaN as null. */
export type Labels = readonly (number | null)[] | readonly (readonly (number | null)[])[];

export interface FixtureFile<Inputs, Expected> {
  readonly cases: readonly { readonly inputs: Inputs; readonly expected: Expected }[];
  readonly tolerance: { readonly [name: string]: number };
}

export function likelihoodOf(name: string, tau = 1, contrasts = true): Likelihood {
  if (name === "logistic") return logisticLikelihood(tau);
  if (name === "probit") return probitLikelihood(tau);
  if (name === "poisson") return poissonLikelihood(tau);
  if (name === "softmax") return softmaxLikelihood(tau, { contrasts });
  throw new Error(`no likelihood ${name}`);
}

export const labelsOf = (y: Labels): Matrix =>
  matrixFromRows(y.map((row) => (Array.isArray(row) ? row : [row]).map((value) => (value as number | null) ?? Number.NaN)));

export const rows = matrixFromRows;
