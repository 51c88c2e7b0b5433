import { erf } from "@finitewidth/activations";
import { matrixFromRows } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { createUnitEvaluator, productNodes, sampleTask, unitStates, type Field, type SampleChunk } from "../src/index.js";
import {
  anneal,
  between,
  moveField,
  moveUnits,
  normalisedWeights,
  populationAlignments,
  priorPopulation,
  resample,
  type Population,
} from "../src/population.js";
import { alignmentsOf, anyAlignment } from "../src/unit.js";
import { registry } from "./importance-sampling.ts";

const features = cholesky(matrixFromRows([[1.3, 0.4], [0.4, 0.8]])).factor; // prettier-ignore
const unit = createUnitEvaluator({ features, activation: erf });
const alpha = 0.3;
const field: Field = { mean: Float64Array.of(3.4, -4.2), covariance: matrixFromRows([[1.4, 0.3], [0.3, 2.2]]) }; // prettier-ignore
const other: Field = { mean: Float64Array.of(2.4, -3), covariance: matrixFromRows([[1, 0.1], [0.1, 1.7]]) }; // prettier-ignore
/** What is averaged: |z|², z₁z₂, ℓ and ū. */
const quantities = (z: Float64Array, i: number, tilt: number, alignment: number): number[] => [
  z[2 * i]! ** 2 + z[2 * i + 1]! ** 2,
  z[2 * i]! * z[2 * i + 1]!,
  tilt,
  alignment,
];
const nodes = productNodes(2, 80);
/** Averages over N(z|0, 1) exp(λ ℓ(z)) and log E exp(λ ℓ) by quadrature. */
function exact(of: Field, power = 1) {
  const count = nodes.logWeights.length;
  const states = unitStates(count);
  unit.setField(of, alpha);
  unit.evaluate(nodes.units, count, states);
  const alignments = alignmentsOf(states, alpha);
  const sums = [0, 0, 0, 0];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const weight = Math.exp(nodes.logWeights[i]! + power * states.tilts[i]!);
    total += weight;
    quantities(nodes.units, i, states.tilts[i]!, alignments[i]!).forEach((value, k) => (sums[k]! += weight * value));
  }
  return { averages: sums.map((value) => value / total), logNormaliser: Math.log(total) };
}
const count = 4000;
function averagesOf({ units }: Population, of: Field): { mean: number[]; error: number[] } {
  const states = unitStates(count);
  unit.setField(of, alpha);
  unit.evaluate(units, count, states);
  const alignments = alignmentsOf(states, alpha);
  const rows = Array.from({ length: count }, (_, i) => quantities(units, i, states.tilts[i]!, alignments[i]!));
  const mean = [0, 1, 2, 3].map((k) => rows.reduce((sum, row) => sum + row[k]! / count, 0));
  return { mean, error: mean.map((m, k) => Math.sqrt(rows.reduce((sum, row) => sum + (row[k]! - m) ** 2, 0)) / count) };
}
/** Copies of one ancestor count once: a factor of two in the error covers those that resampling leaves after some moves. */
const agrees = (population: Population, of: Field, expected: readonly number[]): void => {
  const { mean, error } = averagesOf(population, of);
  mean.forEach((value, k) => expect(Math.abs(value - expected[k]!), `quantity ${k}`).toBeLessThan(2 * 4.5 * error[k]!));
};

