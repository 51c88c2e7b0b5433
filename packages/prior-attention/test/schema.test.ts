import { createRegistry, matrixFromRows, resolveArchitecture, resolveNetworkInput } from "@finitewidth/core";
import { mixingLaw } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import { attentionModel, plugin, type AttentionNetwork } from "../src/index.js";

const registry = createRegistry([plugin]);
const resolve = (network: object): AttentionNetwork =>
  resolveNetworkInput({ type: "attention", tokens: 2, features: 2, layers: [{ width: 3 }], ...network }, registry) as AttentionNetwork;
const error = (network: object): string => {
  try {
    attentionModel(resolve(network));
    return "accepted";
  } catch (thrown) {
    return (thrown as Error).message;
  }
};

describe("attention networks in an experiment file", () => {
  it("fixture invalid-inputs: refused by path", () => {
    const { inputs } = readFixture<{
      inputs: { cases: { kind: string; attention: (number | null)[][][][][]; readout: number[]; widths: number[]; temperature: number }[] };
    }>("attention-residual/invalid-inputs");
    const cases = inputs.cases.filter(({ kind, temperature }) => kind === "attention" && temperature >= 0);
    const messages = cases.map((c) =>
      error({
        layers: c.widths.map((width, l) => ({
          width,
          maps: { matrices: (c.attention[l]?.[0] ?? []).map((map) => map.map((row) => row.map((value) => value ?? Number.NaN))) },
        })),
        readout: c.readout,
      }),
    );
    expect(messages).toEqual([
      expect.stringMatching(/^network\.layers\[0\]\.maps\.matrices: expected at least one head/),
      expect.stringMatching(/^network\.layers\[0\]\.maps\.matrices\[0\]\[0\]: expected 2 numbers, one per token/),
      expect.stringMatching(/^network\.layers\[0\]\.maps\.matrices\[0\]\[0\]\[1\]: expected .*number/),
      expect.stringMatching(/^network\.layers\[0\]\.width: expected a positive integer/),
      expect.stringMatching(/^network\.readout: expected a token 0 … 1/),
    ]);
  });

  it("other mistakes by path too, and what it resolves is accepted again", () => {
    expect(error({ layers: [{ width: 2, maps: { heads: 2, keys: 3, sharpness: 1 } }] })).toMatch(/maps\.sharpness: unknown key/);
    expect(error({ layers: [{ width: 2, maps: { queries: [[[1, 0]]], keys: [[[1, 0, 0]]] } }] })).toMatch(
      /maps\.keys\[0\]\[0\]: expected 2 numbers/,
    );
    expect(error({ weightVariance: [1, 2, 3] })).toMatch(/network\.weightVariance/);
    expect(error({ readout: 2 })).toMatch(/network\.readout/);
    const network = resolve({ readout: 1, layers: [{ width: 2, maps: { heads: 2, keys: 3 } }] });
    expect(network.readout).toEqual([0, 1]);
    expect(resolve(network)).toEqual(network);
    expect(() => attentionModel(network).parse(matrixFromRows([[1, 2, 3]]))).toThrow(/rows of 4 numbers \(2 tokens × 2 features\), got 3/);
  });

  it("too many paths, and biases that would depend on the input, are refused by the law", () => {
    const heads = Array.from({ length: 8 }, () => ({ width: 4, maps: { heads: 4, keys: 2 } }));
    expect(() => mixingLaw(resolveArchitecture(registry, resolve({ layers: heads })))).toThrow(/paths/);
    const own = { layers: [{ width: 2 }, { width: 3, maps: { heads: 2, from: "input" } }], biasVariance: [0, 0.1, 0] };
    expect(() => mixingLaw(resolveArchitecture(registry, resolve(own)))).toThrow(/network\.biasVariance\[1\]: expected 0/);
  });

  it.each<[object, string]>([
    [{ layers: [{ width: 2 }, { width: 3, maps: { matrices: [[[1, 0], [0, 1]], [[1, 0]]] } }] }, "layers[1].maps.matrices[1]: expected 2 rows, one per token, got an array of 1"],
    [{ layers: [{ width: 2, maps: { matrices: [[[1, 0], [0, 1, 2]]] } }] }, "layers[0].maps.matrices[0][1]: expected 2 numbers, one per token, got an array of 3"],
    [{ layers: [{ width: 2, maps: { queries: [[[1, 0]], [[0, 1]]], keys: [[[1, 0]]] } }] }, "layers[0].maps.keys: expected 2 matrices, one per head like the queries, got an array of 1"],
    [{ layers: [{ width: 2, maps: { queries: [[[1, 0]]], keys: [[[1, 0], [0, 1]]] } }] }, "layers[0].maps.keys[0]: expected 1 rows, like the queries of this head, got an array of 2"],
    [{ layers: [{ width: 2, maps: { queries: [[]], keys: [[]] } }] }, "layers[0].maps.queries[0]: expected 1 rows, like the queries of this head, got an empty array"],
    [{ layers: [{ width: 2, maps: { queries: [[[1, 0], [1]]], keys: [[[1, 0], [0, 1]]] } }] }, "layers[0].maps.queries[0][1]: expected 2 numbers, one per feature, got an array of 1"],
    [{ layers: [{ width: 2, maps: { queries: [[[1, 0]]], keys: [[[1, 0]]], scale: 0 } }] }, "layers[0].maps.scale: expected a positive number, got 0"],
    [{ layers: [{ width: 2, maps: { heads: 0, keys: 1 } }] }, "layers[0].maps.heads: expected a positive integer, got 0"],
    [{ layers: [{ width: 2, maps: { heads: 1, keys: 1, seed: -1 } }] }, "layers[0].maps.seed: expected an integer ≥ 0, got -1"],
    [{ layers: [{ width: 2, maps: { heads: 1, keys: 1, scale: -2 } }] }, "layers[0].maps.scale: expected a positive number, got -2"],
    [{ layers: [{ width: 2, maps: { heads: 1, from: "output" } }] }, 'layers[0].maps.from: expected "input", got "output"'],
    [{ layers: [{ width: 2, maps: 3 }] }, "layers[0].maps: expected an object, got 3"],
    [{ layers: [{ width: 2, head: 3 }] }, "layers[0].head: unknown key"],
    [{ layers: [] }, "layers: expected at least one layer, got an empty array"],
    [{ tokens: 0 }, "tokens: expected a positive integer, got 0"],
    [{ features: 1.5 }, "features: expected a positive integer, got 1.5"],
    [{ readout: "max" }, 'readout: expected a token (from 0), "mean", or one number per token, got "max"'],
    [{ readout: [1, 2, 3] }, 'readout: expected a token 0 … 1, "mean", or 2 numbers, one per token, got an array of 3'],
    [{ weightVariance: [1, 2, 3] }, "weightVariance: expected one number or 2 of them (one per weight layer), got an array of 3"],
    [{ biasVariance: [1] }, "biasVariance: expected one number or 2 of them (one per weight layer), got an array of 1"],
    [{ biasVariance: -1 }, "biasVariance: expected a number ≥ 0, got -1"],
    [{ weightVariance: 0 }, "weightVariance: expected a positive number, got 0"],
  ])("%j", (network, expected) => {
    expect(error(network)).toContain(`network.${expected}`);
  }); // prettier-ignore

  it("paths are counted with the bytes of their matrix, and the layer whose bias depends on the input is named", () => {
    const heads = [3, 8, 8, 8, 9].map((count) => ({ width: 4, maps: { heads: count, keys: 2 } }));
    expect(() => mixingLaw(resolveArchitecture(registry, resolve({ layers: heads })))).toThrow(
      `the heads of layers 2 to 5 span 4608 paths or more (more than 4096): their mixing matrix would take ${8 * 4608 ** 2} bytes`,
    );
    const own = [{ width: 2 }, { width: 3 }, { width: 3, maps: { heads: 2, from: "input" } }];
    const biased = (biasVariance: number[]) => () => mixingLaw(resolveArchitecture(registry, resolve({ layers: own, biasVariance })));
    expect(biased([0, 0, 0.2, 0])).toThrow(/network\.biasVariance\[2\]: expected 0 .* got 0\.2$/);
    expect(biased([0.1, 0, 0, 0.2])).not.toThrow();
  });
});
