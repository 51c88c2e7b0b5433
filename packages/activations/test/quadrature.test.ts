import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
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
