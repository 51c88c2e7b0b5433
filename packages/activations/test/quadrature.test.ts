import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { gaussLegendre, normalDistribution } from "@finitewidth/numerics";
import { defineActivation, erf, gelu, pairMoments, relu, sign, tanh, type QuadratureMoments } from "../src/index.js";

const points = [
  [1, 0.3, 2],
  [0.6, -0.5, 0.7],
  [1.5, 1.4999, 1.5],
  [1, 1, 1],
  [2, -2, 2],
  [0.01, 0.005, 3],
  [0, 0, 1],
  [30, 12, 5],
] as const;

describe("quadrature against closed forms", () => {
  // the same functions, without their closed forms
  const numerical = [
    {
      exact: erf,
      phi: defineActivation({
        name: "erf",
        summary: "",
        odd: true,
        smooth: true,
        bounded: true,
        analyticRadius: 1.2,
        saturates: true,
        value: erf.value,
        derivative: erf.derivative,
        secondDerivative: erf.secondDerivative!,
      }),
    },
    {
      exact: gelu,
      phi: defineActivation({
        name: "gelu",
        summary: "",
        odd: false,
        smooth: true,
        bounded: false,
        analyticRadius: 1.2,
        saturates: true,
        value: gelu.value,
        derivative: gelu.derivative,
        secondDerivative: gelu.secondDerivative!,
      }),
    },
  ];
  for (const { exact, phi } of numerical) {
    it(`${phi.name}: pairs, one at a time and in a batch`, () => {
      const batch = pairMoments(phi.moments);
      for (const [a, c, b] of points) {
        for (const name of ["kernel", "kernelSlope", "kernelCurvature"] as const) {
          const expected = exact.moments[name](a, c, b);
          const tolerance = { relative: 1e-12, absolute: 1e-12 };
          expectClose(phi.moments[name](a, c, b), expected, tolerance, `${name}(${a}, ${c}, ${b})`);
          expectClose(batch[name](a, c, b), expected, tolerance, `batch ${name}(${a}, ${c}, ${b})`);
        }
      }
      for (const k of [0, 0.1, 1, 8, 400]) {
        for (const name of ["diagonal", "diagonalSlope", "mean", "slope", "fourth"] as const)
          expectClose(phi.moments[name](k), exact.moments[name](k), { relative: 1e-12, absolute: 1e-13 }, `${name}(${k})`);
      }
    });
    it(`${phi.name}: derivatives by differences`, () => {
      const { d40, d31, d22, d13, d04 } = phi.moments.fourthOrder(1.1, 0.4, 0.8);
      const e = exact.moments.fourthOrder(1.1, 0.4, 0.8);
      expectClose([d40, d31, d22, d13, d04], [e.d40, e.d31, e.d22, e.d13, e.d04], { relative: 1e-7, absolute: 1e-8 });
      expectClose(phi.moments.diagonalCurvature(0.9), exact.moments.diagonalCurvature(0.9), { relative: 1e-7, absolute: 1e-8 });
    });
  }
  it("relu and |h| with a kink", () => {
    const kinked = defineActivation({
      name: "kinked",
      summary: "",
      odd: false,
      smooth: false,
      bounded: false,
      value: relu.value,
      derivative: relu.derivative,
    });
    for (const [a, c, b] of points) {
      for (const name of ["kernel", "kernelSlope", "kernelCurvature"] as const) {
        if (a === 0) continue;
        expectClose(
          kinked.moments[name](a, c, b),
          relu.moments[name](a, c, b),
          { absolute: 1e-9 * Math.sqrt(a * b) + 1e-9 },
          `${name}(${a}, ${c}, ${b})`,
        );
      }
    }
    const absolute = defineActivation({
      name: "absolute",
      summary: "",
      odd: false,
      smooth: false,
      bounded: false,
      value: Math.abs,
      derivative: Math.sign,
    });
    for (const rho of [-0.99, -0.3, 0, 0.5, 0.9999])
      expectClose(absolute.moments.kernel(2, rho * 2, 2), (4 / Math.PI) * (Math.sqrt(1 - rho * rho) + rho * Math.asin(rho)), {
        relative: 1e-9,
      });
    expectClose(absolute.moments.diagonalSlope(1.7), 1, { relative: 1e-10 });
  });
});

