import { zeros, type Matrix } from "@finitewidth/core";
import { combine } from "@finitewidth/linalg";
import type { Setting } from "./branch.js";
import { fieldOfUnits, fieldWithUnit } from "./cavity.js";
import { logEvidenceOfUnits, logNormaliserFromTilts } from "./evidence.js";
import type { UnitOdds } from "./odds.js";
import { coefficientOptions, predictBranch, type RowPrediction, type SampledGroup, type TestRows } from "./prediction.js";
import {
  alignmentsOf,
  createUnitEvaluator,
  momentCoefficients,
  unitStates,
  type Field,
  type UnitMoments,
  type UnitStates,
} from "./unit.js";

/** Draws of the aligned unit, and how its unrestricted measure divides at the wall. */
export interface BlockDraws extends SampledGroup {
  readonly odds: UnitOdds;
}

/** Draws of the units of one branch. */
export interface BranchDraws {
  readonly bulk: SampledGroup;
  readonly block?: BlockDraws;
}

export interface WeightedBranch extends BranchDraws {
  readonly probability: number;
}

/** Posterior of one branch on the training rows. */
export interface BranchSummary {
  /** (r_q, R_q): ⟨f⟩ = y − T r_q, Cov f = T − T² R_q. */
  readonly whole: Field;
  /** Posterior mean of φφᵀ averaged over the N units. */
  readonly hiddenKernel: Matrix;
  /** ū of the draws. */
  readonly bulkAlignments: Float64Array;
  readonly blockAlignments?: Float64Array;
  /** Left out where a determinant is not positive. */
  readonly logEvidence?: { readonly value: number; readonly standardError: number };
}

interface GroupSummary {
  readonly states: UnitStates;
  readonly moments: UnitMoments;
}

function summariseGroup(setting: Setting, group: SampledGroup, control: boolean): GroupSummary {
  const { prior, weightVariance, width, secondMoment } = setting;
  const alpha = weightVariance / width;
  const unit = createUnitEvaluator(prior);
  const count = group.units.length / unit.dimension;
  const states = unitStates(count);
  unit.setField(group.field, alpha);
  unit.evaluate(group.units, count, states);
  const coefficients = momentCoefficients(states, alpha, group.field.mean, coefficientOptions(group, control ? secondMoment : undefined));
  return { states, moments: unit.moments(group.units, count, coefficients, true) };
}

/**
 * What a branch says on the training rows. Its evidence counts the choice of the aligned unit, log N, and restricts every unit to its side
 * of the wall. O(S P² + P³) for S draws.
 */
export function summariseBranch(setting: Setting, draws: BranchDraws): BranchSummary {
  const { width, weightVariance, surroundings } = setting;
  const alpha = weightVariance / width;
  const bulk = summariseGroup(setting, draws.bulk, true);
  const block = draws.block && summariseGroup(setting, draws.block, false);
  const n = block ? width - 1 : width;
  const rest = fieldOfUnits(n, bulk.moments, draws.bulk.field, surroundings);
  const z = logNormaliserFromTilts(bulk.states.tilts, draws.bulk.weights);
  const last = draws.block ? Math.log(width) + draws.block.odds.logNormaliser + Math.log(draws.block.odds.odds) : z.value;
  const logEvidence = logEvidenceOfUnits(width - 1, bulk.moments, draws.bulk.field, { bulk: z.value, last }, surroundings);
  return {
    bulkAlignments: alignmentsOf(bulk.states, alpha),
    whole: block ? fieldWithUnit(rest, block.moments) : rest,
    hiddenKernel: block ? combine(1 / width, block.moments.kernel, n / width, bulk.moments.kernel) : bulk.moments.kernel,
    ...(block ? { blockAlignments: alignmentsOf(block.states, alpha) } : {}),
    ...(logEvidence === undefined ? {} : { logEvidence: { value: logEvidence, standardError: width * z.standardError } }),
  };
}

/** Weighted mean of the branches' means, and variance within plus between them. */
export function mixPredictions(predictions: readonly RowPrediction[], probabilities: readonly number[]): RowPrediction {
  const [first] = predictions;
  if (predictions.length === 1) return first!;
  const S = first!.mean.length;
  const mean = new Float64Array(S);
  for (const [k, { mean: m }] of predictions.entries()) for (let a = 0; a < S; a++) mean[a]! += probabilities[k]! * m[a]!;
  const full = "shape" in first!.variance;
  const variance = full ? zeros(S, S) : new Float64Array(S);
  const out = "shape" in variance ? variance.data : variance;
  for (const [k, prediction] of predictions.entries()) {
    const p = probabilities[k]!;
    const within = "shape" in prediction.variance ? prediction.variance.data : prediction.variance;
    const off = prediction.mean.map((value, a) => value - mean[a]!);
    if (full) for (let a = 0; a < S; a++) for (let b = 0; b < S; b++) out[a * S + b]! += p * (within[a * S + b]! + off[a]! * off[b]!);
    else for (let a = 0; a < S; a++) out[a]! += p * (within[a]! + off[a]! ** 2);
  }
  return { mean, variance };
}

/** Predictions at new rows, averaged over the branches. One `predictBranch` a branch. */
export function predictMixture(
  setting: Setting,
  branches: readonly WeightedBranch[],
  rows: TestRows,
  readoutBias: number,
  seed: number,
): RowPrediction {
  const predictions = branches.map((branch) => predictBranch(setting, branch, rows, readoutBias, seed));
  return mixPredictions(
    predictions,
    branches.map(({ probability }) => probability),
  );
}
