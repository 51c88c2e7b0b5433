import type { RandomStream } from "@finitewidth/core";
import { logSumExp, systematicResample } from "@finitewidth/numerics";
import { alignmentsOf, unitStates, type Field, type UnitEvaluator, type UnitStates, type Window } from "./unit.js";

/** Particles that sample the measure of one unit in a field; changed in place. */
export interface Population {
  /** M × d. */
  units: Float64Array;
  readonly count: number;
  /** Angle of a step of the trajectories, adapted to their acceptance. */
  angle: number;
  /** States in the field of the last move. */
  states: UnitStates;
}

/** Where the adaptation of the angle begins. */
export const firstAngle = 0.5;

/** Draws from the prior. */
export function priorPopulation(count: number, dimension: number, random: RandomStream): Population {
  return { units: random.normals(new Float64Array(count * dimension)), count, angle: firstAngle, states: unitStates(count) };
}

const targetAcceptance = 0.85;
const quarterPeriod = 0.5 * Math.PI;

/**
 * One Hamiltonian trajectory of every particle for N(z|0, 1) exp(λ ℓ(z)): kicks by λ∇ℓ with exact rotations of (z, p) between, about a
 * quarter of the prior's period in all, so that mildly tilted units need two steps whatever the dimension. The field is the evaluator's.
 */
export function moveUnits(unit: UnitEvaluator, population: Population, random: RandomStream, power = 1): void {
  const { count } = population;
  const d = unit.dimension;
  const steps = Math.min(Math.max(Math.round(quarterPeriod / population.angle), 2), 8);
  const angle = population.angle * (0.7 + 0.3 * random.uniform());
  const [cosine, sine, kick] = [Math.cos(angle), Math.sin(angle), 0.5 * angle * power];
  const z = population.units.slice();
  const p = random.normals(new Float64Array(count * d));
  const gradient = new Float64Array(count * d);
  const before = unitStates(count);
  const after = unitStates(count);
  unit.evaluate(z, count, before, gradient);
  const energy = before.tilts.map((tilt, i) => power * tilt - halfSquare(z, p, i, d));
  for (let step = 0; step < steps; step++) {
    for (let k = 0; k < p.length; k++) {
      const kicked = p[k]! + kick * gradient[k]!;
      const position = z[k]!;
      z[k] = cosine * position + sine * kicked;
      p[k] = cosine * kicked - sine * position;
    }
    unit.evaluate(z, count, after, gradient);
    for (let k = 0; k < p.length; k++) p[k]! += kick * gradient[k]!;
  }
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    const change = power * after.tilts[i]! - halfSquare(z, p, i, d) - energy[i]!;
    const probability = change >= 0 ? 1 : Math.exp(change);
    // NaN: both ends outside the window, which resampling removes
    if (probability > 0) accepted += probability;
    if (!(random.uniform() < probability)) continue;
    population.units.set(z.subarray(i * d, (i + 1) * d), i * d);
    before.tilts[i] = after.tilts[i]!;
    before.scales[i] = after.scales[i]!;
    before.overlaps[i] = after.overlaps[i]!;
  }
  population.states = before;
  const next = population.angle * Math.exp(0.4 * (accepted / count - targetAcceptance));
  population.angle = Math.min(Math.max(next, 0.02), 0.5 * quarterPeriod);
}

function halfSquare(z: Float64Array, p: Float64Array, i: number, d: number): number {
  let sum = 0;
  for (let k = i * d; k < (i + 1) * d; k++) sum += z[k]! * z[k]! + p[k]! * p[k]!;
  return 0.5 * sum;
}

/** Normalised weights exp(log weights) and their effective fraction (Σw)²/(M Σw²); undefined where none is positive. */
export function normalisedWeights(
  logs: Float64Array,
): { readonly weights: Float64Array; readonly effectiveFraction: number; readonly logSum: number } | undefined {
  const logSum = logSumExp(logs);
  if (!Number.isFinite(logSum)) return undefined;
  const weights = logs.map((value) => Math.exp(value - logSum));
  let squares = 0;
  for (const weight of weights) squares += weight * weight;
  return { weights, effectiveFraction: 1 / (squares * weights.length), logSum };
}

