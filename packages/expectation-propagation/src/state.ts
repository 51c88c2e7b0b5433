import { columnVector, type Matrix, type Posterior } from "@finitewidth/core";
import type { ExpectationPropagationOptions } from "./options.js";
import type { BranchDraws, WeightedBranch } from "./mixture.js";
import type { SampledGroup } from "./prediction.js";

/** A group of units as tensors. */
export interface GroupState {
  /** r: P × 1. */
  readonly fieldMean: Matrix;
  /** R: P × P. */
  readonly fieldCovariance: Matrix;
  /** Draws: S × d. */
  readonly units: Matrix;
  /** Of the draws: S × 1, where they are not equal. */
  readonly weights?: Matrix;
}

/** What predictions read: the coordinates of a unit, and draws of the units of every branch. */
export interface ExpectationPropagationState {
  readonly features: Matrix;
  readonly projection: Matrix;
  readonly seed: number;
  readonly branches: readonly {
    readonly probability: number;
    readonly bulk: GroupState;
    readonly block?: GroupState & { readonly odds: number; readonly logNormaliser: number };
  }[];
}

export type ExpectationPropagationPosterior = Posterior<ExpectationPropagationOptions, ExpectationPropagationState>;

const groupState = ({ field, units, weights }: SampledGroup, dimension: number): GroupState => ({
  fieldMean: columnVector(field.mean),
  fieldCovariance: field.covariance,
  units: { data: units, shape: [units.length / dimension, dimension] },
  ...(weights === undefined ? {} : { weights: columnVector(weights) }),
});

const sampledGroup = ({ fieldMean, fieldCovariance, units, weights }: GroupState): SampledGroup => ({
  field: { mean: fieldMean.data, covariance: fieldCovariance },
  units: units.data,
  ...(weights === undefined ? {} : { weights: weights.data }),
});

export const branchState = (
  { bulk, block, probability }: BranchDraws & { readonly probability: number },
  dimension: number,
): ExpectationPropagationState["branches"][number] => ({
  probability,
  bulk: groupState(bulk, dimension),
  ...(block === undefined ? {} : { block: { ...groupState(block, dimension), ...block.odds } }),
});

export const weightedBranches = ({ branches }: ExpectationPropagationState): readonly WeightedBranch[] =>
  branches.map(({ probability, bulk, block }) => ({
    probability,
    bulk: sampledGroup(bulk),
    ...(block === undefined ? {} : { block: { ...sampledGroup(block), odds: { odds: block.odds, logNormaliser: block.logNormaliser } } }),
  }));
