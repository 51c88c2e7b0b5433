import { stream } from "@finitewidth/random";
import { logNormaliserFromTilts } from "./evidence.js";
import { anneal, firstAngle, moveUnits, priorPopulation, resample, type Population } from "./population.js";
import { alignmentsOf, unitStates, type Field, type UnitEvaluator, type Window } from "./unit.js";

/** How a unit's unrestricted measure divides at the wall. */
export interface UnitOdds {
  /** Mass beyond the wall over mass on this side. */
  readonly odds: number;
  /** log E exp ℓ over the alignments on this side. */
  readonly logNormaliser: number;
}

/** Edges of the overlapping windows, as fractions of the wall: [0, e₂], [e₁, e₃], [e₂, ∞]. */
const edges = [0.4, 0.7, 1] as const;
const sweeps = { settle: 10, measure: 15 } as const;

/**
 * Odds of a unit to be aligned in a field by umbrella sampling: the measure is sampled in three overlapping windows of ū up to and beyond
 * the wall, each of them without a barrier, and their masses follow from the fractions in the overlaps. Annealing alone would leave the
 * rare side to a few ancestors. `aligned` are particles beyond the wall, where there are some. 75 moves of `particles` units.
 */
export function unitOdds(
  unit: UnitEvaluator,
  field: Field,
  settings: {
    readonly alpha: number;
    readonly wall: number;
    readonly particles: number;
    readonly seed: number;
    readonly index: number;
    readonly tick: () => void;
  },
  aligned?: Population,
): UnitOdds {
  const { alpha, wall, particles, seed, index, tick } = settings;
  const random = stream(seed, 2, index);
  const population = priorPopulation(particles, unit.dimension, random);
  const [first, second, third] = edges.map((edge) => edge * wall) as [number, number, number];
  const states = unitStates(particles);
  /** Fraction of the population within a window, and 1 or 0 for each particle. */
  const within = (window: Window): { readonly fraction: number; readonly inside: Float64Array } => {
    unit.setField(field, alpha, window);
    unit.evaluate(population.units, particles, states);
    const inside = states.tilts.map((tilt) => (tilt > -Infinity ? 1 : 0));
    return { fraction: inside.reduce((sum, value) => sum + value, 0) / particles, inside };
  };
  // what tilts of the first window tell is relative to the prior within it; none of the draws: less than one
  const priorMass = Math.max(within([0, second]).fraction, 0.5 / particles);
  unit.setField(field, alpha);
  anneal(unit, population, random);
  /** Moves the population within a window; fraction of it below `edge`. */
  const sample = (window: Window, edge: number): { readonly below: number; readonly tilts: Float64Array } => {
    unit.setField(field, alpha, window);
    let [below, count] = [0, 0];
    const tilts: number[] = [];
    for (let sweep = 0; sweep < sweeps.settle + sweeps.measure; sweep++) {
      tick();
      moveUnits(unit, population, random);
      if (sweep < sweeps.settle) continue;
      for (const [i, alignment] of alignmentsOf(population.states, alpha).entries()) {
        if (!(population.states.tilts[i]! > -Infinity)) continue;
        count++;
        if (alignment <= edge) below++;
        tilts.push(population.states.tilts[i]!);
      }
    }
    return { below: below / count, tilts: Float64Array.from(tilts) };
  };
  /** Resamples the particles within a window, with those of `more`; false when there are none. */
  const restrict = (window: Window, more?: Population): boolean => {
    if (more) {
      const half = Math.min(more.count, Math.floor(particles / 2));
      population.units.set(more.units.subarray(0, half * unit.dimension));
    }
    const { fraction, inside } = within(window);
    if (fraction === 0) return false;
    // the steps of a narrow window would not carry the units through a wide one
    population.angle = firstAngle;
    resample(
      population,
      inside.map((value) => value / (fraction * particles)),
      states,
      random,
    );
    return true;
  };
  // everything is aligned: no measure on this side that annealing could find
  if (!restrict([0, second])) return { odds: Infinity, logNormaliser: -Infinity };
  const low = sample([0, second], first);
  const logNormaliser = logNormaliserFromTilts(low.tilts).value + Math.log(priorMass);
  if (!restrict([first, third])) return { odds: 0, logNormaliser };
  const middle = sample([first, third], second);
  const middleMass = (1 - low.below) / middle.below;
  const between = middleMass * (1 - middle.below);
  const onThisSide = 1 + between;
  if (!restrict([second, Infinity], aligned)) return { odds: 0, logNormaliser };
  const high = sample([second, Infinity], third);
  const beyond = (between * (1 - high.below)) / high.below;
  return { odds: beyond / onThisSide, logNormaliser: logNormaliser + Math.log(onThisSide) };
}
