import { matrixFromRows, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { createWorkspace, gram } from "@finitewidth/linalg";
import { gaussLegendre, normalDensity, normalDistribution } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  applyAdjointSlopes,
  applySlopes,
  erf,
  growsFasterThanLinear,
  identity,
  infiniteWidthRecursion,
  kernelMap,
  kernelSlopes,
  pullBackVariances,
  quadratic,
  relu,
  sign,
  step,
  tanh,
} from "../src/index.js";

describe("whole arrays", () => {
  const h = [-3.2, -1, -0.2, 0, 1e-3, 0.4, 1, 2.7, 30, -30, 1.1, 0.7];
  it.each([identity, relu, erf])("$name: values and slopes times a factor, one by one", (activation) => {
    const { arrays, value, derivative } = activation;
    expect(arrays!.phi).toBe(value);
    const space = createWorkspace([[3, 4], [3, 4]]); // prettier-ignore
    const [x, out] = space.matrices as [Matrix, Matrix];
    x.data.set(h);
    for (const c of [0.7, 1, 2.5]) {
      out.data.fill(9);
      arrays!.values(x, c, out, space);
      expectClose(out.data, h.map((one) => c * value(one)), { relative: 3e-15 }); // prettier-ignore
      arrays!.slopes(x, c, out, space);
      expectClose(out.data, h.map((one) => c * derivative(one)), { relative: 3e-15, absolute: 1e-300 }); // prettier-ignore
    }
    expect([...x.data]).toEqual(h);
    expectClose(h.map(derivative), h.map((one) => (value(one + 1e-6) - value(one - 1e-6)) / 2e-6), { absolute: 1e-3 }); // prettier-ignore
  });
});

describe("derivatives of moments", () => {
  it("of a mean: relu by conditioning, step by the density at its jump", () => {
    for (const [a, c, b] of [
      [1.3, 0.4, 0.6],
      [0.5, -0.6, 2],
      [2, 0, 1],
    ] as const) {
      // prettier-ignore
      const rule = gaussLegendre(60, 0, 9 * Math.sqrt(a));
      const rest = Math.sqrt(b - (c * c) / a);
      const expected = rule.nodes.reduce((sum, x, i) => {
        const mean = (c / a) * x;
        const inner = mean * normalDistribution(mean / rest) + rest * normalDensity(mean / rest);
        return sum + (rule.weights[i]! * normalDensity(x / Math.sqrt(a)) * inner) / Math.sqrt(a);
      }, 0);
      expectClose(relu.moments.meanSlope!(a, c, b), expected, { relative: 1e-10 });
      expectClose(step.moments.meanSlope!(a, c, b), (0.5 * normalDensity(0)) / Math.sqrt(a), { relative: 1e-14 });
    }
    expectClose(relu.moments.meanSlope!(0, 0, 2), 0.5 * Math.sqrt(2 / (2 * Math.PI)), { relative: 1e-14 });
  });

  it("of kernels, pulled back from an adjoint that is not symmetric: ⟨A, J dK⟩ = ⟨Jᵀ A, dK⟩ for symmetric dK", () => {
    const random = stream(3);
    const [kernel, change] = [gram(normalMatrix(random, 4, 6)), gram(normalMatrix(random, 4, 3))];
    const adjoint = normalMatrix(random, 4, 4);
    const slopes = kernelSlopes(tanh, kernel);
    const inner = (a: Matrix, b: Matrix): number => a.data.reduce((sum, value, i) => sum + value * b.data[i]!, 0);
    expectClose(inner(applyAdjointSlopes(slopes, adjoint), change), inner(adjoint, applySlopes(slopes, change)), { relative: 1e-12 });
  });

  it("the critical variance of erf is where σ² E φ′² is 1", () => {
    for (const weightVariance of [0.9, 1.7, 4]) {
      const q = erf.criticalVariance!(weightVariance);
      expect(q).toBeGreaterThan(0);
      expectClose(weightVariance * erf.moments.kernelSlope(q, q, q), 1, { relative: 1e-12 });
    }
    expect(erf.criticalVariance!(0.5)).toBeLessThan(0);
  });
});

it("what grows faster than linearly is found by its values: h^1.1 does, h and whatever is bounded do not", () => {
  const power = (exponent: number): Activation => ({ value: (h: number) => (h > 0 ? h ** exponent : 0) }) as unknown as Activation;
  expect([1.1, 1.5, 2].map((exponent) => growsFasterThanLinear(power(exponent)))).toEqual([true, true, true]);
  expect([0, 0.5, 1].map((exponent) => growsFasterThanLinear(power(exponent)))).toEqual([false, false, false]);
  expect([tanh, relu, identity, quadratic].map(growsFasterThanLinear)).toEqual([false, false, false, true]);
});

