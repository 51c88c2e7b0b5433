import { columnVector, type Matrix } from "@finitewidth/core";
import { affine, combine, identity, solve, symmetricEigenvalues } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { cavityFromWhole, fieldOfUnits, fieldWithUnit, flooredField, type Surroundings } from "./cavity.js";
import { unitOdds, type UnitOdds } from "./odds.js";
import { anneal, moveField, moveUnits, populationAlignments, priorPopulation, resample, type Population } from "./population.js";
import {
  anyAlignment,
  createUnitEvaluator,
  momentCoefficients,
  type Field,
  type UnitEvaluator,
  type UnitMoments,
  type UnitPrior,
  type Window,
} from "./unit.js";

/** One hidden layer, one output, as single units and what surrounds them. */
export interface Setting {
  readonly prior: UnitPrior;
  /** N. */
  readonly width: number;
  /** σ_w²(2). */
  readonly weightVariance: number;
  readonly surroundings: Surroundings;
  /** G = E φφᵀ of the prior: P × P. */
  readonly secondMoment: Matrix;
}

/** Sizes of the populations, and the wall. */
export interface BranchOptions {
  /** Particles for a unit of the bulk; the aligned unit has half as many. */
  readonly particles: number;
  /** Sweeps of the approach; the fields are averaged over half as many more. */
  readonly sweeps: number;
  /** Alignment ū beyond which a unit counts as aligned; Infinity: every unit is treated alike. */
  readonly wall: number;
  readonly seed: number;
}

/** A unit's measure at the solution. */
export interface Group {
  readonly field: Field;
  readonly window: Window;
  readonly units: Float64Array;
  readonly angle: number;
  /** How the unrestricted measure in this field divides at the wall. */
  readonly odds: UnitOdds;
}

/** Expectation propagation with `aligned` units beyond the wall (0 or 1) and the others on this side of it. */
export interface Branch {
  readonly aligned: 0 | 1;
  readonly bulk: Group;
  readonly block?: Group;
  /** Relative distance of r from its equation, the larger of the cavities, with moments averaged over the last sweeps. */
  readonly residual: number;
  readonly sweeps: number;
}

/** Smallest eigenvalue that the noise may leave in R, as a fraction of the smallest one at infinite width. */
const floorFraction = 0.5;
/** Rate of the exponential averages of the moments during the approach. */
const memory = { symmetric: 0.2, specialised: 0.4 } as const;
const step = { mean: 0.6, covariance: 0.2, both: 0.3 } as const;
/** Steps while the fields are averaged, as a fraction of the above. */
const slow = 0.4;
/** The width of the symmetric branch falls from this multiple of N during the first sweeps. */
const startWidth = 8;

const blend = (old: UnitMoments | undefined, fresh: UnitMoments, weight: number): UnitMoments =>
  old === undefined
    ? fresh
    : {
        response: old.response.map((value, i) => (1 - weight) * value + weight * fresh.response[i]!),
        curvature: combine(1 - weight, old.curvature, weight, fresh.curvature),
        kernel: fresh.kernel,
      };

const distance = (a: Float64Array, b: Float64Array): number => Math.hypot(...a.map((value, i) => value - b[i]!));
const norm = (a: Float64Array): number => Math.hypot(...a);

/** Weight of the moments of a sweep in their average. */
const weightOf = (rate: number, approaching: boolean, averaged: number): number =>
  averaged === 1 ? 1 : approaching ? Math.max(rate, 1 / averaged) : Math.max(1 / averaged, 0.04);

/** Field of the infinite-width network with `fraction` of its units: (Σ + fraction K)⁻¹ y, (Σ + fraction K)⁻¹. O(P³). */
export function infiniteWidthField({ surroundings, weightVariance, secondMoment }: Setting, fraction: number): Field {
  const total = combine(1, surroundings.noise, fraction * weightVariance, secondMoment);
  const P = surroundings.targets.length;
  return { covariance: solve(total, identity(P)), mean: solve(total, columnVector(surroundings.targets)).data };
}

const floorOf = (setting: Setting): number => {
  const total = combine(1, setting.surroundings.noise, setting.weightVariance, setting.secondMoment);
  return floorFraction / symmetricEigenvalues(total).at(-1)!;
};

const groupOf = (
  unit: UnitEvaluator,
  population: Population,
  field: Field,
  window: Window,
  alpha: number,
  options: BranchOptions,
  index: number,
  tick: () => void,
): Group => ({
  field,
  window,
  units: population.units,
  angle: population.angle,
  odds:
    options.wall === Infinity
      ? { odds: 0, logNormaliser: 0 }
      : unitOdds(
          unit,
          field,
          { alpha, wall: options.wall, particles: Math.ceil(options.particles / 2), seed: options.seed, index, tick },
          index === 1 ? population : undefined,
        ),
});

/**
 * The branch without aligned units: all N share one cavity, R ← (E Σ + (N−1) M)⁻¹E, r likewise, from the infinite-width field with the
 * width lowered to N. `tick` is called with the fraction done. 1.5 `sweeps` moves of 3–9 gradients for every particle, 2(2dP + P²)
 * flops each, and O(P³) a sweep.
 */
