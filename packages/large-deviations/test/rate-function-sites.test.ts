import { fit, resolveArchitecture, type Matrix, type Theory } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { solve, symmetricEigen } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { largeDeviation } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const C = 6;
const [D, S, P] = [2, 2, 3];
const network = {
  type: "convolutional",
  inputShape: [2, 3],
  layers: [{ channels: C, kernelSize: 2 }],
  activation: "identity",
  weightVariance: [1.2, 0.7],
  biasVariance: [0.1, 0.3],
};
const inputs = [[1, 0.4, -0.2, 0.6, -1.1, 0.3], [-0.3, 1.2, 0.5, 0.9, 0.2, -0.7], [0.8, -0.9, 1, -0.4, 0.1, 1.3]]; // prettier-ignore
const targets = [[1.1, -2.2], [-0.7, 1], [0.4, -1.3]]; // prettier-ignore
const temperature = 0.3;
/** Two channels of three pixels; site i reads pixels i and i + 1. */
const patch = (x: readonly number[], i: number): number[] => [x[i]!, x[i + 1]!, x[3 + i]!, x[4 + i]!];
const kernelOf = (x: number[], i: number, z: number[], j: number): number =>
  (1.2 * patch(x, i).reduce((sum, value, k) => sum + value * patch(z, j)[k]!, 0)) / 4 + 0.1;
const outputs = [0, 1];
const sites = [0, 1];

describe.each([
  ["standard", "flatten"],
  ["mean-field", "flatten"],
  ["standard", "global-average"],
  ["mean-field", "global-average"],
] as const)("filters with two outputs, %s scaling, %s readout", (scaling, readoutOf) => {
  const found = fit(
    largeDeviation as Theory,
    { network: { ...network, readout: readoutOf }, inputs, targets, temperature, scaling },
    { registry },
  );

  it("given the readout's Gram matrix, outputs and hidden units are jointly Gaussian", async () => {
    const { posterior } = await found;
    const mixing = posterior.orderParameter as Matrix;
    expect(mixing.shape).toEqual([D * S, D * S]);
    // any readout A over (output, site) × channels with A Aᵀ = M_1
    const { values, vectors } = symmetricEigen(mixing);
    const readout = (a: number, i: number, c: number): number =>
      c < D * S ? vectors.data[(a * S + i) * D * S + c]! * Math.sqrt(Math.max(values[c]!, 0)) : 0;
    const own = inputs.flatMap((x) => outputs.map((a) => [x, a] as const));
    const covariance = own.flatMap(([x, a], k) =>
      own.map(([z, b], l) =>
        sites.reduce(
          (sum, i) => sum + sites.reduce((inner, j) => inner + mixing.data[(a * S + i) * D * S + b * S + j]! * kernelOf(x, i, z, j), 0),
          (a === b ? 0.3 : 0) + (k === l ? temperature : 0),
        ),
      ),
    );
    const total: Matrix = { data: Float64Array.from(covariance), shape: [P * D, P * D] };
    const y: Matrix = { data: Float64Array.from(targets.flat()), shape: [P * D, 1] };
    const alpha = solve(total, y).data;
    expectClose(
      posterior.train!.mean,
      targets.flat().map((value, k) => value - temperature * alpha[k]!),
      { relative: 1e-7, absolute: 1e-8 },
    );
    // cov(h_ci(x), f_a(z)), and what the data leave of the hidden units
    const cross = (c: number, i: number, x: number[]): number[] =>
      own.map(([z, a]) => sites.reduce((sum, j) => sum + readout(a, j, c) * kernelOf(x, i, z, j), 0));
    const expected = inputs.map((x) =>
      inputs.map((z) => {
        let sum = 0;
        for (const i of sites) {
          for (let c = 0; c < C; c++) {
            const [left, right] = [cross(c, i, x), cross(c, i, z)];
            const [p, q] = [left, right].map((row) => row.reduce((all, value, k) => all + value * alpha[k]!, 0));
            // outputs √C times smaller, data C times as strong: the spread of the units is one order below
            const taken = solve(total, { data: Float64Array.from(right), shape: [P * D, 1] }).data;
            const spread = left.reduce((all, value, k) => all + value * taken[k]!, 0);
            sum += kernelOf(x, i, z, i) + (scaling === "mean-field" ? C * p! * q! : p! * q! - spread);
          }
        }
        return sum / (C * S);
      }),
    );
    expect(posterior.hiddenKernels).toHaveLength(1);
    expectClose(posterior.hiddenKernels![0]!, expected, { relative: 1e-7, absolute: 1e-8 });
  });

  it("the map of the sites shows the mixing matrix averaged over outputs, before, after and the difference", async () => {
    const { posterior } = await found;
    const mixing = (posterior.orderParameter as Matrix).data;
    if (readoutOf === "global-average") {
      // one direction over the sites, (1, 1)/√2, is left: the eigenvalues of its matrix over outputs
      const { series } = posterior.figures![0] as unknown as { series: { y: Float64Array }[] };
      expectClose(series[0]!.y, symmetricEigen(posterior.orderParameter as Matrix).values.subarray(2), { relative: 1e-10 });
      expectClose(series[1]!.y, [0.35, 0.35], { relative: 1e-12 });
      return;
    }
    const figure = posterior.figures![0] as unknown as { panels: { label: string; values: Matrix; diverging?: boolean }[] };
    expect(figure.panels.map(({ label, diverging }) => [label, diverging])).toEqual([["infinite width", undefined], ["minimiser", undefined], ["difference", true]]); // prettier-ignore
    const [before, after, difference] = figure.panels.map(({ values }) => [...values.data]);
    expectClose(before!, [0.35, 0, 0, 0.35], { relative: 1e-12, absolute: 1e-15 });
    const average = sites.flatMap((i) =>
      sites.map((j) => outputs.reduce((sum, a) => sum + mixing[(a * S + i) * D * S + a * S + j]! / D, 0)),
    );
    expectClose(after!, average, { relative: 1e-12 });
    expectClose(difference!, average.map((value, k) => value - before![k]!), { absolute: 1e-14 }); // prettier-ignore
  });

  it("the report holds the only minimum with its matrix", async () => {
    const { posterior } = await found;
    const { data } = posterior.orderParameter as Matrix;
    expect(posterior.diagnostics["minima"]).toEqual([
      { action: posterior.diagnostics["action"], q: [0, 1, 2, 3].map((k) => [...data.subarray(4 * k, 4 * k + 4)]) },
    ]);
    expect(posterior.diagnostics["referenceWidth"]).toBe(C);
    expect(posterior.warnings).toEqual([]);
  });
});