describe("pairs at the ends", () => {
  it.each([0.05, 0.2, 0.35, 0.4999, 0.5001, 0.8])("ReLU at the angle π − %f: (sin ψ − ψ cos ψ)/2π by all terms of its series", (psi) => {
    // Σ_k (−1)^{k+1} 2k ψ^{2k+1}/(2k + 1)!
    let [sum, power] = [0, psi];
    for (let k = 1; k < 20; k++) sum -= 2 * k * (power *= -(psi * psi) / (2 * k * (2 * k + 1)));
    expectClose(relu.moments.kernel(2, -2 * Math.cos(psi), 2), (2 * sum) / (2 * Math.PI), { relative: 4e-15 / psi ** 2 });
  });

  it.each([sign, step])("$name: the gap is √(g(a) g(b)) − |G|, without variance too", ({ moments }) => {
    for (const [a, c, b] of [
      [1, 0.4, 2],
      [1, -0.4, 2],
      [0, 0, 1],
      [1, 0, 0],
      [0, 0, 0],
    ] as const) {
      // prettier-ignore
      const gap = Math.sqrt(a * b) - Math.abs(c);
      const expected = Math.sqrt(moments.diagonal(a) * moments.diagonal(b)) - Math.abs(moments.kernel(a, c, b));
      expectClose(moments.gap!(a, c, b, gap), expected, { relative: 1e-13, absolute: 1e-16 });
    }
  });
});

describe("derivatives in the variances of all layers", () => {
  const points = 4;
  const x: Matrix = normalMatrix(stream(9), points, 3);
  const adjoint = gram(normalMatrix(stream(10), points, 5));
  const weights = [1.3, 0.8, 1.6, 0.7];
  const biases = [0.2, 0.3, 0, 0.15];
  const run = (activation: typeof erf, w: readonly number[], b: readonly number[], q?: readonly number[]) => {
    const first = gram(x).data.map((value) => (w[0]! * value) / 3 + b[0]!);
    if (q === undefined) return infiniteWidthRecursion(activation, { data: first, shape: [points, points] }, w.slice(1), b.slice(1));
    const preactivation: Matrix[] = [{ data: first, shape: [points, points] }];
    const hidden: Matrix[] = [];
    for (let l = 1; l < w.length; l++) {
      const g = kernelMap(activation, preactivation[l - 1]!);
      hidden.push(g);
      preactivation.push({ data: g.data.map((value) => q[l - 1]! * w[l]! * value + b[l]!), shape: g.shape });
    }
    return { preactivation, hidden };
  };
  it.each([
    ["erf", erf, undefined],
    ["relu, renormalised", relu, [1.4, 0.6, 0.9]],
    ["tanh, renormalised", tanh, [0.5, 1.2, 1.7]],
  ] as const)("%s: those of differences, layer by layer", (_, activation, q) => {
    const value = (w: readonly number[], b: readonly number[]): number =>
      run(activation, w, b, q)
        .preactivation.at(-1)!
        .data.reduce((sum, k, e) => sum + 0.5 * adjoint.data[e]! * k, 0);
    const found = pullBackVariances(activation, run(activation, weights, biases, q), weights, biases, adjoint, q);
    const h = 1e-5;
    const slope = (of: "weight" | "bias", l: number): number => {
      const at = (sign: number): number => {
        const moved = (list: readonly number[]): number[] => list.map((one, k) => (k === l ? one * Math.exp(sign * h) : one));
        return of === "weight" ? value(moved(weights), biases) : value(weights, moved(biases));
      };
      return (at(1) - at(-1)) / (2 * h);
    };
    const layers = [0, 1, 2, 3];
    expectClose(found.logWeightVariance, layers.map((l) => slope("weight", l)), { relative: 1e-6, absolute: 1e-8 }); // prettier-ignore
    expectClose(found.logBiasVariance, layers.map((l) => slope("bias", l)), { relative: 1e-6, absolute: 1e-8 }); // prettier-ignore
  });
  it("asks for as many kernels as variances", () => {
    const recursion = { preactivation: [zeros(1, 1)], hidden: [] };
    expect(() => pullBackVariances(erf, recursion, [1, 1], [0, 0], matrixFromRows([[1]]))).toThrow(/^recursion/);
  });
});
