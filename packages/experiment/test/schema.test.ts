import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FinitewidthError } from "@finitewidth/core";
import { axisValues, type Mistakes, parseExperiment, parsePhaseFile, parsePriorFile } from "../src/index.js";

const good = {
  data: { train: { inputs: [[1, 2]], targets: [[1]] } },
  network: { type: "fully-connected", widths: [3], activation: "erf" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp", { method: "exact", draws: 3 }],
};

describe("experiment files", () => {
  it("fills in defaults", () => {
    const experiment = parseExperiment(good);
    expect(experiment).toMatchObject({ scaling: "standard", seed: 1, plugins: [] });
    expect(experiment.methods).toEqual([
      { method: "nngp", label: "nngp", save: false, options: {} },
      { method: "exact", label: "exact", save: false, options: { draws: 3 } },
    ]);
  });

  it.each([
    [{ ...good, likelihood: { temperature: -1 } }, "likelihood.temperature: expected a number ≥ 0, got -1"],
    [{ ...good, likelihood: undefined }, 'likelihood: missing; expected an object such as { "temperature": 0.1 }'],
    [{ ...good, likelihood: "gaussian" }, 'likelihood: expected an object such as { "temperature": 0.1 }, got "gaussian"'],
    [{ ...good, methods: [] }, "methods: expected a list with at least one method, got an empty array"],
    [{ ...good, foo: 1 }, /^foo: unknown key; expected one of data, /],
    [{ ...good, data: { train: { inputs: [[1, "a"]], targets: [[1]] } } }, 'data.train.inputs[0][1]: expected a finite number, got "a"'],
    [
      { ...good, data: { train: { inputs: [[1], [2]], targets: [1, -1] } } },
      /^data\.train\.targets: expected a list of rows, one for each point, such as \[\[1\], \[-1\]\], got an array of 2$/,
    ],
    [{ ...good, data: { dataset: "" } }, "data.dataset: expected a name"],
    [{ ...good, network: 3 }, /^network: expected an object/],
    [{ ...good, seed: 2 ** 60 }, "seed: expected an integer of at most 9007199254740991, got 1152921504606847000"],
    [{ ...good, referee: "off" }, 'referee: expected false, or an object of options, got "off"'],
    [{ ...good, seed: 1.5 }, "seed: expected an integer ≥ 0, got 1.5"],
    [{ ...good, sweep: {} }, /^sweep: expected at least one key/],
    [{ ...good, scaling: "ntk" }, 'scaling: expected one of "standard", "mean-field", got "ntk"'],
    [{ ...good, temperature: 1 }, 'temperature: belongs to likelihood, as { "temperature": 0.1 }'],
    [{ ...good, widths: [3] }, "widths: belongs to the network, as [20, 20] for two hidden layers of 20 units"],
    [3, "the file: expected an object, got 3"],
  ])("names the field that is wrong (%#)", (value, message) => {
    expect(() => parseExperiment(value)).toThrow(message);
  });

  it("throws nothing but FinitewidthError, with a path, whatever the input", () => {
    const anything = fc.oneof(
      fc.json().map((text) => JSON.parse(text) as unknown),
      fc.tuple(fc.constantFrom(...Object.keys(good)), fc.jsonValue()).map(([key, value]) => ({ ...good, [key]: value as unknown })),
    );
    fc.assert(
      fc.property(anything, (value) => {
        for (const parse of [parseExperiment, parsePriorFile, parsePhaseFile]) {
          try {
            parse(value);
          } catch (error) {
            expect(error).toBeInstanceOf(FinitewidthError);
            expect((error as FinitewidthError).path).toBeTypeOf("string");
            const { errors = [error as Error] } = error as Mistakes;
            expect((error as Error).message.split("\n")).toHaveLength(errors.length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("phase files", () => {
  it("reads both kinds of axis", () => {
    const phase = parsePhaseFile({ activation: "erf", weightVariance: { from: 0, to: 1, points: 3 }, biasVariance: [0, 0.1] });
    expect(axisValues(phase.weightVariance)).toEqual([0, 0.5, 1]);
    expect(axisValues(phase.biasVariance)).toEqual([0, 0.1]);
  });
});
