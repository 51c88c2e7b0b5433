import { matrix, matrixFromRows, type Matrix } from "@finitewidth/core";
import { innerProduct, multiplyTransposedRight, symmetricEigenvalues } from "@finitewidth/linalg";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  applyAdjointJacobian,
  applyJacobian,
  crossInfiniteWidthRecursion,
  crossKernelMap,
  diagonalMap,
  fourPointContraction,
  infiniteWidthRecursion,
  kernelMap,
  kernelSlopes,
  plugin,
  subtractDisconnected,
  vertexContraction,
} from "../src/index.js";

const activations = plugin.activations!;
const number = fc.integer({ min: -64, max: 64 }).map((n) => n / 32);

/** Gram matrix of n points in `features` dimensions, with a duplicate, an antipode and a zero input appended. */
function degenerateGram(values: readonly number[], n: number, features: number): Matrix {
  const points = Array.from({ length: n }, (_, i) => values.slice(i * features, (i + 1) * features));
  const rows = [...points, points[0]!, points[0]!.map((x) => -x), points[0]!.map(() => 0)];
  const x = matrixFromRows(rows);
  return multiplyTransposedRight(x, x);
}

const gram = fc.array(number, { minLength: 8, maxLength: 8 }).map((values) => degenerateGram(values, 4, 2));

function symmetric(values: readonly number[], n: number): Matrix {
  return matrixFromRows(Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => values[i + j]! + values[i * j]! * 0.3)));
}

