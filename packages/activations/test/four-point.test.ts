import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  defineActivation,
  erf,
  gelu,
  geluFunction,
  identity,
  quadratic,
  relu,
  sign,
  smoothFourPoint,
  smoothFourPointEstimate,
  step,
  tanh,
  tanhFunction,
} from "../src/index.js";

/** C = F Fᵀ for 4 rows of factors. */
function covariance(factors: readonly (readonly number[])[]): Float64Array {
  return Float64Array.from({ length: 16 }, (_, i) => factors[Math.floor(i / 4)]!.reduce((sum, x, r) => sum + x * factors[i % 4]![r]!, 0));
}
const equicorrelated = (rho: number): Float64Array => Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : rho));
/** Covariance of (h_i) for indices into two inputs with variances a, b and covariance c. */
const pairCovariance = (indices: readonly (0 | 1)[], a: number, c: number, b: number): Float64Array => {
  const K = [a, c, c, b];
  return Float64Array.from({ length: 16 }, (_, i) => K[2 * indices[Math.floor(i / 4)]! + indices[i % 4]!]!);
};
const grid = [
  [1, 0.3, 2],
  [0.7, -0.5, 0.6],
  [1, 0.999999, 1],
  [1, -1, 1],
  [2, 0, 0.5],
  [1, 1 - 1e-10, 1],
] as const;

describe("sign", () => {
  it("E sgn² sgn² = 1 and E sgn_a² sgn_b sgn_c = G_bc, exactly singular covariances", () => {
    for (const [a, c, b] of grid) {
      expectClose(sign.moments.fourPoint(pairCovariance([0, 0, 1, 1], a, c, b)), 1, { absolute: 1e-12 }, `${a} ${c} ${b}`);
      expectClose(
        sign.moments.fourPoint(pairCovariance([0, 0, 0, 1], a, c, b)),
        sign.moments.kernel(a, c, b),
        { absolute: 3e-11 },
        `${a} ${c} ${b}`,
      );
    }
    const C = covariance([
      [1, 0, 0],
      [1, 0, 0],
      [0.5, 1, 0.2],
      [-0.3, 0.4, 1],
    ]);
    expectClose(sign.moments.fourPoint(C), sign.moments.kernel(C[10]!, C[11]!, C[15]!), { absolute: 1e-12 });
  });
  it("equicorrelated at ½: orthant probability 1/5, so E4 = 1/5", () =>
    expectClose(sign.moments.fourPoint(equicorrelated(0.5)), 0.2, { absolute: 1e-13 }));
  it("one common factor: a one-dimensional integral", () => {
    const loadings = [0.9, -0.4, 0.7, 0.3];
    const C = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : loadings[Math.floor(i / 4)]! * loadings[i % 4]!));
    let expected = 0;
    for (let z = -10; z <= 10; z += 0.01)
      expected +=
        (0.01 / Math.sqrt(2 * Math.PI)) *
        Math.exp((-z * z) / 2) *
        loadings.reduce((product, l) => product * erf.value((l * z) / Math.sqrt(2 * (1 - l * l))), 1);
    expectClose(sign.moments.fourPoint(C), expected, { absolute: 1e-13 });
  });
});

describe("relu", () => {
  it("two inputs in closed form", () => {
    for (const [a, c, b] of grid) {
      const theta = Math.atan2(Math.sqrt(Math.max(0, a * b - c * c)), c);
      const [s, co] = [Math.sin(theta), Math.cos(theta)];
      const rest = Math.PI - theta;
      expectClose(
        relu.moments.fourPoint(pairCovariance([0, 1, 0, 1], a, c, b)),
        (a * b * (3 * s * co + rest * (1 + 2 * co * co))) / (2 * Math.PI),
        { absolute: 1e-12 * a * b, relative: 1e-12 },
        `${a} ${c} ${b}`,
      );
      const three =
        (a ** 1.5 * b ** 0.5 * (co * (3 * rest + 2 * Math.sin(2 * theta) - 0.25 * Math.sin(4 * theta)) + 2 * s ** 5)) / (2 * Math.PI);
      expectClose(
        relu.moments.fourPoint(pairCovariance([0, 0, 1, 0], a, c, b)),
        three,
        { absolute: 1e-11, relative: 1e-11 },
        `${a} ${c} ${b}`,
      );
    }
    expectClose(relu.moments.fourPoint(new Float64Array(16).fill(0.7)), relu.moments.fourth(0.7), { relative: 1e-12 });
  });
  it("scales with every input", () => {
    const C = covariance([
      [1, 0.2, 0.3, 0.1],
      [0.5, 1, -0.2, 0],
      [0.1, 0.4, 0.9, 0.3],
      [-0.2, 0.3, 0.1, 0.8],
    ]);
    const scales = [2, 1, 3, 0.5];
    const scaled = C.map((value, i) => value * scales[Math.floor(i / 4)]! * scales[i % 4]!);
    expectClose(relu.moments.fourPoint(scaled), 3 * relu.moments.fourPoint(C), { relative: 1e-12 });
  });
});

