import { fit, matrixFromRows, resolveNetworkInput } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { nngp } from "../src/index.js";
import { layersOf, testRegistry } from "./registry.ts";

const registry = testRegistry();

it("six sign layers on one line: all kernels are 1, the evidence that of a constant", async () => {
  const inputs = [[0.1], [0.3], [0.7], [1.3]];
  const [T, y] = [0.1, [1, 0.8, 1.2, 0.9]];
  const network = { type: "fully-connected", widths: [10, 10, 10, 10, 10, 10], activation: "sign" };
  const { posterior, predict } = await fit(nngp, { network, inputs, targets: y, temperature: T }, { registry });
  for (const kernel of posterior.hiddenKernels!) expect([...kernel.data]).toEqual(Array.from({ length: 16 }, () => 1));
  // K = 11ᵀ: log det (K + T) = log(P + T) + (P − 1) log T, the sum of y along 1 and the rest across
  const [sum, square] = [y.reduce((a, b) => a + b, 0), y.reduce((a, b) => a + b * b, 0)];
  const expected =
    -0.5 * (4 * Math.log(2 * Math.PI) + Math.log(4 + T) + 3 * Math.log(T) + sum ** 2 / 4 / (4 + T) + (square - sum ** 2 / 4) / T);
  expectClose(posterior.logEvidence!, expected, { relative: 1e-12 });
  const { mean, variance } = await predict([[5], [-2]]);
  expectClose(mean.data, [sum / (4 + T), -sum / (4 + T)], { relative: 1e-12 });
  expectClose(variance.data, [T / (4 + T), T / (4 + T)], { relative: 1e-12 });
});

it("kernels between two sets of inputs agree with those of the sets together", () => {
  const network = {
    type: "fully-connected",
    widths: [10, 10, 10],
    activation: "sign",
    weightVariance: [1, 2, 1, 1],
    biasVariance: [0.3, 0.1, 0, 0.2],
  };
  const layers = layersOf(resolveNetworkInput(network, registry));
  const rows = [
    [1, 2],
    [1, 2.0000001],
    [-1, -2.000000001],
    [0.5, 1],
  ];
  const whole = infiniteWidthKernels(layers, matrixFromRows(rows)).preactivation.at(-1)!;
  const cross = infiniteWidthKernels(layers, matrixFromRows(rows.slice(0, 2)), matrixFromRows(rows.slice(2))).preactivation.at(-1)!;
  expectClose(
    cross.data,
    [0, 1].flatMap((i) => [2, 3].map((j) => whole.data[4 * i + j]!)),
    { relative: 1e-14 },
  );
});
