import { defineActivation, relu } from "@finitewidth/activations";
import { fit, matrixFromRows, type Activation, type Matrix } from "@finitewidth/core";
import { cholesky, solve, transpose } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { quadratureClosure, quasiRandomNodes, type ForwardBackwardState } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const leaky = defineActivation({
  name: "leaky-relu",
  summary: "φ(h) = h, or h/5 below 0.",
  odd: false,
  smooth: false,
  bounded: false,
  degree: 1,
  value: (h) => (h > 0 ? h : 0.2 * h),
  derivative: (h) => (h > 0 ? 1 : h < 0 ? 0.2 : 0.6),
});

/** W, ⟨φφᵀ⟩ and ⟨hhᵀ⟩ of three points: midpoints over the sphere of y, h = Ly, the radius by hand: weight q^{−3/2}, ⟨r²⟩ = 3/q. */
function overTheSphere({ value }: Activation, kernel: Matrix, conjugate: Matrix, gain: number) {
  const { factor } = cholesky(kernel);
  const [polar, around] = [400, 800];
  const [features, fields] = [new Float64Array(9), new Float64Array(9)];
  let [total, area, least] = [0, 0, 1];
  for (let i = 0; i < polar; i++) {
    const z = ((i + 0.5) * 2) / polar - 1;
    const flat = Math.sqrt(1 - z * z);
    for (let j = 0; j < around; j++) {
      const angle = ((j + 0.5) * 2 * Math.PI) / around;
      const y = [flat * Math.cos(angle), flat * Math.sin(angle), z];
      const h = [0, 1, 2].map((a) => y.reduce((sum, component, k) => sum + factor.data[3 * a + k]! * component, 0));
      const phi = h.map(value);
      let q = 1;
      for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) q -= 2 * gain * phi[a]! * conjugate.data[3 * a + b]! * phi[b]!;
      least = Math.min(least, q);
      const weight = q ** -1.5;
      total += weight;
      area++;
      for (let a = 0; a < 3; a++) {
        for (let b = 0; b < 3; b++) {
          features[3 * a + b]! += ((weight * 3) / q) * phi[a]! * phi[b]!;
          fields[3 * a + b]! += ((weight * 3) / q) * h[a]! * h[b]!;
        }
      }
    }
  }
  const mean = (sum: Float64Array): Matrix => ({ data: sum.map((x) => x / total), shape: [3, 3] });
  return { cumulant: Math.log(total / area), features: mean(features), fields: mean(fields), least };
}

const kernel = matrixFromRows([
  [1.2, 0.5, -0.3],
  [0.5, 0.9, 0.2],
  [-0.3, 0.2, 1.5],
]);
const outer = (v: readonly number[], scale: number): Matrix => matrixFromRows(v.map((a) => v.map((b) => scale * a * b)));
const distance = (a: Matrix, b: Matrix): number => Math.hypot(...a.data.map((x, i) => x - b.data[i]!)) / Math.hypot(...b.data);
const closureAt = (activation: Activation, points: number) => quadratureClosure(activation, quasiRandomNodes(points, 15, 1));
const gain = 1.3;

describe("φ of degree 1: the radius of the tilted measure in closed form", () => {
  it.each([
    ["relu, weak tilt", relu, 0.1, 0.8],
    ["relu, near where the measure ceases to exist", relu, 0.4, 0.3],
    ["leaky relu, likewise", leaky, 0.38, 0.4],
    ["relu, tilt against φ", relu, -3, 0.5],
  ] as const)("averages and gradient as over the sphere: %s", (_, activation, pull, effective) => {
    const conjugate = outer([0.7, -0.4, 0.8], pull);
    const exact = overTheSphere(activation, kernel, conjugate, gain);
    if (pull > 0.3) expect(exact.least).toBeLessThan(0.07);
    const { cumulant, secondMoment, gradient, effectiveFraction } = closureAt(activation, 3).averages(
      { kernel, conjugate, weightVariance: gain },
      { gradient: true },
    );
    expect(Math.abs(cumulant! - exact.cumulant)).toBeLessThan(1e-3);
    expect(distance(secondMoment, exact.features)).toBeLessThan(6e-3);
    // ½C⁻¹(⟨hhᵀ⟩ − C)C⁻¹
    const excess = { data: exact.fields.data.map((x, i) => 0.5 * (x - kernel.data[i]!)), shape: kernel.shape };
    expect(distance(gradient!, solve(kernel, transpose(solve(kernel, excess))))).toBeLessThan(3e-3);
    expect(effectiveFraction).toBeGreaterThan(effective);
  });

  it.each([relu, leaky])("a test point is a further point of the measure: $name", (activation) => {
    const own = [0.6, 0.4, 0.5];
    const whole = matrixFromRows([...[0, 1, 2].map((a) => [...kernel.data.slice(3 * a, 3 * a + 3), own[a]!]), [...own, 1.1]]);
    const pull = [0.7, -0.4, 0.8];
    const { cross, variances } = closureAt(activation, 3).extend(
      { kernel, conjugate: outer(pull, 0.36), weightVariance: gain },
      { cross: matrixFromRows([own]), variances: Float64Array.of(1.1) },
    );
    const { data } = closureAt(activation, 4).averages(
      { kernel: whole, conjugate: outer([...pull, 0], 0.36), weightVariance: gain },
      { gradient: false },
    ).secondMoment;
    [...cross.data, variances[0]!].forEach((value, k) => expect(Math.abs(value / data[12 + k]! - 1)).toBeLessThan(0.01));
  });

  it("strong targets of a narrow network: the solution solves the equations over the sphere", async () => {
    const network = { type: "fully-connected", widths: [5], activation: "relu", weightVariance: [1, 1], biasVariance: 0.1 };
    const inputs = [
      [1, 0.2, -0.5],
      [-0.3, 1.1, 0.4],
      [0.6, -0.7, 0.9],
    ];
    const problem = { network, inputs, targets: [[10], [-5], [7]], temperature: 0.01 };
    const registry = testRegistry();
    const { posterior } = await fit(registry.theory("forward-backward"), problem, { registry, options: { nodes: 13 } });
    const { kernels, conjugates } = posterior.state as ForwardBackwardState;
    const exact = overTheSphere(relu, kernels[0]!, conjugates[0]!, 1);
    expect(exact.least).toBeLessThan(0.2);
    expect(distance(posterior.hiddenKernels![0]!, exact.features)).toBeLessThan(0.02);
    expect(posterior.diagnostics["effectiveSampleFraction"]).toBeGreaterThan(0.3);
  }, 180_000);
});
