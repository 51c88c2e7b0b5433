import { erf, kernelMap, relu, tanh } from "@finitewidth/activations";
import { matrixFromRows, type Activation } from "@finitewidth/core";
import { cholesky, combine, frobenius } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { createUnitEvaluator, momentCoefficients, productNodes, unitStates, type Field } from "../src/index.js";

const kernel = matrixFromRows([
  [1.3, 0.4],
  [0.4, 0.8],
]);
const features = cholesky(kernel).factor;
const field: Field = {
  mean: Float64Array.of(1.7, -2.1),
  covariance: matrixFromRows([
    [1.4, 0.3],
    [0.3, 2.2],
  ]),
};
const alpha = 0.2;

describe("a unit in a field", () => {
  it.each([erf, tanh, relu])("has the gradient of its weight: $name", (activation: Activation) => {
    const unit = createUnitEvaluator({ features, activation });
    unit.setField(field, alpha);
    const count = 300;
    const z = stream(3).normals(new Float64Array(2 * count));
    const gradient = new Float64Array(2 * count);
    unit.evaluate(z, count, unitStates(count), gradient);
    const step = 1e-6;
    const [up, down] = [unitStates(count), unitStates(count)];
    for (let k = 0; k < 2; k++) {
      const moved = (by: number): Float64Array => z.map((value, i) => (i % 2 === k ? value + by : value));
      unit.evaluate(moved(step), count, up);
      unit.evaluate(moved(-step), count, down);
      for (let i = 0; i < count; i++) expect(gradient[2 * i + k]).toBeCloseTo((up.tilts[i]! - down.tilts[i]!) / (2 * step), 6);
    }
  });

  it("has moments that are derivatives of its log normaliser", () => {
    const nodes = productNodes(2, 60);
    const count = nodes.logWeights.length;
    const unit = createUnitEvaluator({ features, activation: erf });
    const states = unitStates(count);
    const logNormaliser = (mean: Float64Array): number => {
      unit.setField({ ...field, mean }, alpha);
      unit.evaluate(nodes.units, count, states);
      return Math.log(states.tilts.reduce((sum, tilt, i) => sum + Math.exp(tilt + nodes.logWeights[i]!), 0));
    };
    const z0 = logNormaliser(field.mean);
    const weights = states.tilts.map((tilt, i) => Math.exp(tilt + nodes.logWeights[i]! - z0));
    const moments = unit.moments(nodes.units, count, momentCoefficients(states, alpha, field.mean, { weights }));
    const h = 1e-3;
    const at = (a: number, b: number): number => logNormaliser(Float64Array.of(field.mean[0]! + a, field.mean[1]! + b));
    // c is the gradient of log E exp ℓ in r with R fixed; M = α E φφᵀ/(1+s) + Cov(αφu/(1+s)) its Hessian
    expect(moments.response[0]).toBeCloseTo((at(h, 0) - at(-h, 0)) / (2 * h), 6);
    expect(moments.response[1]).toBeCloseTo((at(0, h) - at(0, -h)) / (2 * h), 6);
    expect(moments.curvature.data[0]).toBeCloseTo((at(h, 0) - 2 * z0 + at(-h, 0)) / h ** 2, 5);
    expect(moments.curvature.data[1]).toBeCloseTo((at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h), 5);
  });

  it("has no weight outside its window", () => {
    const unit = createUnitEvaluator({ features, activation: erf });
    const count = 200;
    const z = stream(4).normals(new Float64Array(2 * count));
    const states = unitStates(count);
    unit.setField(field, alpha, [0, 0.3]);
    unit.evaluate(z, count, states);
    for (let i = 0; i < count; i++)
      expect(states.tilts[i]! > -Infinity).toBe((Math.sqrt(alpha) * Math.abs(states.overlaps[i]!)) / states.scales[i]! <= 0.3);
  });

  it("loses its sampling noise to the control variate where it is hardly tilted", () => {
    const count = 500;
    const z = stream(5).normals(new Float64Array(2 * count));
    const secondMoment = kernelMap(erf, kernel);
    const errors = [undefined, secondMoment].map((control) => {
      const unit = createUnitEvaluator({ features, activation: erf });
      const states = unitStates(count);
      const small = 1e-4;
      unit.setField(field, small);
      unit.evaluate(z, count, states);
      const coefficients = momentCoefficients(states, small, field.mean, control ? { secondMoment: control } : {});
      const { curvature, kernel: second } = unit.moments(z, count, coefficients, true);
      return [frobenius(combine(1 / small, curvature, -1, secondMoment)), frobenius(combine(1, second, -1, secondMoment))];
    });
    for (const k of [0, 1]) {
      expect(errors[0]![k]).toBeGreaterThan(5e-3);
      expect(errors[1]![k]).toBeLessThan(1e-3);
    }
  });
});
