import {
  createRegistry,
  inlineRun,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  type FigureLab,
  type FigureMethod,
  type Matrix,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "@finitewidth/verification";
import { describe, expect, it } from "vitest";
import { atLeast, atMost, text } from "../src/shared/checks.js";
import { average, drawNetworks, drawParts, overParts, type DrawChunk, type DrawnNetworks } from "../src/shared/draws.js";
import { difference, dot, fromRows, linear, norm, relativeShift, rows, trace } from "../src/shared/numbers.js";
import { kernelOverSites, readoutOverSites } from "../src/shared/site-kernels.js";
import { sampledShifts, shiftsOf } from "../src/shared/shift.js";

const registry = createRegistry(standardPlugins);
const inputs = matrixFromRows([[1, -0.5, 0.3, 0.8], [0.2, 0.9, -1, 0.4]]); // prettier-ignore

describe("numbers", () => {
  it("of matrices of unequal sides", () => {
    const [a, b] = [fromRows([[1, 2, 3], [4, 5, 6]]), fromRows([[1, 1, 1], [1, 1, 3]])]; // prettier-ignore
    expect(a).toEqual(matrixFromRows([[1, 2, 3], [4, 5, 6]])); // prettier-ignore
    expect(rows(a)).toEqual([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
    expect([...difference(a, b).data]).toEqual([0, 1, 2, 3, 4, 3]);
    expect([norm([3, -4]), dot([1, 2], [3, 4]), trace([[1, 9], [9, 2]])]).toEqual([5, 11, 3]); // prettier-ignore
    expect(relativeShift(a, b)).toBeCloseTo(Math.sqrt(39 / 14), 14);
    expect(linear(1, 4, 4)).toEqual([1, 2, 3, 4]);
    expect(average(Float64Array.of(1, 2, 6), (value) => value ** 2)).toBeCloseTo(41 / 3, 14);
    const { mean, standardError } = overParts([1, 2, 6]);
    expect([mean, standardError]).toEqual([3, expect.closeTo(Math.sqrt(14 / 2 / 3), 14)]);
  });

  it("limits hold at their bound, and are written with a true minus sign", () => {
    expect([atMost("a", 2, 2).holds, atMost("a", 2.1, 2).holds, atLeast("a", 2, 2).holds, atLeast("a", 1.9, 2).holds]).toEqual([true, false, true, false]); // prettier-ignore
    expect([atMost("a", 1, 2), atLeast("a", 1, 2)].map(({ expected, found }) => [expected, found])).toEqual([["at most 2", "1"], ["at least 2", "1"]]); // prettier-ignore
    expect(text(-1.234_56)).toBe("−1.235");
  });
});

describe("networks that are drawn", () => {
  const network = { type: "fully-connected", widths: [3, 2], activation: "erf", weightVariance: 1.5, biasVariance: [0.1, 0.2, 0.3] };
  it("have their outputs, and the kernel of the readout with its bias, draw after draw", async () => {
    const real = realise(resolveArchitecture(registry, resolveNetworkInput(network, registry)), inputs, 1);
    const random = stream(5, 7);
    const theta = new Float64Array(real.parameters);
    const expected = Array.from({ length: 3 }, () => {
      const { outputs, features } = real.forward(random.normals(theta));
      const row = (i: number): number[] => [...features.data.subarray(2 * i, 2 * i + 2)];
      return { outputs: [...outputs.data], kernel: [0, 1].flatMap((i) => [0, 1].map((j) => dot(row(i), row(j)) + 0.3)) };
    });
    const found = await drawNetworks.run({ network, inputs, draws: 3, seed: 5, index: 7 }, { registry, tick: () => undefined });
    expect([...found.outputs]).toEqual(expected.flatMap(({ outputs }) => outputs));
    expected.flatMap(({ kernel }) => kernel).forEach((value, k) => expect(found.kernels[k]).toBeCloseTo(value, 13));
    expect(found.kernels).toHaveLength(12);
  });

  it("in 32 parts with streams of their own", async () => {
    const chunks: DrawChunk[] = [];
    const map = async function* (_task: unknown, asked: readonly DrawChunk[]): AsyncIterable<DrawnNetworks> {
      chunks.push(...asked);
      for (const { index } of asked) yield { outputs: Float64Array.of(index), kernels: new Float64Array(0) };
    };
    const lab = { run: { ...inlineRun({ registry, seed: 6 }), map } } as unknown as FigureLab;
    const parts = await drawParts(lab, network, inputs, 33, 100);
    expect(chunks).toEqual(Array.from({ length: 32 }, (_, k) => ({ network, inputs, draws: 2, seed: 6, index: 100 + k })));
    expect(parts.map(({ outputs }) => outputs[0])).toEqual(chunks.map(({ index }) => index));
  });
});

describe("shifts of kernels", () => {
  const kernel = (...data: number[]): Matrix => ({ data: Float64Array.from(data), shape: [1, data.length] });
  const method = (posterior: object): FigureMethod => ({ posterior }) as FigureMethod;
  const infinite = method({ hiddenKernels: [kernel(3, 4), kernel(6, 8)] });
  it("are of every layer in units of its kernel, sampled ones as they are resolved best", () => {
    const moved = method({ hiddenKernels: [kernel(3, 6), kernel(9, 8)] });
    expect(shiftsOf(moved, infinite)).toEqual([2 / 5, 3 / 10]);
    const errors = [kernel(0.5, 0.5), kernel(0, 1)];
    const sampled = method({ ...moved.posterior, standardError: { hiddenKernels: errors } });
    expect(sampledShifts(sampled, infinite)).toEqual([
      { value: Math.sqrt(4 - 0.5) / 5, standardError: expect.closeTo((2 * 0.5) / 2 / 5, 14) },
      { value: Math.sqrt(9 - 1) / 10, standardError: 0 },
    ]);
    const resolved = method({ ...sampled.posterior, hiddenKernelShifts: [kernel(0, 1), kernel(0, -3)], standardError: { hiddenKernels: errors, hiddenKernelShifts: [kernel(0, 0.6), kernel(4, 0)] } }); // prettier-ignore
    expect(sampledShifts(resolved, infinite)).toEqual([
      { value: expect.closeTo(0.8 / 5, 14), standardError: expect.closeTo(0.6 / 5, 14) },
      { value: 0, standardError: 0 },
    ]);
  });
});

describe("matrices over sites", () => {
  const [sites, channels, T] = [2, 3, 0.4];
  const layer = { channels, kernelSize: [2], stride: [2] };
  const network = { type: "convolutional", inputShape: [1, 4], layers: [layer], readout: "flatten", activation: "erf" };
  const resolved = resolveNetworkInput(network, registry);
  const real = realise(resolveArchitecture(registry, resolved), inputs, 1);
  const [chains, draws] = [2, 16];
  const theta = stream(3).normals(new Float64Array(chains * draws * real.parameters));
  const targets = matrixFromRows([[0.7], [-1.2]]);
  const method = {
    posterior: {
      problem: { network: resolved, inputs, targets, temperature: T, scaling: "standard" },
      state: { theta: { data: theta, shape: [chains, draws, real.parameters] } },
    },
  } as unknown as FigureMethod;
  /** Φ of every draw, P × (channel, site); the readout's own parameters do not matter. */
  const features = Array.from({ length: chains * draws }, (_, d) => {
    const { data } = real.forward(theta.slice(d * real.parameters, (d + 1) * real.parameters)).features;
    return [0, 1].map((p) => [...data.subarray(p * channels * sites, (p + 1) * channels * sites)]);
  });
  /** Mean over the draws, and the error from eight batches of each chain. */
  const summary = (of: (phi: number[][]) => number[][]) => {
    const all = features.map(of);
    const entry = (i: number, j: number) => overParts(Array.from({ length: 16 }, (_, b) => (all[2 * b]![i]![j]! + all[2 * b + 1]![i]![j]!) / 2)); // prettier-ignore
    return [0, 1].map((i) => [0, 1].map((j) => entry(i, j)));
  };
  const check = (found: ReturnType<typeof readoutOverSites>, expected: ReturnType<typeof summary>): void => {
    expect(found.degreesOfFreedom).toBe(15);
    for (const [i, row] of expected.entries())
      for (const [j, { mean, standardError }] of row.entries()) {
        expect(found.mean[i]![j]).toBeCloseTo(mean, 12);
        expect(found.standardError[i]![j]).toBeCloseTo(standardError, 12);
      }
  };

  it("of the readout weights: their second moments given the hidden layer, averaged over channels", () => {
    const expected = summary((phi) => {
      const gram = (a: number, b: number): number => dot(phi[a]!, phi[b]!) + (a === b ? T : 0);
      const determinant = gram(0, 0) * gram(1, 1) - gram(0, 1) ** 2;
      const inverse = [
        [gram(1, 1), -gram(0, 1)],
        [-gram(0, 1), gram(0, 0)],
      ].map((row) => row.map((value) => value / determinant));
      const weights = inverse.map((row) => 0.7 * row[0]! - 1.2 * row[1]!);
      const m = phi[0]!.map((_, k) => phi[0]![k]! * weights[0]! + phi[1]![k]! * weights[1]!);
      const lost = (k: number, l: number): number => [0, 1].reduce((sum, a) => sum + [0, 1].reduce((part, b) => part + phi[a]![k]! * inverse[a]![b]! * phi[b]![l]!, 0), 0); // prettier-ignore
      return [0, 1].map((i) =>
        [0, 1].map((j) =>
          Array.from({ length: channels }, (_, c) => [c * sites + i, c * sites + j] as const).reduce(
            (sum, [k, l]) => sum + (m[k]! * m[l]! + (i === j ? 1 : 0) - lost(k, l)) / channels,
            0,
          ),
        ),
      );
    });
    check(readoutOverSites(method, sites, registry), expected);
  });

  it("of a hidden layer: its kernel between sites, averaged over points and channels", () => {
    // features are φ/√(C S)
    const expected = summary((phi) =>
      [0, 1].map((i) =>
        [0, 1].map((j) =>
          phi.reduce((sum, row) => sum + Array.from({ length: channels }, (_, c) => row[c * sites + i]! * row[c * sites + j]! * sites).reduce((a, b) => a + b, 0) / 2, 0),
        ),
      ),
    ); // prettier-ignore
    check(kernelOverSites(method, network, sites, registry), expected);
  });
});