for (const activation of activations) {
  describe(activation.name, () => {
    const runs = { numRuns: activation.name === "tanh" || activation.name === "gelu" ? 15 : 60 };

    it("maps degenerate Gram matrices to finite, symmetric, positive semidefinite ones, equal at duplicates", () => {
      fc.assert(
        fc.property(gram, (K) => {
          const G = kernelMap(activation, K);
          expect(G.data.every(Number.isFinite)).toBe(true);
          for (let i = 0; i < 7; i++) for (let j = 0; j < i; j++) expect(G.data[7 * i + j]).toBe(G.data[7 * j + i]);
          const scale = Math.max(1, ...G.data);
          expect(symmetricEigenvalues(G)[0]!).toBeGreaterThan(-1e-7 * scale);
          for (let j = 0; j < 7; j++)
            expectClose(G.data[28 + j]!, G.data[j]!, { absolute: 1e-7 * scale }, `row of the duplicate, column ${j}`);
        }),
        runs,
      );
    });

    it("slopes are finite at degenerate inputs; ⟨A, J dK⟩ = ⟨Jᵀ A, dK⟩", () => {
      fc.assert(
        fc.property(
          gram,
          fc.array(number, { minLength: 49, maxLength: 49 }),
          fc.array(number, { minLength: 49, maxLength: 49 }),
          (K, u, v) => {
            const { slope, curvature } = kernelSlopes(activation, K);
            expect(slope.data.every(Number.isFinite) && curvature.data.every(Number.isFinite)).toBe(true);
            const [A, change] = [symmetric(u, 7), symmetric(v, 7)];
            const [left, right] = [applyJacobian(activation, K, change), applyAdjointJacobian(activation, K, A)];
            const size = Math.max(...slope.data.map(Math.abs), ...curvature.data.map(Math.abs), 1) * 500;
            expectClose(innerProduct(A, left), innerProduct(right, change), { absolute: 1e-13 * size });
          },
        ),
        runs,
      );
    });

    it("the Jacobian acts as g′(k) dk on the diagonal and at coincident inputs", () => {
      const k = 1.3;
      const K = matrixFromRows([
        [k, k],
        [k, k],
      ]);
      const expected = activation.moments.diagonalSlope(k) * 0.7;
      expectClose(
        applyJacobian(
          activation,
          K,
          matrixFromRows([
            [0.7, 0.7],
            [0.7, 0.7],
          ]),
        ),
        [expected, expected, expected, expected],
        { relative: 1e-12, absolute: 1e-13 },
      );
    });

    it("the Jacobian is the derivative of the kernel map", () => {
      const K = matrixFromRows([
        [1.1, 0.4, -0.3],
        [0.4, 0.8, 0.2],
        [-0.3, 0.2, 1.5],
      ]);
      const change = matrixFromRows([
        [0.5, -0.2, 0.7],
        [-0.2, 0.3, 0.1],
        [0.7, 0.1, -0.4],
      ]);
      const at = (t: number): Matrix =>
        kernelMap(
          activation,
          matrix(
            3,
            3,
            K.data.map((value, i) => value + t * change.data[i]!),
          ),
        );
      const h = 1e-3;
      const [p2, p1, m1, m2] = [at(2 * h), at(h), at(-h), at(-2 * h)].map((m) => m.data) as [
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      const differences = p1.map((_, i) => (-p2[i]! + 8 * p1[i]! - 8 * m1[i]! + m2[i]!) / (12 * h));
      expectClose(applyJacobian(activation, K, change), differences, { relative: 1e-9, absolute: 1e-10 });
    });

    it("fourth-order pair functions are the second derivatives of the kernel", () => {
      const { kernelSlope, kernelCurvature, fourthOrder } = activation.moments;
      const [a, c, b] = [1.1, 0.45, 0.8];
      const derivative = (f: (t: number) => number): number => {
        const h = 1e-3;
        return (-f(2 * h) + 8 * f(h) - 8 * f(-h) + f(-2 * h)) / (12 * h);
      };
      const { d40, d31, d22, d13, d04 } = fourthOrder(a, c, b);
      const expected = [
        2 * derivative((t) => kernelCurvature(a + t, c, b)),
        2 * derivative((t) => kernelSlope(a + t, c, b)),
        derivative((t) => kernelSlope(a, c + t, b)),
        2 * derivative((t) => kernelSlope(a, c, b + t)),
        2 * derivative((t) => kernelCurvature(b + t, c, a)),
      ];
      expectClose([d40, d31, d22, d13, d04], expected, { relative: 1e-8, absolute: 1e-9 });
      const g = activation.moments;
      expectClose(
        g.diagonalCurvature(a),
        derivative((t) => g.diagonalSlope(a + t)),
        { relative: 1e-8, absolute: 1e-9 },
        "g″",
      );
    });

    it("two-point functions stay finite up to correlation ±1 and are continuous there", () => {
      const { kernel, kernelSlope } = activation.moments;
      for (const sign of [1, -1]) {
        const limit = kernel(1.2, sign * Math.sqrt(1.2 * 0.7), 0.7);
        for (const gap of [1e-6, 1e-10, 1e-14, 0, -1e-16]) {
          const c = sign * (1 - gap) * Math.sqrt(1.2 * 0.7);
          expectClose(kernel(1.2, c, 0.7), limit, { absolute: 2 * Math.sqrt(Math.abs(gap)) + 1e-7 });
          expect(kernelSlope(1.2, c, 0.7)).not.toBeNaN();
        }
      }
      for (const [a, c, b] of [
        [0, 0, 1],
        [1, 0, 0],
        [0, 0, 0],
        [1, 1, 1],
        [1, -1, 1],
      ] as const) {
        const { kernelCurvature, fourthOrder } = activation.moments;
        expect(
          [kernelSlope(a, c, b), kernelCurvature(a, c, b), ...Object.values(fourthOrder(a, c, b))].some(Number.isNaN),
          `${a}, ${c}, ${b}`,
        ).toBe(false);
      }
    });

    it("recursion: square and rectangular agree, variances follow g", () => {
      const K = matrixFromRows([
        [1.1, 0.4, -0.3],
        [0.4, 0.8, 0.2],
        [-0.3, 0.2, 1.5],
      ]);
      const [weights, biases] = [
        [1.2, 0.9],
        [0.1, 0.05],
      ];
      const square = infiniteWidthRecursion(activation, K, weights, biases);
      const diagonal = Float64Array.of(1.1, 0.8, 1.5);
      const cross = crossInfiniteWidthRecursion(activation, diagonal, K, diagonal, weights, biases);
      for (const l of [0, 1, 2])
        expectClose(cross.preactivation[l]!, square.preactivation[l]!, { relative: 1e-11, absolute: 1e-11 }, `K${l + 1}`);
      for (const l of [0, 1]) expectClose(cross.hidden[l]!, square.hidden[l]!, { relative: 1e-11, absolute: 1e-11 }, `G${l + 1}`);
      expectClose(
        cross.rowVariances[2]!,
        [0, 4, 8].map((i) => square.preactivation[2]!.data[i]!),
        { relative: 1e-12 },
      );
      expectClose(crossKernelMap(activation, diagonal, K, diagonal), cross.hidden[0]!, { relative: 0 });
      expectClose(
        diagonalMap(activation, diagonal),
        [0, 4, 8].map((i) => square.hidden[0]!.data[i]!),
        { relative: 0 },
      );
    });
  });
}

describe("vertexContraction", () => {
  const K = matrixFromRows([
    [1, 0.3, 1, -0.2],
    [0.3, 0.9, 0.3, 0.4],
    [1, 0.3, 1, -0.2],
    [-0.2, 0.4, -0.2, 1.1],
  ]);
  const M = matrixFromRows([
    [0.3, -0.5, 0.2, 0.9],
    [-0.5, 1.1, 0.4, -0.3],
    [0.2, 0.4, -0.6, 0.1],
    [0.9, -0.3, 0.1, 0.5],
  ]);
  for (const activation of activations.filter((item) => item.name !== "gelu")) {
    it(`${activation.name}: equals the plain sum over all ordered quadruples, in one part or several, and treats duplicates alike`, () => {
      const { fourPoint } = activation.moments;
      const G = kernelMap(activation, K);
      const direct = new Float64Array(16);
      for (let a = 0; a < 4; a++) {
        for (let b = 0; b < 4; b++) {
          for (let c = 0; c < 4; c++) {
            for (let d = 0; d < 4; d++) {
              const index = [a, b, c, d];
              const covariance = Float64Array.from({ length: 16 }, (_, i) => K.data[4 * index[Math.floor(i / 4)]! + index[i % 4]!]!);
              direct[4 * a + b]! += (fourPoint(covariance) - G.data[4 * a + b]! * G.data[4 * c + d]!) * M.data[4 * c + d]!;
            }
          }
        }
      }
      const whole = vertexContraction(activation, K, M);
      expectClose(whole, direct, { relative: 1e-9, absolute: 1e-9 });
      const parts = [
        [0, 3],
        [3, 4],
        [4, 10],
      ].map(([from, to]) => fourPointContraction(activation, K, M, { from: from!, to: to! }));
      const sum = matrix(
        4,
        4,
        Float64Array.from({ length: 16 }, (_, i) => parts.reduce((total, part) => total + part.data[i]!, 0)),
      );
      expectClose(subtractDisconnected(sum, G, M), whole, { absolute: 1e-12 });
      expectClose(
        [0, 1, 2, 3].map((j) => whole.data[8 + j]!),
        [0, 1, 2, 3].map((j) => whole.data[j]!),
        { absolute: 1e-9 },
        "row of the duplicate",
      );
    });
  }
  it("stops when the tick throws", () => {
    expect(() =>
      vertexContraction(activations[0]!, K, M, () => {
        throw new Error("cancelled");
      }),
    ).toThrow("cancelled");
  });
});

describe("inputs of any size", () => {
  const named = (name: string) => activations.find((activation) => activation.name === name)!.moments;
  const pairs = [
    [1, 0.3, 2],
    [1, -0.999, 1],
    [0.5, 1 - 1e-9, 2],
    [3, 0, 0.1],
    [2, 2, 2],
  ] as const;

  it("give kernels of sign and step that do not depend on it, of ReLU that go with it", () => {
    for (const [a, c, b] of pairs) {
      for (const size of [2 ** -1000, 2 ** -700, 2 ** 700, 2 ** 1000]) {
        for (const name of ["sign", "step"])
          expectClose(named(name).kernel(size * a, size * c, size * b), named(name).kernel(a, c, b), { relative: 1e-13 });
        expectClose(named("relu").kernel(size * a, size * c, size * b) / size, named("relu").kernel(a, c, b), { relative: 1e-13 });
      }
    }
  });

  it("make signs of erf units where they are large", () => {
    for (const [a, c, b] of pairs) {
      for (const size of [2 ** 700, 2 ** 1000])
        expectClose(named("erf").kernel(size * a, size * c, size * b), named("sign").kernel(a, c, b), { relative: 1e-13 });
    }
  });
});
