import { erf, plugin as activations } from "@finitewidth/activations";
import { createRegistry, resolveArchitecture, resolveNetworkInput, type Matrix } from "@finitewidth/core";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { plugin } from "../src/index.js";

// h[a,i] = Σ_{b,m} W[a,b,m] φ(h[b,τ_m(i)])/√(C·M) + b, pixel by pixel on 4 × 3 images of two channels.
const registry = createRegistry([activations, plugin]);
const weightVariance = [1.4, 0.8, 1.7];
const biasVariance = [0.2, 0.3, 0.1];
const D = 2;
const size = [4, 3];
interface Layer {
  readonly channels: number;
  readonly kernelSize: number[];
  readonly stride: number[];
  readonly dilation: number[];
  readonly padding: string | number[];
}
const cases: Record<string, Layer[]> = {
  "circular, then within": [
    { channels: 3, kernelSize: [3, 2], stride: [1, 1], dilation: [1, 2], padding: "circular" },
    { channels: 4, kernelSize: [2, 2], stride: [2, 1], dilation: [1, 1], padding: "valid" },
  ],
  "zeros as asked for, then centred": [
    { channels: 4, kernelSize: [2, 3], stride: [2, 1], dilation: [2, 1], padding: [1, 2] },
    { channels: 3, kernelSize: [3, 2], stride: [1, 2], dilation: [1, 1], padding: "zero" },
  ],
};
/** Sites below that tap m of the filter at site i reads, −1 for zeros; rows last axis fastest. */
function reads({ kernelSize, stride, dilation, padding }: Layer, below: number[]): { sites: number[][]; extent: number[] } {
  const centred = padding === "circular" || padding === "zero";
  const zeros = (axis: number): number => (Array.isArray(padding) ? padding[axis]! : 0);
  const extent = below.map((n, x) =>
    centred ? Math.ceil(n / stride[x]!) : Math.floor((n + 2 * zeros(x) - dilation[x]! * (kernelSize[x]! - 1) - 1) / stride[x]!) + 1,
  );
  const along = (axis: number, i: number, m: number): number => {
    const shift = centred ? dilation[axis]! * (m - Math.floor((kernelSize[axis]! - 1) / 2)) : dilation[axis]! * m - zeros(axis);
    const at = i * stride[axis]! + shift;
    if (padding === "circular") return (at + 10 * below[axis]!) % below[axis]!;
    return at < 0 || at >= below[axis]! ? -1 : at;
  };
  const sites: number[][] = [];
  for (let i = 0; i < extent[0]!; i++)
    for (let j = 0; j < extent[1]!; j++) {
      const row: number[] = [];
      for (let m = 0; m < kernelSize[0]!; m++)
        for (let n = 0; n < kernelSize[1]!; n++) {
          const [y, x] = [along(0, i, m), along(1, j, n)];
          row.push(y < 0 || x < 0 ? -1 : y * below[1]! + x);
        }
      sites.push(row);
    }
  return { sites, extent };
}
const inputs: Matrix = normalMatrix(stream(41), 3, 24);
const others: Matrix = normalMatrix(stream(42), 2, 24);
const image = (m: Matrix, mu: number): number[][] => [0, 1].map((c) => Array.from({ length: 12 }, (_, s) => m.data[mu * 24 + c * 12 + s]!));