describe("kinks away from the origin", () => {
  /** −0.5 below −0.5, 1 above 1: neither odd nor even. */
  const clipped = defineActivation({
    name: "clipped",
    summary: "",
    odd: false,
    smooth: false,
    bounded: true,
    kinks: [1, -0.5],
    value: (h) => Math.min(1, Math.max(-0.5, h)),
    derivative: (h) => (h > -0.5 && h < 1 ? 1 : 0),
  });
  const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const [low, high] = [-0.5, 1];
  /** E φ(m + s z) and P(low < m + s z < high). */
  const inner = (m: number, s: number) => {
    const [a, b] = [(low - m) / s, (high - m) / s];
    const inside = normalDistribution(b) - normalDistribution(a);
    return { mean: low * normalDistribution(a) + high * normalDistribution(-b) + m * inside - s * (density(b) - density(a)), inside };
  };
  /** ∫ f(x) density(x/σ)/σ dx in pieces between the kinks. */
  const outer = (variance: number, f: (x: number) => number): number => {
    const sigma = Math.sqrt(variance);
    const edges = [-9 * sigma, low, 0.25, high, 9 * sigma];
    return edges.slice(1).reduce((sum, to, e) => {
      const rule = gaussLegendre(60, edges[e], to);
      return sum + rule.nodes.reduce((part, x, i) => part + (rule.weights[i]! * f(x) * density(x / sigma)) / sigma, 0);
    }, 0);
  };
  it("moments of one and of two, of unequal variances, and their derivatives", () => {
    const { moments, value, derivative } = clipped;
    for (const [a, c, b] of [
      [1.1, 0.5, 0.6],
      [0.5, -0.4, 1.4],
    ] as const) {
      // prettier-ignore
      const rest = Math.sqrt(b - (c * c) / a);
      const close = { absolute: 1e-8 };
      expectClose(moments.kernel(a, c, b), outer(a, (x) => value(x) * inner((c / a) * x, rest).mean), close); // prettier-ignore
      expectClose(moments.kernelSlope(a, c, b), outer(a, (x) => derivative(x) * inner((c / a) * x, rest).inside), close); // prettier-ignore
      // X = 2 ∂G/∂a
      const h = 1e-3;
      expectClose(moments.kernelCurvature(a, c, b), (moments.kernel(a + h, c, b) - moments.kernel(a - h, c, b)) / h, { absolute: 1e-5 });
      expectClose(moments.diagonal(a), outer(a, (x) => value(x) ** 2), { absolute: 1e-10 }); // prettier-ignore
      expectClose(moments.mean(a), outer(a, value), { absolute: 1e-10 });
      expectClose(moments.slope(a), outer(a, derivative), { absolute: 1e-10 });
      expectClose(moments.fourth(a), outer(a, (x) => value(x) ** 4), { absolute: 1e-10 }); // prettier-ignore
      // one variable is known to enough digits for a smaller step
      const d = 1e-4;
      expectClose(moments.diagonalSlope(a), (moments.diagonal(a + d) - moments.diagonal(a - d)) / (2 * d), { absolute: 1e-6 });
      expectClose(moments.diagonalCurvature(a), (moments.diagonalSlope(a + d) - moments.diagonalSlope(a - d)) / (2 * d), {
        absolute: 1e-6,
      });
    }
    expect(moments.kernelCurvature(0, 0, 1)).toBe(0);
  });
  it("have no four-point functions unless they are given, and say so", () => {
    expect(clipped.moments.fourPoints).toBe("none");
    expect(() => clipped.moments.fourPoint(new Float64Array(16))).toThrow(/four-point functions of an activation with kinks/);
    expect(() => clipped.moments.fourthOrder(1, 0, 1)).toThrow(/fourth-order pair functions of an activation with kinks/);
    expect([tanh.moments.fourPoints, gelu.moments.fourPoints]).toEqual(["quadrature", "quadrature"]);
    const own = defineActivation({ name: "x", summary: "", odd: true, smooth: true, bounded: true, value: Math.sin, derivative: Math.cos, moments: { fourPoint: () => 3 } }); // prettier-ignore
    expect([own.moments.fourPoints, own.moments.fourPoint(new Float64Array(16))]).toEqual(["closed-form", 3]);
  });
});

