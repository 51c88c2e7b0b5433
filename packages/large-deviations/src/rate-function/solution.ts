import type { Json, Matrix, SolverReport } from "@finitewidth/core";

/** What the minimisers hand to predictions and reports; mixing matrices contain the variances of their layers. */
export interface Solution {
  /** M_1 … M_L at the global minimum. */
  readonly mixing: readonly Matrix[];
  /** Changes of M_1, M_2 … (as many as matter to the covariance) that make up N times its covariance; empty when unknown. */
  readonly spread: readonly (readonly Matrix[])[];
  readonly action: number;
  /** All local minima found, lowest first: the action and M_1. */
  readonly minima: readonly { readonly action: number; readonly mixing: Matrix }[];
  readonly solver: SolverReport;
  readonly logEvidence?: number;
  readonly diagnostics: { readonly [key: string]: Json };
}
