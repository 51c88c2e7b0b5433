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
});
