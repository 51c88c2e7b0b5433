import { describe, expect, it } from "vitest";
import { checkLabel, dataLimits, inheritedNames, networkLimits, optionLimits, sampleLimit } from "../src/limits.js";
import { axisValues, parseExperiment, parsePhaseFile, parsePriorFile } from "../src/index.js";
import { nearest } from "../src/mistakes.js";
import { base } from "./cases.js";

const paths = (errors: readonly { readonly path?: string | undefined }[]) => errors.map(({ path }) => path);

describe("numbers that no machine could hold", () => {
  it("of networks: units, layers, padding, inputs; variances whose squares kernels can still hold", () => {
    expect(networkLimits({ widths: [1e7], weightVariance: [1e100], biasVariance: 1e12, note: 1.5e8 + 0.5 }, "n")).toEqual([]);
    expect(networkLimits({ weightVariance: [1, 2e100], biasVariance: 1e101 }, "n").map(({ message }) => message)).toEqual([
      "n.weightVariance[1]: expected at most 1e+100, got 2e+100",
      "n.biasVariance: expected at most 1e+100, got 1e+101",
    ]);
    const many = Array.from({ length: 10_001 }, () => 1);
    const wrong = { widths: [3, 1e7 + 1], layers: [{ padding: [10_000, 10_001] }, { channels: 2e7 }], depths: many };
    expect(paths(networkLimits(wrong, "n"))).toEqual(["n.widths[1]", "n.layers[0].padding[1]", "n.layers[1].channels", "n.depths"]);
    expect(networkLimits({ depths: many.slice(1) }, "n")).toEqual([]);
    expect(networkLimits({ inputShape: [10, 1000, 1000] }, "n")).toEqual([]);
    expect(networkLimits({ inputShape: [11, 1000, 1000] }, "n")[0]!.message).toBe(
      "n.inputShape: expected at most 10000000 numbers per input, got 11000000",
    );
  });

  it("of methods: chains fewer than draws, seeds of any size", () => {
    expect(optionLimits({ seed: 1e12, draws: 1e7, chains: 1e4, name: "x" }, "m")).toEqual([]);
    expect(optionLimits({ draws: 1e7 + 1, chains: 1e4 + 1 }, "m").map(({ message }) => message)).toEqual([
      "m.draws: expected at most 10000000, got 10000001",
      "m.chains: expected at most 10000, got 10001",
    ]);
  });

  it("of data sets: points, pixels, seeds of any size", () => {
    expect(dataLimits({ train: 1e7, test: 5, size: [2500, 4000], seed: 1e12, dataset: "x" }, "d")).toEqual([]);
    expect(dataLimits({ size: [2501, 4000], train: 1e7 + 1 }, "d").map(({ message }) => message)).toEqual([
      "d.size: expected at most 10000000 pixels, got 10004000",
      "d.train: expected at most 10000000, got 10000001",
    ]);
    expect(() => sampleLimit(1e9, "s")).not.toThrow();
    expect(() => sampleLimit(1e9 + 1, "s")).toThrow("s: expected at most 1000000000");
  });

  it("of phase diagrams: points of an axis, of the grid, widths", () => {
    const axis = (points: number) => ({ from: 0, to: 1, points });
    const file = { activation: "erf", weightVariance: axis(1000), biasVariance: axis(1000) };
    expect(parsePhaseFile(file)).toMatchObject({ seed: 1, plugins: [] });
    expect(() => parsePhaseFile({ ...file, biasVariance: axis(1001) })).toThrow(
      "biasVariance: expected a grid of at most 1000000 points, got 1001000",
    );
    expect(() => parsePhaseFile({ ...file, weightVariance: axis(1_000_001), biasVariance: [0] })).toThrow(
      "weightVariance: expected at most 1000000 points, got 1000001",
    );
    const adaptation = { data: base.data, widths: [3, 2e7], likelihood: { temperature: 0.1 } };
    expect(() => parsePhaseFile({ ...file, adaptation })).toThrow("adaptation.widths[1]: expected at most 10000000, got 20000000");
    expect(parsePhaseFile({ ...file, adaptation: { ...adaptation, widths: [3] } }).adaptation).toMatchObject({ order: "full" });
    expect(axisValues({ from: 2, to: 8, points: 4 })).toEqual([2, 4, 6, 8]);
    expect(axisValues({ from: 2, to: 8, points: 1 })).toEqual([2]);
  });

  it("of experiments, data sets and methods by their path; inline data are not counted", () => {
    const data = { dataset: "numbers", train: 2e7 };
    expect(() => parseExperiment({ ...base, data })).toThrow("data.train: expected at most 10000000, got 20000000");
    expect(() => parseExperiment({ ...base, methods: ["nngp", { method: "exact", chains: 20_000 }] })).toThrow("methods[1].chains");
    const { network, ...rest } = base;
    expect(() => parseExperiment({ ...rest, networks: [network, { ...network, widths: [2e7] }] })).toThrow("networks[1].widths[0]");
    const large = { train: { inputs: [[2e7, 1]], targets: [[3e8]] } };
    expect(parseExperiment({ ...base, data: large }).data).toEqual(large);
  });
});