describe("a population of units", () => {
  it.each([1, 0.4])("moves within N(z|0, 1) exp(λ ℓ(z)), λ = %d", (power) => {
    const random = stream(3, 8);
    const population = priorPopulation(count, 2, random);
    unit.setField(field, alpha);
    for (let sweep = 0; sweep < 25; sweep++) moveUnits(unit, population, random, power);
    const { averages } = exact(field, power);
    const prior = exact(field, 0).averages;
    const { error } = averagesOf(population, field);
    // the tilt is strong: every quantity is far from the prior's
    for (const k of [1, 2, 3]) expect(Math.abs(averages[k]! - prior[k]!)).toBeGreaterThan(12 * error[k]!);
    agrees(population, field, averages);
    // the states it keeps are those of the units
    const states = unitStates(count);
    unit.setField(field, alpha);
    unit.evaluate(population.units, count, states);
    expect(population.states).toEqual(states);
    // trajectories are accepted at 85 %, or their angle is as long as it may be
    expect(population.angle).toBeGreaterThan(0.1);
    expect(population.angle).toBeLessThanOrEqual(Math.PI / 4);
  });

  it("stays within a window", () => {
    const random = stream(3, 9);
    const population = priorPopulation(400, 2, random);
    unit.setField(field, alpha, [0.2, 0.9]);
    for (let sweep = 0; sweep < 10; sweep++) {
      const before = populationAlignments(unit, population, field, alpha);
      unit.setField(field, alpha, [0.2, 0.9]);
      moveUnits(unit, population, random);
      const after = populationAlignments(unit, population, field, alpha);
      before.forEach((value, i) => value >= 0.2 && value <= 0.9 && expect(after[i]! >= 0.2 && after[i]! <= 0.9).toBe(true));
    }
  });

  it("is annealed from the prior to the measure, with the log of its normaliser", () => {
    const logs = [1, 2, 3, 4, 5, 6].map((seed) => {
      const random = stream(4, seed);
      const population = priorPopulation(count, 2, random);
      unit.setField(field, alpha);
      const log = anneal(unit, population, random);
      if (seed === 1) agrees(population, field, exact(field).averages);
      return log;
    });
    const mean = logs.reduce((sum, value) => sum + value / 6, 0);
    const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2 / 5, 0));
    expect(deviation).toBeLessThan(0.05);
    // Student's t with five degrees of freedom, once in a thousand
    expect(Math.abs(mean - exact(field).logNormaliser)).toBeLessThan((6.9 * deviation) / Math.sqrt(6));
    unit.setField(field, alpha, [1e6, Infinity]);
    expect(anneal(unit, priorPopulation(50, 2, stream(4, 9)), stream(4, 10))).toBe(-Infinity);
  });

  it("follows a field by weighing and resampling, as far as the weights allow", () => {
    const random = stream(5, 1);
    const population = priorPopulation(count, 2, random);
    unit.setField(field, alpha);
    for (let sweep = 0; sweep < 25; sweep++) moveUnits(unit, population, random);
    const settings = { alpha, window: anyAlignment, least: 0.4, random };
    const reached = moveField(unit, population, { from: field, to: other, mean: 0.6, covariance: 0.3 }, settings);
    expect(reached).toEqual(between(field, other, 0.6, 0.3));
    agrees(population, reached, exact(reached).averages);
    const states = unitStates(count);
    unit.setField(reached, alpha);
    unit.evaluate(population.units, count, states);
    expect(population.states).toEqual(states);
    // as much of a long way as keeps four tenths of the sample
    const far: Field = { mean: field.mean.map((value) => -3 * value + 40), covariance: field.covariance };
    const nearer = moveField(unit, population, { from: reached, to: far, mean: 1, covariance: 1 }, settings);
    const share = (nearer.mean[0]! - reached.mean[0]!) / (far.mean[0]! - reached.mean[0]!);
    const [steps] = [Math.log(share) / Math.log(0.6)];
    expect(steps).toBeCloseTo(Math.round(steps), 6);
    expect(steps).toBeGreaterThan(0.5);
    expectClose(nearer.covariance.data[0]!, between(reached, far, share, share).covariance.data[0]!, { relative: 1e-12 });
    // nowhere where nothing would be left
    const closed = moveField(unit, population, { from: nearer, to: far, mean: 1, covariance: 1 }, { ...settings, window: [1e6, Infinity] });
    expect(closed).toBe(nearer);
  });

  it("fields between two have steps of their own for mean and covariance", () => {
    const found = between(field, other, 0.25, 0.5);
    expectClose(found.mean, [3.15, -3.9], { relative: 1e-14 });
    expectClose(found.covariance, [1.2, 0.2, 0.2, 1.95], { relative: 1e-14 });
  });

  it("weights are normalised, with the fraction of the sample that they keep", () => {
    const { weights, effectiveFraction, logSum } = normalisedWeights(Float64Array.of(Math.log(3), Math.log(1), -Infinity, Math.log(4)))!;
    expectClose(weights, [0.375, 0.125, 0, 0.5], { relative: 1e-14 });
    expectClose([effectiveFraction, logSum], [64 / (4 * 26), Math.log(8)], { relative: 1e-14 });
    expect(normalisedWeights(Float64Array.of(-Infinity, -Infinity))).toBeUndefined();
  });

  it("units are resampled with their states", () => {
    const population = priorPopulation(4, 2, stream(6));
    const units = population.units.slice();
    const states = { tilts: Float64Array.of(1, 2, 3, 4), scales: Float64Array.of(5, 6, 7, 8), overlaps: Float64Array.of(9, 10, 11, 12) };
    resample(population, Float64Array.of(0, 0.5, 0, 0.5), states, stream(7));
    expect([...population.states.tilts]).toEqual([2, 2, 4, 4]);
    expect([...population.states.scales]).toEqual([6, 6, 8, 8]);
    expect([...population.states.overlaps]).toEqual([10, 10, 12, 12]);
    expect([...population.units]).toEqual([2, 3, 2, 3, 6, 7, 6, 7].map((k) => units[k]!));
  });
});

it("a chunk of samples is moved five times a snapshot from the stream of its index, in its field and window", () => {
  const network = { type: "fully-connected", widths: [5], activation: "erf", weightVariance: [1, 1.4], biasVariance: [0, 0] } as SampleChunk["network"]; // prettier-ignore
  const units = stream(2).normals(new Float64Array(2 * 30));
  const window = [0, 1.1] as const;
  const chunk: SampleChunk = {
    features,
    network,
    field: other,
    alpha,
    window,
    units,
    angle: 0.3,
    snapshots: 3,
    thin: 5,
    seed: 6,
    index: 2001,
  };
  const before = units.slice();
  const found = sampleTask.run(chunk, { registry, tick: () => undefined }) as Float64Array;
  const population: Population = { units: units.slice(), count: 30, angle: 0.3, states: unitStates(30) };
  const random = stream(6, 3, 2001);
  unit.setField(other, alpha, window);
  const expected = [0, 1, 2].flatMap(() => {
    for (let move = 0; move < 5; move++) moveUnits(unit, population, random);
    return [...population.units];
  });
  expect([...found]).toEqual(expected);
  expect(units).toEqual(before);
});