it("two layers of filters: the map of infinite width gives the infinite-width kernel, and matrices of many sites stay out of the report", async () => {
  const deep = {
    ...network,
    inputShape: [1, 5],
    layers: [{ channels: 8, kernelSize: 2, padding: "circular" }, { channels: 8, kernelSize: 2, stride: 2 }],
    weightVariance: [1.2, 0.7, 1.4],
    biasVariance: [0, 0, 0],
  }; // prettier-ignore
  const rows = inputs.map((row) => row.slice(1));
  const { posterior } = await fit(
    largeDeviation as Theory,
    { network: deep, inputs: rows, targets: targets.map(([y]) => y!), temperature },
    { registry },
  );
  const figure = posterior.figures![0] as unknown as { panels: { values: Matrix }[] };
  const { data, shape } = figure.panels[0]!.values;
  expect(shape).toEqual([5, 5]);
  const at = (x: number[], i: number): number[] => [x[i]!, x[(i + 1) % 5]!];
  const through = rows.map((x) =>
    rows.map((z) => {
      let sum = 0;
      for (let i = 0; i < 5; i++)
        for (let j = 0; j < 5; j++) sum += (data[5 * i + j]! * 1.2 * (at(x, i)[0]! * at(z, j)[0]! + at(x, i)[1]! * at(z, j)[1]!)) / 2;
      return sum;
    }),
  );
  const wide = infiniteWidthKernels(resolveArchitecture(registry, posterior.problem.network), posterior.problem.inputs);
  expectClose(through, wide.preactivation.at(-1)!, { relative: 1e-10, absolute: 1e-12 });
  expect(posterior.diagnostics["minima"]).toEqual([{ action: posterior.diagnostics["action"] }]);
  expect(posterior.hiddenKernels).toBeUndefined();
});
