import { erf } from "@finitewidth/activations";
import { matrixFromRows } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { createUnitEvaluator, unitOdds, unitStates, type Field } from "../src/index.js";
import { alignmentsOf } from "../src/unit.js";

it("odds of a unit to be aligned are those of prior draws with its weight, wherever the wall stands", () => {
  const kernel = matrixFromRows([
    [1.3, 0.4],
    [0.4, 0.8],
  ]);
  const unit = createUnitEvaluator({ features: cholesky(kernel).factor, activation: erf });
  const alpha = 0.2;
  const count = 100_000;
  const tick = (): void => undefined;
  const strong: Field = { mean: Float64Array.of(3.4, -4.2), covariance: matrixFromRows([[1.4, 0.3], [0.3, 2.2]]) }; // prettier-ignore
  const averageOf = (values: readonly number[]): [mean: number, error: number] => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) / values.length)];
  };
  const states = unitStates(count);
  const draws = stream(5).normals(new Float64Array(2 * count));
  for (const [pull, height] of [
    [2, 0.5],
    [2, 0.7],
    [3, 0.5],
  ] as const) {
    const field: Field = {
      mean: Float64Array.of(1.7 * pull, -2.1 * pull),
      covariance: matrixFromRows([
        [1.4, 0.3],
        [0.3, 2.2],
      ]),
    };
    unit.setField(field, alpha);
    unit.evaluate(draws, count, states);
    const weights = states.tilts.map(Math.exp);
    const alignments = alignmentsOf(states, alpha);
    const wall = height * alignments.reduce((a, b) => Math.max(a, b));
    let [beyond, here, squareBeyond, squareHere] = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [share, square] = [weights[i]! / count, weights[i]! ** 2 / count];
      if (alignments[i]! > wall) [beyond, squareBeyond] = [beyond + share, squareBeyond + square];
      else [here, squareHere] = [here + share, squareHere + square];
    }
    const runs = Array.from({ length: 8 }, (_, index) => unitOdds(unit, field, { alpha, wall, particles: 400, seed: 3, index, tick }));
    const [mean, spread] = averageOf(runs.map(({ odds }) => Math.log(odds)));
    // of draws: d log(b/h) by the delta method
    const ofDraws = Math.sqrt((squareBeyond / beyond ** 2 + squareHere / here ** 2) / count);
    // Student's t with seven degrees of freedom: 5.4 standard errors once in a thousand
    expect(Math.abs(mean - Math.log(beyond / here))).toBeLessThan(5.4 * Math.hypot(spread, ofDraws));
    // what tells this from odds that forget a window
    expect(5.4 * Math.hypot(spread, ofDraws)).toBeLessThan(0.25);
    // the mass on this side
    const [log, error] = averageOf(runs.map(({ logNormaliser }) => logNormaliser));
    expect(Math.abs(log - Math.log(here))).toBeLessThan(5.4 * Math.hypot(error, Math.sqrt(squareHere / count) / here));
    expect(error).toBeLessThan(0.03);
  }
  // nothing on this side, nothing beyond
  const at = (wall: number) => unitOdds(unit, strong, { alpha, wall, particles: 200, seed: 3, index: 0, tick });
  expect(at(1e-9)).toEqual({ odds: Infinity, logNormaliser: -Infinity });
  const far = at(1e3);
  expect(far.odds).toBe(0);
  unit.setField(strong, alpha);
  unit.evaluate(draws, count, states);
  expect(Math.abs(far.logNormaliser - Math.log(states.tilts.reduce((sum, tilt) => sum + Math.exp(tilt) / count, 0)))).toBeLessThan(0.1);
});
