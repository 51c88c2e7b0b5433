import { erf, kernelMap } from "@finitewidth/activations";
import { matrixFromRows } from "@finitewidth/core";
import { cholesky, combine } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  createUnitEvaluator,
  fieldOfUnits,
  fieldWithUnit,
  infiniteWidthField,
  momentCoefficients,
  productNodes,
  solveOnNodes,
  solveSpecialised,
  solveSymmetric,
  unitStates,
  type Group,
  type Setting,
} from "../src/index.js";
import { moveUnits, type Population } from "../src/population.js";

const kernel = matrixFromRows([[1.3, -0.5], [-0.5, 1.1]]); // prettier-ignore
const settingOf = (width: number): Setting => ({
  prior: { features: cholesky(kernel).factor, activation: erf },
  width,
  weightVariance: 1.4,
  surroundings: { targets: Float64Array.of(3, -2.4), noise: matrixFromRows([[0.25, 0.05], [0.05, 0.25]]) }, // prettier-ignore
  secondMoment: kernelMap(erf, kernel),
});
/** Draws of 1000 units over tens of sweeps: half a percent; a unit more or less among five or eight is more than ten. */
const near = { relative: 0.02, absolute: 0.02 };

describe("branches solve their equations", () => {
  it.each([5, 9])("all %d units alike: the fields that quadrature has", (width) => {
    const setting = settingOf(width);
    const { bulk, residual, aligned, block, sweeps } = solveSymmetric(setting, { particles: 1000, sweeps: 40, wall: Infinity, seed: 3 }, () => undefined); // prettier-ignore
    const start = infiniteWidthField(setting, 1);
    const { surroundings, weightVariance } = setting;
    const { cavity } = solveOnNodes(setting.prior, productNodes(2, 80), { width, weightVariance, surroundings, start });
    expectClose(bulk.field.mean, cavity.mean, near);
    expectClose(bulk.field.covariance, cavity.covariance, near);
    expect(Math.abs(cavity.mean[0]! / start.mean[0]! - 1)).toBeGreaterThan(0.06);
    expect([aligned, block, sweeps, bulk.window, bulk.odds.odds]).toEqual([0, undefined, 60, [0, Infinity], 0]);
    expect(residual).toBeLessThan(0.02);
  });

  it.each([1.3])("one unit beyond a wall of %d: its field is what the others leave, and both see the same whole", (wall) => {
    const setting = settingOf(8);
    const alpha = 1.4 / 8;
    const branch = solveSpecialised(setting, { particles: 1000, sweeps: 50, wall, seed: 3 }, () => undefined)!;
    const unit = createUnitEvaluator(setting.prior);
    const random = stream(9);
    const averaged = (group: Group, control: object) => {
      const count = group.units.length / 2;
      const population: Population = { units: group.units.slice(), count, angle: group.angle, states: unitStates(count) };
      unit.setField(group.field, alpha, group.window);
      let response = new Float64Array(2);
      let curvature = matrixFromRows([[0, 0], [0, 0]]); // prettier-ignore
      for (let k = 0; k < 30; k++) {
        for (let move = 0; move < 2; move++) moveUnits(unit, population, random);
        const found = unit.moments(population.units, count, momentCoefficients(population.states, alpha, group.field.mean, control));
        response = response.map((value, i) => value + found.response[i]! / 30);
        curvature = combine(1, curvature, 1 / 30, found.curvature);
      }
      return { response, curvature };
    };
    const { bulk, block } = branch as Required<typeof branch>;
    expect([branch.aligned, block.window, bulk.window]).toEqual([1, [wall, Infinity], [0, wall]]);
    expect([block.units.length, bulk.units.length]).toEqual([1000, 2000]);
    const others = averaged(bulk, { secondMoment: setting.secondMoment });
    const own = averaged(block, {});
    const left = fieldOfUnits(7, others, bulk.field, setting.surroundings);
    expectClose(left.mean, block.field.mean, near);
    expectClose(left.covariance, block.field.covariance, near);
    const [seen, whole] = [fieldWithUnit(bulk.field, others), fieldWithUnit(block.field, own)];
    expectClose(seen.mean, whole.mean, near);
    expectClose(seen.covariance, whole.covariance, near);
    // the two fields are not one
    expect(Math.abs(bulk.field.mean[0]! / block.field.mean[0]! - 1)).toBeGreaterThan(0.05);
  });

  it("there is no branch with a unit beyond a wall that none reaches", () => {
    expect(solveSpecialised(settingOf(8), { particles: 200, sweeps: 10, wall: 20, seed: 3 }, () => undefined)).toBeUndefined();
  });

  it("infinite width: (Σ + share σ_w² G)⁻¹ y and its inverse", () => {
    const setting = settingOf(8);
    const { mean, covariance } = infiniteWidthField(setting, 0.6);
    const G = setting.secondMoment.data;
    const [a, b, d] = [0.25 + 0.6 * 1.4 * G[0]!, 0.05 + 0.6 * 1.4 * G[1]!, 0.25 + 0.6 * 1.4 * G[3]!];
    const det = a * d - b * b;
    expectClose(covariance, [d / det, -b / det, -b / det, a / det], { relative: 1e-12 });
    expectClose(mean, [(3 * d + 2.4 * b) / det, (-3 * b - 2.4 * a) / det], { relative: 1e-12 });
  });
});
