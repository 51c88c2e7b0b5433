import { createRegistry, fit, matrixFromRows } from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  createMultiOutputProblem,
  effectiveAction,
  matrixChainAction,
  matrixChainSaddle,
  matrixMinima,
  multiOutputAction,
} from "../src/index.js";

const kernel = matrixFromRows(
  Array.from({ length: 6 }, (_, a) => Array.from({ length: 6 }, (__, b) => Math.cos(1.3 * (a - b)) + 0.5 * Math.exp(-Math.abs(a - b)))),
);
const targets = matrixFromRows([
  [1, 0.3],
  [-0.4, 1.1],
  [0.9, -2],
  [-1.7, 0.2],
  [0.1, 0.6],
  [1.4, -0.8],
]);
const problemOf = (y = targets, width = 5) => createMultiOutputProblem({ kernel, targets: y, temperature: 0.3, width, biasVariance: 0.2 });

describe("matrixChainSaddle", () => {
  it("one hidden layer is the matrix theory", () => {
    expectClose(matrixChainSaddle(problemOf(), [5]).matrices[0]!, matrixMinima(multiOutputAction(problemOf()), false)[0].orderParameter, {
      absolute: 1e-9,
    });
  });
  it("is stationary in every matrix, for widths that grow and shrink", () => {
    for (const widths of [
      [5, 7],
      [9, 4, 6],
      [3, 3],
    ]) {
      const saddle = matrixChainSaddle(problemOf(), widths);
      expect(saddle.converged).toBe(true);
      saddle.matrices.forEach((m, l) => {
        for (const [i, j] of [
          [0, 0],
          [0, 1],
          [1, 1],
        ] as const) {
          const at = (h: number): number => {
            const data = m.data.slice();
            data[2 * i + j]! += h;
            if (i !== j) data[2 * j + i]! += h;
            return matrixChainAction(
              problemOf(),
              widths,
              saddle.matrices.map((other, k) => (k === l ? { data, shape: m.shape } : other)),
            );
          };
          expect(Math.abs((at(1e-5) - at(-1e-5)) / 2e-5), `widths ${widths.join()}, M_${l + 1}[${i}][${j}]`).toBeLessThan(1e-6);
        }
      });
    }
  });
  it("rotating the outputs rotates all matrices; wide layers drop out", () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const rotation = matrixFromRows([
      [c, -s],
      [s, c],
    ]);
    const plain = matrixChainSaddle(problemOf(), [5, 7]);
    const rotated = matrixChainSaddle(problemOf(multiplyTransposedRight(targets, rotation)), [5, 7]);
    plain.matrices.forEach((m, l) =>
      expectClose(rotated.matrices[l]!, multiplyTransposedRight(multiply(rotation, m), rotation), { absolute: 1e-8 }),
    );
    expectClose(matrixChainSaddle(problemOf(), [5, 1e9]).matrices[0]!, matrixChainSaddle(problemOf(), [5]).matrices[0]!, {
      absolute: 1e-6,
    });
  });
});

describe("through the theory", () => {
  const registry = createRegistry([activations, fullyConnected]);
  const inputs = [
    [0.3, -1.2, 0.8],
    [1.1, 0.4, -0.5],
    [-0.7, 0.9, 1.3],
    [0.2, 0.1, -1.6],
    [-1.4, -0.3, 0.6],
  ];
  const y = [0.9, -0.4, 1.7, -1.1, 0.3];
  const run = (columns: number[][]) =>
    fit(
      effectiveAction,
      {
        network: { type: "fully-connected", activation: "relu", widths: [4, 6], biasVariance: [0.1, 0, 0] },
        inputs,
        targets: columns,
        temperature: 0.1,
      },
      { registry },
    );
  it("a silent second output leaves the first as the product of its scalar order parameters", async () => {
    const scalar = await run(y.map((value) => [value]));
    // two independent rows would need a diagonal M: the second output, all zeros, only shrinks itself
    const double = await run(y.map((value) => [value, 0]));
    const m = double.posterior.orderParameter as { data: Float64Array };
    const q = scalar.posterior.orderParameter as { data: Float64Array };
    expectClose([m.data[0]!, m.data[1]!], [q.data[0]! * q.data[1]!, 0], { absolute: 1e-7 });
    const [a, b] = [await scalar.predict(inputs), await double.predict(inputs)];
    expectClose(
      a.mean.data,
      b.mean.data.filter((_, i) => i % 2 === 0),
      { absolute: 1e-8 },
    );
    expectClose(
      a.variance.data,
      b.variance.data.filter((_, i) => i % 2 === 0),
      { absolute: 1e-8 },
    );
  });
});
