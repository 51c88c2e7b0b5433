import { createRegistry, matrix, resolveNetworkInput } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { convolutionalKernels, convolutionalSiteBlocks } from "@finitewidth/kernels";
import { plugin, type ConvolutionalNetwork } from "../src/index.js";
import { filtersOf } from "./helpers.js";

const registry = createRegistry([activations, plugin]);
const images = (rows: number, columns: number, phase: number) =>
  matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(1.7 * i + phase)),
  );

describe("siteBlocks", () => {
  const [train, test] = [images(3, 18, 0), images(2, 18, 5)];
  for (const readout of ["flatten", "global-average"] as const) {
    for (const padding of ["valid", "circular", "zero"] as const) {
      for (const activation of ["erf", "relu"]) {
        it(`sums to the infinite-width kernel: ${readout}, ${padding}, ${activation}`, () => {
          const network = resolveNetworkInput(
            {
              type: "convolutional",
              inputShape: [2, 3, 3],
              layers: [{ channels: 4, kernelSize: [2, 2], stride: [1, 1], padding }],
              readout,
              activation,
              weightVariance: [1.3, 0.8],
              biasVariance: [0.2, 0.5],
            },
            registry,
          ) as ConvolutionalNetwork;
          const phi = registry.activation(activation);
          for (const others of [undefined, test]) {
            const { sites, blocks, means, own } = convolutionalSiteBlocks(filtersOf(network, phi), train, others);
            const expected = convolutionalKernels(filtersOf(network, phi), train, others);
            const sum = blocks[0]!.data.map(
              (_, at) => 0.5 + Array.from({ length: sites }, (__, i) => blocks[i * sites + i]!.data[at]!).reduce((a, b) => a + b, 0),
            );
            expectClose(sum, expected.preactivation[1]!.data, { relative: 1e-12, absolute: 1e-13 });
            expect(means.shape).toEqual([sites, others ? 2 : 3]);
            if (own)
              expectClose(
                Array.from(
                  { length: 2 },
                  (_, t) =>
                    0.5 +
                    Array.from({ length: sites }, (__, i) => own.data[t * sites * sites + i * (sites + 1)]!).reduce((a, b) => a + b, 0),
                ),
                expected.othersDiagonal!,
                { relative: 1e-12 },
              );
          }
        });
      }
    }
  }
  it("B_ij is the transpose of B_ji, and deeper networks are refused", () => {
    const layer = { channels: 4, kernelSize: [2, 2] };
    const network = resolveNetworkInput(
      { type: "convolutional", inputShape: [2, 3, 3], layers: [layer], activation: "erf" },
      registry,
    ) as ConvolutionalNetwork;
    const { sites, blocks } = convolutionalSiteBlocks(filtersOf(network, registry.activation("erf")), train);
    for (let i = 0; i < sites; i++)
      for (let j = 0; j < sites; j++)
        for (let mu = 0; mu < 3; mu++)
          for (let nu = 0; nu < 3; nu++)
            expect(blocks[i * sites + j]!.data[mu * 3 + nu]).toBeCloseTo(blocks[j * sites + i]!.data[nu * 3 + mu]!, 13);
    const deep = resolveNetworkInput(
      { type: "convolutional", inputShape: [2, 3, 3], layers: [layer, { channels: 2, kernelSize: [1, 1] }], activation: "erf" },
      registry,
    ) as ConvolutionalNetwork;
    expect(() => convolutionalSiteBlocks(filtersOf(deep, registry.activation("erf")), train)).toThrow(
      /one hidden layer, this network has 2/,
    );
  });
});