describe("tanh", () => {
  /** E p(x)q(y) by a plain two-dimensional trapezoid rule with a fixed fine step: slow, independent. */
  const plain = (p: (h: number) => number, q: (h: number) => number, a: number, c: number, b: number): number => {
    const h = 0.1;
    const rest = Math.sqrt(b - (c * c) / a);
    let sum = 0;
    for (let u = -9; u <= 9; u += h)
      for (let v = -9; v <= 9; v += h) sum += Math.exp(-0.5 * (u * u + v * v)) * p(Math.sqrt(a) * u) * q((c / Math.sqrt(a)) * u + rest * v);
    return (sum * h * h) / (2 * Math.PI);
  };
  it("agrees with an independent rule", () => {
    for (const [a, c, b] of [
      [2.606326616745366, -1.2986595270815542, 1.4821515747967775],
      [0.7, 0.2, 1.1],
    ] as const) {
      expectClose(tanh.moments.kernel(a, c, b), plain(tanh.value, tanh.value, a, c, b), { relative: 1e-12, absolute: 1e-13 });
      expectClose(tanh.moments.kernelSlope(a, c, b), plain(tanh.derivative, tanh.derivative, a, c, b), {
        relative: 1e-12,
        absolute: 1e-13,
      });
      expectClose(tanh.moments.kernelCurvature(a, c, b), plain(tanh.secondDerivative!, tanh.value, a, c, b), {
        relative: 1e-12,
        absolute: 1e-13,
      });
    }
  });
  it("batch and single pairs agree, at large variances too, where both approach sign", () => {
    const batch = (tanh.moments as QuadratureMoments).batch();
    for (const k of [1e-6, 0.5, 4, 30, 1e3]) {
      for (const rho of [-1, -0.999, -0.4, 0, 0.2, 0.9, 0.99999, 1]) {
        expectClose(
          batch.kernel(k, rho * k, k),
          tanh.moments.kernel(k, rho * k, k),
          { relative: 1e-11, absolute: 1e-13 * Math.min(1, k) },
          `k = ${k}, ρ = ${rho}`,
        );
        expectClose(
          batch.kernelSlope(k, rho * k, k),
          tanh.moments.kernelSlope(k, rho * k, k),
          { relative: 1e-11, absolute: 1e-13 },
          `slope, k = ${k}, ρ = ${rho}`,
        );
      }
    }
    expectClose(tanh.moments.kernel(1e10, 0.6e10, 1e10), sign.moments.kernel(1, 0.6, 1), { relative: 1e-9 });
    // a b overflows
    expectClose(tanh.moments.kernel(1e250, 0.6e250, 0.8e250), sign.moments.kernel(1, 0.6, 0.8), { relative: 1e-12 });
    expectClose(tanh.moments.diagonal(1e10), 1 - 2 / Math.sqrt(2 * Math.PI * 1e10), { absolute: 1e-13 });
  });
});

describe("defineActivation", () => {
  const valid = { name: "x", summary: "", odd: true, smooth: true, bounded: false, value: (h: number) => h, derivative: () => 1 };
  it("names what is wrong", () => {
    expect(() => defineActivation({ ...valid, name: "" })).toThrow(/name/);
    expect(() => defineActivation({ ...valid, value: (h) => 1 / h })).toThrow(/x\.value\(0\): expected a finite number/);
    expect(() => defineActivation({ ...valid, derivative: () => NaN })).toThrow(/x\.derivative/);
    expect(() => defineActivation({ ...valid, kinks: [1] })).toThrow(/kinks/);
    expect(() => defineActivation({ ...valid, analyticRadius: 0 })).toThrow(/analyticRadius/);
  });
  it("takes closed forms where given", () => {
    const phi = defineActivation({ ...valid, moments: { kernel: (_a, c) => c } });
    expect(phi.moments.kernel(1, 0.123, 1)).toBe(0.123);
    expectClose(phi.moments.diagonal(0.7), 0.7, { relative: 1e-13 });
  });
  it("refuses variances that would need too many nodes", () => {
    const sin = defineActivation({ ...valid, name: "sin", value: Math.sin, derivative: Math.cos, secondDerivative: (h) => -Math.sin(h) });
    expectClose(sin.moments.kernel(9, 4, 9), Math.exp(-9) * Math.sinh(4), { relative: 1e-10, absolute: 1e-14 });
    expect(() => sin.moments.kernel(1e9, 0, 1e9)).toThrow(/variance/);
  });
});
