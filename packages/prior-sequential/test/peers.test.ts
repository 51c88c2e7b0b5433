import { matrixFromRows, rowRange, type Matrix } from "@finitewidth/core";
import { composition, compositionKernels, fullKernels, infiniteWidthKernels } from "@finitewidth/kernels";
import { describe, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { architecture, fixtures, type NetworkInput } from "./helpers.js";

const peers = fixtures<{ network: NetworkInput; inputs: number[][] }, { kernel: number[][] }>("peer-");

/** Mean over sites of a kernel over (point, site). */
function siteMean({ data, shape: [n] }: Matrix, points: number): number[] {
  const s = n / points;
  return Array.from({ length: points * points }, (_, k) => {
    const [mu, nu] = [Math.floor(k / points) * s, (k % points) * s];
    let sum = 0;
    for (let a = 0; a < s; a++) sum += data[(mu + a) * n + nu + a]! / s;
    return sum;
  });
}

describe("kernels of another library", () => {
  for (const { case: name, inputs, expected, tolerance } of peers) {
    const network = architecture(inputs.network);
    const graph = composition(network);
    const x = matrixFromRows(inputs.inputs);
    const P = x.shape[0];
    it(name, () => {
      expectClose(infiniteWidthKernels(network, x).preactivation.at(-1)!, expected.kernel, tolerance, "as recognised");
      expectClose(fullKernels(graph, x).layers.at(-1)!, expected.kernel, tolerance, "all sites");
      expectClose(compositionKernels(graph, x).preactivation.at(-1)!, expected.kernel, tolerance, "needed pairs of sites");
    });
    it(`${name}: between others`, () => {
      const { preactivation, othersDiagonal } = infiniteWidthKernels(network, rowRange(x, 0, 1), rowRange(x, 1, P));
      expectClose(preactivation.at(-1)!, expected.kernel[0]!.slice(1), tolerance, "kernel");
      expectClose(othersDiagonal!, expected.kernel.map((row, i) => row[i]!).slice(1), tolerance, "variances of the others");
      const cross = compositionKernels(graph, x, x);
      expectClose(cross.preactivation.at(-1)!, expected.kernel, { relative: 1e-7, absolute: 1e-7 }, "with the same points");
    });
    it(`${name}: every layer, averaged over sites`, () => {
      const full = fullKernels(graph, x);
      const { preactivation, hidden } = compositionKernels(graph, x);
      const readings = graph.layers.filter(({ reading }) => reading.kind === "units").map(({ reading }) => full.second(reading));
      const close = { relative: 1e-13, absolute: 1e-14 };
      expectClose(
        preactivation.flatMap((k) => [...k.data]),
        full.layers.flatMap((k) => siteMean(k, P)),
        close,
        "preactivation",
      );
      expectClose(
        hidden.flatMap((k) => [...k.data]),
        readings.flatMap((k) => siteMean(k, P)),
        close,
        "hidden",
      );
    });
  }
});