export function solveSymmetric(setting: Setting, options: BranchOptions, tick: (fraction: number) => void): Branch {
  const { prior, weightVariance, surroundings, secondMoment } = setting;
  const random = stream(options.seed, 0);
  const unit = createUnitEvaluator(prior);
  const floor = floorOf(setting);
  const window: Window = [0, options.wall];
  const population = priorPopulation(options.particles, unit.dimension, random);
  const ramp = Math.floor((2 * options.sweeps) / 3);
  const total = options.sweeps + Math.floor(options.sweeps / 2);
  let field = infiniteWidthField(setting, 1);
  let moments: UnitMoments | undefined;
  let [averaged, residual] = [0, Infinity];
  for (let sweep = 0; sweep < total; sweep++) {
    tick(sweep / total);
    const approaching = sweep < options.sweeps;
    const width = sweep < ramp ? setting.width * startWidth ** (1 - (sweep + 1) / ramp) : setting.width;
    const alpha = weightVariance / width;
    unit.setField(field, alpha, window);
    moveUnits(unit, population, random);
    const coefficients = momentCoefficients(population.states, alpha, field.mean, { secondMoment });
    averaged = sweep === options.sweeps ? 1 : averaged + 1;
    moments = blend(
      moments,
      unit.moments(population.units, population.count, coefficients),
      weightOf(memory.symmetric, approaching, averaged),
    );
    const next = flooredField(fieldOfUnits(width - 1, moments, field, surroundings), floor);
    residual = distance(next.mean, field.mean) / norm(field.mean);
    const pace = approaching ? 1 : slow;
    field = moveField(
      unit,
      population,
      { from: field, to: next, mean: pace * step.mean, covariance: pace * step.covariance },
      { alpha, window, least: 0.4, random },
    );
  }
  const alpha = weightVariance / setting.width;
  return { aligned: 0, bulk: groupOf(unit, population, field, window, alpha, options, 0, () => tick(1)), residual, sweeps: total };
}

/** Where the aligned unit starts in turn when asked to: in the field that these shares of the other units would leave. */
const strongStarts = [0.5, 0.25, 0.125, 0];

/**
 * The branch with one aligned unit, the block, that starts by meeting what labels the other units leave; the bulk starts at the prior.
 * Undefined where no particle of the block is aligned then: the branch does not exist. `insist`: with ever fewer of the other units at the
 * start, for networks whose symmetric branch has aligned units. Two populations: twice what `solveSymmetric` costs, and annealing at the
 * start.
 */
export function solveSpecialised(
  setting: Setting,
  options: BranchOptions,
  tick: (fraction: number) => void,
  insist = false,
): Branch | undefined {
  const { prior, width, weightVariance, surroundings, secondMoment } = setting;
  const alpha = weightVariance / width;
  const others = width - 1;
  const random = stream(options.seed, 1);
  const unit = createUnitEvaluator(prior);
  const floor = floorOf(setting);
  const windows = {
    block: options.wall === Infinity ? anyAlignment : ([options.wall, Infinity] as const),
    bulk: [0, options.wall] as const,
  };
  let bulkField: Field = { ...infiniteWidthField(setting, 1), mean: new Float64Array(surroundings.targets.length) };
  const bulk = priorPopulation(options.particles, unit.dimension, random);
  const startAt = (share: number) => {
    const field = infiniteWidthField(setting, share);
    const units = priorPopulation(Math.ceil(options.particles / 2), unit.dimension, random);
    unit.setField(field, alpha);
    anneal(unit, units, random);
    const inside = populationAlignments(unit, units, field, alpha).map((value) => (value >= windows.block[0] ? 1 : 0));
    return { field, units, inside, found: inside.reduce((sum, value) => sum + value, 0) };
  };
  let start = startAt(others / width);
  for (const share of insist ? strongStarts : []) if (start.found === 0) start = startAt(share);
  if (start.found === 0) return undefined;
  const block = start.units;
  let blockField = start.field;
  resample(block, affine(1 / start.found, columnVector(start.inside)).data, block.states, random);
  const total = options.sweeps + Math.floor(options.sweeps / 2);
  let [blockMoments, bulkMoments]: [UnitMoments | undefined, UnitMoments | undefined] = [undefined, undefined];
  let [averaged, residual] = [0, Infinity];
  for (let sweep = 0; sweep < total; sweep++) {
    tick(sweep / total);
    const approaching = sweep < options.sweeps;
    averaged = sweep === options.sweeps ? 1 : averaged + 1;
    const weight = weightOf(memory.specialised, approaching, averaged);
    unit.setField(blockField, alpha, windows.block);
    moveUnits(unit, block, random);
    blockMoments = blend(
      blockMoments,
      unit.moments(block.units, block.count, momentCoefficients(block.states, alpha, blockField.mean)),
      weight,
    );
    unit.setField(bulkField, alpha, windows.bulk);
    moveUnits(unit, bulk, random);
    const coefficients = momentCoefficients(bulk.states, alpha, bulkField.mean, { secondMoment });
    bulkMoments = blend(bulkMoments, unit.moments(bulk.units, bulk.count, coefficients), weight);
    const withoutBlock = fieldOfUnits(others, bulkMoments, bulkField, surroundings);
    const cavity = cavityFromWhole(fieldWithUnit(blockField, blockMoments), bulkMoments, bulkField, withoutBlock.E);
    const nextBlock = flooredField(withoutBlock, floor);
    const nextBulk = flooredField(cavity, floor);
    residual = Math.max(distance(nextBlock.mean, blockField.mean), distance(nextBulk.mean, bulkField.mean)) / norm(blockField.mean);
    const pace = step.both * (approaching ? 1 : slow);
    const steps = { mean: pace, covariance: pace };
    blockField = moveField(
      unit,
      block,
      { from: blockField, to: nextBlock, ...steps },
      { alpha, window: windows.block, least: 0.6, random },
    );
    bulkField = moveField(unit, bulk, { from: bulkField, to: nextBulk, ...steps }, { alpha, window: windows.bulk, least: 0.6, random });
  }
  return {
    aligned: 1,
    block: groupOf(unit, block, blockField, windows.block, alpha, options, 1, () => tick(1)),
    bulk: groupOf(unit, bulk, bulkField, windows.bulk, alpha, options, 2, () => tick(1)),
    residual,
    sweeps: total,
  };
}