/** Systematic resampling by normalised weights; `states` are resampled along. */
export function resample(population: Population, weights: Float64Array, states: UnitStates, random: RandomStream): void {
  const { count } = population;
  const d = population.units.length / count;
  const chosen = systematicResample(weights, count, random);
  const units = new Float64Array(population.units.length);
  for (const [i, from] of chosen.entries()) units.set(population.units.subarray(from * d, (from + 1) * d), i * d);
  const pick = (values: Float64Array): Float64Array => Float64Array.from(chosen, (from) => values[from]!);
  population.units = units;
  population.states = { tilts: pick(states.tilts), scales: pick(states.scales), overlaps: pick(states.overlaps) };
}

/**
 * Annealing (sequential Monte Carlo) of a population of prior draws to N(z|0, 1) exp ℓ(z): powers of exp ℓ that keep half of the effective
 * sample, two moves at each. Returns log E exp ℓ.
 */
export function anneal(unit: UnitEvaluator, population: Population, random: RandomStream): number {
  const { count } = population;
  let [power, total] = [0, 0];
  while (power < 1) {
    const states = unitStates(count);
    unit.evaluate(population.units, count, states);
    for (let step = 1 - power; ; step *= 0.7) {
      const ratio = normalisedWeights(states.tilts.map((tilt) => step * tilt));
      if (ratio === undefined) return -Infinity;
      if (ratio.effectiveFraction < 0.5 && step > 1e-6) continue;
      total += ratio.logSum - Math.log(count);
      resample(population, ratio.weights, states, random);
      power = step >= 1 - power ? 1 : power + step;
      break;
    }
    for (let move = 0; move < 2; move++) moveUnits(unit, population, random, power);
  }
  return total;
}

/**
 * Moves a field towards another, as far as the re-weighted particles keep `least` of their effective sample, and resamples them. The
 * population's states must be those in `from`.
 */
export function moveField(
  unit: UnitEvaluator,
  population: Population,
  path: { readonly from: Field; readonly to: Field; readonly mean: number; readonly covariance: number },
  settings: { readonly alpha: number; readonly window: Window; readonly least: number; readonly random: RandomStream },
): Field {
  const { count, states } = population;
  const after = unitStates(count);
  for (let fraction = 1; fraction > 1e-3; fraction *= 0.6) {
    const field = between(path.from, path.to, fraction * path.mean, fraction * path.covariance);
    unit.setField(field, settings.alpha, settings.window);
    unit.evaluate(population.units, count, after);
    // a particle outside the window before has no weight to be divided by
    const ratio = normalisedWeights(after.tilts.map((tilt, i) => (states.tilts[i]! > -Infinity ? tilt - states.tilts[i]! : -Infinity)));
    if (ratio === undefined || ratio.effectiveFraction < settings.least) continue;
    resample(population, ratio.weights, after, settings.random);
    return field;
  }
  return path.from;
}

/** from + x (to − from), with a step of its own for mean and covariance. */
export function between(from: Field, to: Field, mean: number, covariance: number): Field {
  return {
    mean: from.mean.map((value, i) => value + mean * (to.mean[i]! - value)),
    covariance: {
      data: from.covariance.data.map((value, i) => value + covariance * (to.covariance.data[i]! - value)),
      shape: from.covariance.shape,
    },
  };
}

/** Alignments of a population in a field. */
export function populationAlignments(unit: UnitEvaluator, population: Population, field: Field, alpha: number): Float64Array {
  const states = unitStates(population.count);
  unit.setField(field, alpha);
  unit.evaluate(population.units, population.count, states);
  return alignmentsOf(states, alpha);
}
