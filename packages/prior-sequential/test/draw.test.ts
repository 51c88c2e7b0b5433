import type { Architecture, Matrix } from "@finitewidth/core";
import { composition, drawKernels, fullKernels, realise } from "@finitewidth/kernels";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { built, someInputs } from "./helpers.js";

const dense = (width?: number) => ({ layer: "dense", ...(width ? { width } : {}), weightVariance: 1.3, biasVariance: width ? 0.1 : 0 });
const filter = (channels: number) => ({ layer: "convolution", channels, kernelSize: [3], weightVariance: 1.5, padding: "zero" });
const phi = (name: string) => ({ layer: "activation", name });

const networks: Record<string, Architecture> = {
  "residual of relu": built([3], [dense(5), { layer: "residual", body: [phi("relu"), dense(5)], skip: 0.8 }, phi("erf"), dense()]),
  "norms and a sum": built(
    [3],
    [
      dense(6),
      { layer: "sum", branches: [[{ layer: "layer-normalization" }], [phi("erf"), dense(6)]] },
      { layer: "layer-normalization" },
      phi("relu"),
      dense(),
    ],
  ),
  "filters, pooling, attention, flatten": built(
    [1, 4],
    [
      filter(4),
      { layer: "residual", body: [phi("erf"), filter(4)] },
      { layer: "average-pooling", window: [2] },
      {
        layer: "attention",
        matrices: [
          [
            [0.7, 0.3],
            [0.1, 0.9],
          ],
        ],
        width: 3,
      },
      phi("relu"),
      { layer: "flatten" },
      dense(),
    ],
  ),
};

/** Means and standard errors of the readout's kernel and of products of its entries. */
function moments(draw: () => Float64Array, draws: number) {
  const sums: [number, number][] = [];
  for (let s = 0; s < draws; s++) {
    const k = draw();
    const values = [...k, k[0]! ** 2, k[0]! * k[1]!, k[1]! ** 2, k[0]! * k[3]!];
    values.forEach((value, p) => {
      const sum = (sums[p] ??= [0, 0]);
      sum[0] += value / draws;
      sum[1] += value ** 2 / draws;
    });
  }
  return sums.map(([mean, square]) => ({ mean, error: Math.sqrt(Math.max(0, square - mean ** 2) / draws) }));
}

describe("networks drawn without weights", () => {
  for (const [name, net] of Object.entries(networks)) {
    it(`${name}: the readout's kernel has the law of real networks`, () => {
      const inputs: Matrix = someInputs(2, name.startsWith("filters") ? 4 : 3);
      const random = stream(3);
      const network = realise(net, inputs, 1);
      const theta = new Float64Array(network.parameters);
      const real = moments(() => {
        const { features } = network.forward(random.normals(theta));
        return multiplyTransposedRight(features, features).data;
      }, 4000);
      const drawn = moments(() => drawKernels(composition(net), inputs, random).at(-1)!.data, 4000);
      real.forEach(({ mean, error }, p) => {
        const z = Math.abs(mean - drawn[p]!.mean) / Math.hypot(error, drawn[p]!.error, 1e-12 * mean);
        expect(z, `moment ${p}: ${mean} ± ${error} of real networks, ${drawn[p]!.mean} ± ${drawn[p]!.error} drawn`).toBeLessThan(4);
      });
    });
  }

  it("wide networks have the infinite-width kernels", () => {
    const net = built(
      [3],
      [dense(4000), { layer: "residual", body: [{ layer: "layer-normalization" }, phi("relu"), dense(4000)] }, phi("erf"), dense()],
    );
    const inputs = someInputs(3, 3);
    const full = fullKernels(composition(net), inputs);
    drawKernels(composition(net), inputs, stream(8)).forEach((kernel, v) =>
      kernel.data.forEach((value, k) =>
        expect(Math.abs(value - full.layers[v]!.data[k]!), `layer ${v}`).toBeLessThan((10 * full.layers[v]!.data[0]!) / Math.sqrt(4000)),
      ),
    );
  });

  it("refuses random scores", () => {
    const net = built(
      [2, 2],
      [dense(3), { layer: "attention", scores: "softmax", width: 3 }, { layer: "global-average-pooling" }, dense()],
    );
    expect(() => drawKernels(composition(net), someInputs(2, 4), stream(1))).toThrow(/cannot be drawn/);
  });
});