describe("names", () => {
  it("of every object are found at any depth, also behind long lists", () => {
    const value = JSON.parse('{"a": {"toString": 1}, "b": [{"__proto__": 2}], "c": [1, 2], "valueOf": 3}') as unknown;
    expect(paths(inheritedNames(value))).toEqual(["a.toString", "b[0].__proto__", "valueOf"]);
    const behind = { rows: Array.from({ length: 100 }, () => ({})), last: [...Array.from({ length: 70 }, () => []), { constructor: 1 }] };
    expect(paths(inheritedNames(behind))).toEqual(["last[70].constructor"]);
  });

  it("of results have at most 80 printable characters", () => {
    expect(() => checkLabel("é".repeat(80), "l")).not.toThrow();
    for (const label of ["x".repeat(81), "a\nb", "a\u007f", "hasOwnProperty"])
      expect(() => checkLabel(label, "l"), label).toThrow(/^l: expected a label of at most 80 printable characters/);
  });

  it("are suggested when a third of the letters differ at most, whatever their case", () => {
    expect(nearest("Widths", ["widths", "weights"])).toBe("widths");
    expect(nearest("widtsh", ["depth", "widths"])).toBe("widths");
    expect(nearest("abc", ["xyz"])).toBeUndefined();
    expect(nearest("abd", ["abc"])).toBe("abc");
    expect(nearest("ayz", ["abc"])).toBeUndefined();
    expect(nearest("seed", ["seed", "sead"])).toBeUndefined();
    expect(nearest("seed", [])).toBeUndefined();
  });
});

describe("what is missing", () => {
  it("is said in the words of what checks it", () => {
    const told = (value: unknown): string => {
      try {
        parsePhaseFile(value);
      } catch (error) {
        return (error as Error).message;
      }
      return "nothing";
    };
    const phase = { activation: "tanh", weightVariance: { from: 1, to: 2 }, biasVariance: [0] };
    expect(told({ weightVariance: [1], adaptation: {} }).split("\n")).toEqual([
      "activation: missing; expected a name",
      "biasVariance: missing; expected a list of numbers or { from, to, points }",
      "adaptation.data: missing; expected an object",
      "adaptation.widths: missing; expected a list of widths",
      "adaptation.likelihood: missing; expected an object",
    ]);
    expect(told(phase)).toBe("weightVariance: expected a list of numbers or { from, to, points }, got an object");
  });
});

describe("files of another command", () => {
  it("are told which one", () => {
    expect(() => parseExperiment({ ...base, optimise: {} })).toThrow(
      /^optimise: belongs to `finitewidth optimise`; run that, or leave it out$/,
    );
    const phase = { activation: "tanh", weightVariance: [1, 2], biasVariance: [0] };
    expect(() => parseExperiment(phase)).toThrow(
      /^activation: belongs to the network, or to a file of `finitewidth phase-diagram`\nweightVariance: belongs.*\nbiasVariance: belongs/,
    );
    expect(() => parseExperiment({ ...base, inputs: [[1]] })).toThrow(
      /^inputs: belongs to data\.train, or to a file of `finitewidth prior`$/,
    );
    expect(() => parsePriorFile({ ...base, inputs: [[1]] })).toThrow(/data: belongs to an experiment, a file of `finitewidth run`$/m);
    expect(() => parsePhaseFile({ ...phase, methods: [] })).toThrow(/^methods: belongs to an experiment, a file of `finitewidth run`$/);
    expect(() => parseExperiment({ ...base, $schemas: 1 })).toThrow(/^\$schemas: unknown key; expected one of data, network, [^$]*$/);
  });
});
