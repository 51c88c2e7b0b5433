import { resolveArchitecture, type Matrix, type Network, type Task } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { moveUnits, type Population } from "./population.js";
import { createUnitEvaluator, unitStates, type Field, type Window } from "./unit.js";

/** Particles to be moved in a field that stays as it is. */
export interface SampleChunk {
  readonly features: Matrix;
  /** Of one hidden layer. */
  readonly network: Network;
  readonly field: Field;
  readonly alpha: number;
  readonly window: Window;
  /** m × d. */
  readonly units: Float64Array;
  readonly angle: number;
  readonly snapshots: number;
  /** Sweeps from one snapshot to the next. */
  readonly thin: number;
  readonly seed: number;
  readonly index: number;
}

/** Draws of a unit's measure, chunk by chunk from stream (seed, 3, index): `snapshots`·m × d numbers. */
export const sampleTask: Task<SampleChunk, Float64Array> = {
  module: import.meta.url,
  name: "sampleTask",
  run: (chunk, { registry, tick }) => {
    const random = stream(chunk.seed, 3, chunk.index);
    const unit = createUnitEvaluator({
      features: chunk.features,
      activation: denseChain(resolveArchitecture(registry, chunk.network))!.activation,
    });
    const count = chunk.units.length / unit.dimension;
    const population: Population = { units: chunk.units.slice(), count, angle: chunk.angle, states: unitStates(count) };
    unit.setField(chunk.field, chunk.alpha, chunk.window);
    const out = new Float64Array(chunk.snapshots * chunk.units.length);
    for (let snapshot = 0; snapshot < chunk.snapshots; snapshot++) {
      tick(snapshot / chunk.snapshots);
      for (let sweep = 0; sweep < chunk.thin; sweep++) moveUnits(unit, population, random);
      out.set(population.units, snapshot * chunk.units.length);
    }
    return out;
  },
};