describe.each(Object.entries(cases))("%s", (_, layers) => {
  const tables: number[][][] = [];
  let below = size;
  for (const layer of layers) {
    const { sites, extent } = reads(layer, below);
    tables.push(sites);
    below = extent;
  }
  const S = tables[1]!.length;
  describe.each(["flatten", "global-average"] as const)("%s readout", (readout) => {
    const network = resolveNetworkInput(
      { type: "convolutional", inputShape: [2, ...size], layers, readout, activation: "erf", weightVariance, biasVariance },
      registry,
    );
    const architecture = resolveArchitecture(registry, network);

    it("outputs and hidden kernels of given weights", () => {
      const net = realise(architecture, inputs, D);
      const theta = stream(43).normals(new Float64Array(net.parameters));
      const state = net.forward(theta);
      const hidden: number[][][][] = [[], []];
      const outputs = [0, 1, 2].map((mu) => {
        let read = image(inputs, mu);
        let at = 0;
        layers.forEach(({ channels }, l) => {
          const [C, M] = [read.length, tables[l]![0]!.length];
          const [weights, start] = [at, at + channels * C * M];
          at = start + channels;
          const scale = Math.sqrt(weightVariance[l]! / (C * M));
          const h = Array.from({ length: channels }, (_c, a) =>
            tables[l]!.map((taps) => {
              let sum = Math.sqrt(biasVariance[l]!) * theta[start + a]!;
              for (let b = 0; b < C; b++)
                taps.forEach((site, m) => (sum += site < 0 ? 0 : scale * theta[weights + (a * C + b) * M + m]! * read[b]![site]!));
              return sum;
            }),
          );
          read = h.map((row) => row.map((value) => erf.value(value)));
          hidden[l]!.push(read);
        });
        const features = readout === "flatten" ? read.flat() : read.map((row) => row.reduce((sum, value) => sum + value, 0) / S);
        const scale = Math.sqrt(weightVariance[2]! / features.length);
        const F = features.length;
        expect(net.parameters).toBe(at + D * F + D);
        return [0, 1].map((d) =>
          features.reduce(
            (sum, value, k) => sum + scale * theta[at + d * F + k]! * value,
            Math.sqrt(biasVariance[2]!) * theta[at + D * F + d]!,
          ),
        );
      });
      expectClose(state.outputs, outputs, { relative: 1e-11, absolute: 1e-12 });
      state.hiddenKernels().forEach((kernel, l) => {
        const count = hidden[l]![0]!.flat().length;
        const expected = hidden[l]!.map((x) =>
          hidden[l]!.map((z) => x.flat().reduce((sum, value, k) => sum + (value * z.flat()[k]!) / count, 0)),
        );
        expectClose(kernel, expected, { relative: 1e-11, absolute: 1e-12 }, `layer ${l + 1}`);
      });
    });

    it("kernels of infinite width between all pairs of sites", () => {
      /** (μ, i) × (ν, j) of the top layer's units, E φφ, and its means over sites layer by layer. */
      const recursion = (left: Matrix, right: Matrix) => {
        const between = (a: Matrix, b: Matrix): number[][][][] => {
          const [x, z] = [a, b].map((m) => Array.from({ length: m.shape[0] }, (_m, mu) => image(m, mu))) as [number[][][], number[][][]];
          return x.map((p) =>
            z.map((q) => p[0]!.map((_v, i) => q[0]!.map((_w, j) => (p[0]![i]! * q[0]![j]! + p[1]![i]! * q[1]![j]!) / 2))),
          );
        };
        let [K, own, theirs] = [between(left, right), between(left, left), between(right, right)];
        const means: number[][][] = [];
        layers.forEach((_layer, l) => {
          const M = tables[l]![0]!.length;
          const filtered = (G: number[][][][]): number[][][][] =>
            G.map((row) =>
              row.map((block) =>
                tables[l]!.map((p) =>
                  tables[l]!.map(
                    (q) =>
                      biasVariance[l]! +
                      (weightVariance[l]! / M) * p.reduce((sum, s, m) => sum + (s < 0 || q[m]! < 0 ? 0 : block[s]![q[m]!]!), 0),
                  ),
                ),
              ),
            );
          [K, own, theirs] = [filtered(K), filtered(own), filtered(theirs)];
          const phi = (k: number, a: number, b: number): number =>
            (2 / Math.PI) * Math.asin((2 * k) / Math.sqrt((1 + 2 * a) * (1 + 2 * b)));
          const [before, after] = [own, theirs];
          const moments = (of: number[][][][], p: number[][][][], q: number[][][][]): number[][][][] =>
            of.map((row, mu) =>
              row.map((block, nu) => block.map((line, i) => line.map((k, j) => phi(k, p[mu]![mu]![i]![i]!, q[nu]![nu]![j]![j]!)))),
            );
          [K, own, theirs] = [moments(K, before, after), moments(own, before, before), moments(theirs, after, after)];
          means.push(K.map((row) => row.map((block) => block.reduce((sum, line, i) => sum + line[i]!, 0) / block.length)));
        });
        const top = K.map((row) =>
          row.map(
            (block, nu) =>
              biasVariance[2]! +
              weightVariance[2]! *
                (readout === "flatten" ? means[1]![K.indexOf(row)]![nu]! : block.flat().reduce((sum, value) => sum + value, 0) / S ** 2),
          ),
        );
        return { means, top };
      };
      const square = recursion(inputs, inputs);
      const found = infiniteWidthKernels(architecture, inputs);
      expectClose(found.preactivation.at(-1)!, square.top, { relative: 1e-10 });
      found.hidden.forEach((kernel, l) => expectClose(kernel, square.means[l]!, { relative: 1e-10, absolute: 1e-12 }));
      const cross = infiniteWidthKernels(architecture, inputs, others);
      const expected = recursion(inputs, others);
      expectClose(cross.preactivation.at(-1)!, expected.top, { relative: 1e-10, absolute: 1e-12 });
      cross.hidden.forEach((kernel, l) => expectClose(kernel, expected.means[l]!, { relative: 1e-10, absolute: 1e-12 }));
      expectClose(
        cross.othersDiagonal!,
        recursion(others, others).top.map((row, nu) => row[nu]!),
        { relative: 1e-10 },
      );
    });
  });
});