describe("erf", () => {
  it("agrees with the four-dimensional rule, and with E erf⁴ by one-dimensional quadrature", () => {
    const C = covariance([
      [1, 0.2, 0.3, 0.1],
      [0.5, 1, -0.2, 0],
      [0.1, 0.4, 0.9, 0.3],
      [-0.2, 0.3, 0.1, 0.8],
    ]);
    expectClose(
      erf.moments.fourPoint(C),
      smoothFourPoint({ value: erf.value, derivative: erf.derivative, odd: true, analyticRadius: 1.5, saturates: true }, C),
      { relative: 1e-7, absolute: 1e-9 },
    );
    let expected = 0;
    for (let z = -10; z <= 10; z += 0.005)
      expected += (0.005 / Math.sqrt(2 * Math.PI)) * Math.exp((-z * z) / 2) * erf.value(Math.sqrt(1.7) * z) ** 4;
    expectClose(erf.moments.fourth(1.7), expected, { relative: 1e-12 });
  });
  it("large variances tend to sign, small ones to 4/π² × the linear one", () => {
    const C = covariance([
      [1, 0.2, 0.3, 0.1],
      [0.5, 1, -0.2, 0],
      [0.1, 0.4, 0.9, 0.3],
      [-0.2, 0.3, 0.1, 0.8],
    ]);
    expectClose(erf.moments.fourPoint(C.map((x) => 1e12 * x)), sign.moments.fourPoint(C), { relative: 1e-9 });
    expectClose(erf.moments.fourPoint(C.map((x) => 1e-5 * x)), (16 / Math.PI ** 2) * identity.moments.fourPoint(C) * 1e-10, {
      relative: 1e-3,
    });
  });
});

describe("smooth activations", () => {
  it("estimates an error that covers the true one", () => {
    const C = covariance([
      [1, 0.2, 0.3, 0.1],
      [0.5, 1, -0.2, 0],
      [0.1, 0.4, 0.9, 0.3],
      [-0.2, 0.3, 0.1, 0.8],
    ]);
    const erfFunction = { value: erf.value, derivative: erf.derivative, odd: true, analyticRadius: 1.5, saturates: true };
    const { value, error, rank } = smoothFourPointEstimate(erfFunction, C);
    expect(rank).toBe(4);
    expect(Math.abs(value - erf.moments.fourPoint(C))).toBeLessThan(error);
    expect(error).toBeLessThan(1e-6);
  });
  it("coincident indices reduce to one-dimensional moments", () => {
    for (const phi of [tanh, gelu])
      expectClose(phi.moments.fourPoint(new Float64Array(16).fill(1.3)), phi.moments.fourth(1.3), { relative: 1e-11 });
  });
  it("refuses variances out of reach, and kinks, by name", () => {
    expect(() =>
      smoothFourPoint(
        tanhFunction,
        equicorrelated(0.1).map((x) => 1e4 * x),
      ),
    ).toThrow(/four-point function.*variance/);
    const absolute = defineActivation({
      name: "absolute",
      summary: "|h|",
      odd: false,
      smooth: false,
      bounded: false,
      value: Math.abs,
      derivative: Math.sign,
    });
    expect(() => absolute.moments.fourPoint(equicorrelated(0.1))).toThrow(/kinks/);
  });
  it("rank 0: all inputs zero", () => expect(smoothFourPoint(geluFunction, new Float64Array(16))).toBe(0));
});

describe("every activation", () => {
  const factors = fc.array(
    fc.integer({ min: -8, max: 8 }).map((n) => n / 6),
    { minLength: 12, maxLength: 12 },
  );
  for (const phi of [identity, erf, relu, sign, step, quadratic]) {
    it(`${phi.name}: symmetric under permutations, finite for singular covariances of rank ≤ 3, bounded by Hölder`, () => {
      fc.assert(
        fc.property(factors, (x) => {
          const rows = [0, 3, 6, 9].map((i) => x.slice(i, i + 3));
          const value = phi.moments.fourPoint(covariance(rows));
          const permuted = phi.moments.fourPoint(covariance([rows[2]!, rows[0]!, rows[3]!, rows[1]!]));
          const bound = rows.reduce(
            (product, row) => product * phi.moments.fourth(row.reduce((sum, entry) => sum + entry * entry, 0)) ** 0.25,
            1,
          );
          // correlations are rounded, and the four-point function of sign and step has square-root branch points there
          expectClose(permuted, value, { absolute: 5e-8 * (bound + 1e-12) });
          expect(Math.abs(value)).toBeLessThanOrEqual(bound * (1 + 1e-7) + 1e-12);
        }),
        { numRuns: 200 },
      );
    });
  }
});
