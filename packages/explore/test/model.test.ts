import { createRegistry } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { standardPlugins } from "@finitewidth/verification";
import { planExperiment } from "@finitewidth/experiment";
import { describe, expect, it } from "vitest";
import {
  addLayer,
  decodeState,
  encodeState,
  experimentOf,
  initialState,
  lessons,
  parseState,
  removeLayer,
  rowsOfChoice,
  stateFromExperiment,
  withWidth,
  type Digits,
  type ExploreState,
} from "../src/index.js";
import { readDropped } from "../src/model/read-file.js";

/** Stripes in place of digits: image i of class d has its bright row at d. */
const digits: Digits = {
  side: 10,
  perClass: 100,
  train: 60,
  pixels: Uint8Array.from({ length: 10 * 100 * 100 }, (_, k) =>
    Math.floor((k % 100) / 10) === Math.floor(k / 1e4) ? 200 + (k % 7) : k % 11,
  ),
};
const teacher: ExploreState = { ...initialState, data: { kind: "teacher", dimension: 3, train: 9, noise: 0.2 } };

describe("links", () => {
  it.each([initialState, teacher, ...lessons.map(({ state }) => state)])("hold a state, exactly", (state) => {
    expect(decodeState(`https://x.org/explore/#${encodeState(state)}`)).toEqual(state);
  });

  it("that are cut, changed or of something else are refused with a reason", () => {
    const link = `#${encodeState(initialState)}`;
    expect(() => decodeState(link.slice(0, -20))).toThrow(/link: is damaged/);
    expect(() => decodeState("#lesson=none")).toThrow(/link: holds no state/);
    expect(() => decodeState(`#${encodeState({ ...initialState, widths: [0] } as never)}`)).toThrow(
      /^widths\[0\]: expected a whole number from 1 to 1000/,
    );
  });

  it("are given up where own data make them too long", () => {
    const inputs = Array.from({ length: 200 }, (_, i) => Array.from({ length: 40 }, (__, j) => Math.sin(i * 40 + j)));
    expect(
      encodeState({ ...initialState, data: { kind: "own", name: "x", train: { inputs, targets: inputs.map(() => [1]) } } }),
    ).toBeUndefined();
  });
});

describe("states", () => {
  it("keep one variance a layer when layers come and go", () => {
    const more = addLayer({ ...initialState, weightVariance: [1, 2, 3] }, 1);
    expect(more).toMatchObject({ widths: [20, 20, 20], weightVariance: [1, 1, 2, 3], layer: 2 });
    expect(removeLayer(more, 2)).toMatchObject({ widths: [20, 20], weightVariance: [1, 2, 3] });
    expect(removeLayer({ ...initialState, widths: [5], weightVariance: [1, 1], biasVariance: [0, 0], layer: 1 }, 1).widths).toEqual([5]);
    expect(withWidth(initialState, 1, 0.2)).toEqual({ ...initialState, widths: [1, 20], layer: 1 });
    expect([33.4, 33.6, 4000].map((width) => withWidth(initialState, 2, width).widths)).toEqual([33, 34, 1000].map((width) => [20, width]));
    const uneven = { ...initialState, widths: [1, 2, 3], weightVariance: [1, 2, 3, 4], biasVariance: [5, 6, 7, 8], layer: 3 };
    expect(addLayer(uneven, 2)).toEqual({
      ...uneven,
      widths: [1, 2, 2, 3],
      weightVariance: [1, 2, 2, 3, 4],
      biasVariance: [5, 6, 6, 7, 8],
      layer: 3,
    });
    expect(removeLayer(uneven, 3)).toEqual({ ...uneven, widths: [1, 2], weightVariance: [1, 2, 4], biasVariance: [5, 6, 8], layer: 2 });
    expect(removeLayer(uneven, 1)).toMatchObject({ widths: [2, 3], biasVariance: [6, 7, 8], layer: 1 });
    const deep = { ...initialState, widths: [1, 2, 3, 4, 5, 6] };
    expect(addLayer(deep, 1)).toBe(deep);
  });

  it.each([
    [{ data: { kind: "digits", classes: [1, 1], train: 10 } }, /^data\.classes: expected two or more different digits/],
    [{ data: { kind: "own", name: "x", train: { inputs: [[1]], targets: [] } } }, /^data\.train\.targets: expected a list/],
    [{ activation: "sine" }, /^activation: expected one of "identity"/],
    [{ weightVariance: [1] }, /^weightVariance: expected a list of 3/],
    [{ temperature: -1 }, /^temperature: expected a number/],
  ])("that are wrong are refused by field: %j", (change, message) => {
    expect(() => parseState({ ...initialState, ...change })).toThrow(message);
  });
});

describe("data", () => {
  it("digits are standardised, balanced, in the order of their classes, and are not tested on what they were trained on", () => {
    const { train, test } = rowsOfChoice({ kind: "digits", classes: [3, 8], train: 11 }, digits, 1);
    expect(train.targets.flat()).toEqual([-1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1]);
    const all = train.inputs.flat();
    expect(all.reduce((sum, value) => sum + value, 0) / all.length).toBeCloseTo(0, 4);
    expect(all.reduce((sum, value) => sum + value * value, 0) / all.length).toBeCloseTo(1, 4);
    expect(test!.inputs).toHaveLength(80);
    expect(rowsOfChoice({ kind: "digits", classes: [0, 1, 2], train: 6 }, digits, 1).train.targets[2]).toEqual([0, 1, 0]);
    expect(() => rowsOfChoice({ kind: "digits", classes: [0, 1], train: 130 }, digits, 1)).toThrow(
      /^data\.train: expected at most 120 points/,
    );
  });

  it("of the teacher have unit variance without noise and are the same for the same seed", () => {
    const rows = (seed: number) => rowsOfChoice({ kind: "teacher", dimension: 4, train: 100, noise: 0 }, undefined, seed);
    expect(rows(3)).toEqual(rows(3));
    expect(rows(4)).not.toEqual(rows(3));
    const { train, test } = rows(3);
    const values = [...train.targets, ...test!.targets!].flat();
    expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeCloseTo(1, 3);
  });
});

describe("experiment files", () => {
  const registry = createRegistry(standardPlugins);

  it.each([teacher, ...lessons.map(({ state }) => state)])(
    "of every state are planned as they stand, and lead back to its network",
    async (state) => {
      const file = experimentOf(state, rowsOfChoice(state.data, digits, state.seed), ["nngp"]);
      const plan = await planExperiment(JSON.parse(JSON.stringify(file)), { registry });
      expect(plan.steps[0]!.problems[0]!.problem.network).toMatchObject({ widths: state.widths, activation: state.activation });
      const { widths, activation, weightVariance, biasVariance, temperature } = stateFromExperiment(file);
      expect({ widths, activation, weightVariance, biasVariance, temperature }).toMatchObject({
        widths: state.widths,
        temperature: state.temperature,
      });
    },
  );

  it("that the page cannot show are refused by field", () => {
    const file = experimentOf(teacher, rowsOfChoice(teacher.data, digits, 1));
    expect(() => stateFromExperiment({ ...file, network: { type: "sequential", layers: [] } })).toThrow(/^network\.type/);
    expect(() => stateFromExperiment({ ...file, network: { ...file.network, activation: "sign" } })).toThrow(
      /^network\.activation: expected one of/,
    );
    expect(() => stateFromExperiment({ ...file, data: { dataset: "mnist" } })).toThrow(/^data: expected data that stand in the file/);
    expect(() => stateFromExperiment({ ...file, likelihood: { type: "logistic" } })).toThrow(/^likelihood: .* got "logistic"$/);
    const train = { inputs: Array.from({ length: 401 }, () => [1]), targets: Array.from({ length: 401 }, () => [1]) };
    expect(() => stateFromExperiment({ ...file, data: { train } })).toThrow(
      "data.train: expected at most the 400 points that the page holds, got 401",
    );
  });
});

describe("dropped files", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it("are data under the present network", async () => {
    const state = await readDropped(bytes("a,b,y\n1,2,3\n4,5,6\n"), "t.csv", teacher);
    expect(state).toMatchObject({
      widths: teacher.widths,
      data: {
        kind: "own",
        name: "t.csv",
        train: {
          inputs: [
            [1, 2],
            [4, 5],
          ],
          targets: [[3], [6]],
        },
      },
    });
  });

  it("are cut after 200 points, keep their test points, and experiments come with their name", async () => {
    const rows = Array.from({ length: 201 }, (_, i) => `${i},${2 * i}`);
    const { data } = await readDropped(bytes(["a,y", ...rows].join("\n")), "long.CSV", teacher);
    expect(data).toMatchObject({ kind: "own", train: { inputs: Array.from({ length: 200 }, (_, i) => [i]) } });
    const npz = encodeNpz({
      x_train: { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] },
      y_train: { data: Float64Array.of(5, 6), shape: [2, 1] },
      x_test: { data: Float64Array.of(7, 8), shape: [1, 2] },
      y_test: { data: Float64Array.of(9), shape: [1, 1] },
    });
    const train = {
      inputs: [
        [1, 2],
        [3, 4],
      ],
      targets: [[5], [6]],
    };
    expect((await readDropped(npz, "d.npz", teacher)).data).toEqual({
      kind: "own",
      name: "d.npz",
      train,
      test: { inputs: [[7, 8]], targets: [[9]] },
    });
    const file = {
      data: { train, test: { inputs: [[1, 2]] } },
      network: { type: "fully-connected", widths: [4], activation: "erf" },
      likelihood: { temperature: 0.5 },
      seed: 7,
    };
    const read = await readDropped(bytes(`// comments are fine\n${JSON.stringify(file)}`), "mine.JSON", teacher);
    // test points without targets are not shown
    expect(read).toMatchObject({ data: { kind: "own", name: "mine", train }, temperature: 0.5, seed: 7, biasVariance: [0, 0] });
    expect(read.data).not.toHaveProperty("test");
    await expect(readDropped(bytes(JSON.stringify({ ...file, likelihood: { temperature: -1 } })), "e.json")).rejects.toThrow(
      /^likelihood\.temperature: expected/,
    );
    await expect(readDropped(bytes(JSON.stringify({ ...file, seed: -1 })), "e.json")).rejects.toThrow(/^seed: expected/);
  });

  it("that are wrong are refused with file, line and column", async () => {
    await expect(readDropped(bytes("a,y\n1,2\n3,x\n"), "t.csv")).rejects.toThrow(
      /t\.csv: line 3, column 2: expected a finite number, got "x"/,
    );
    await expect(readDropped(bytes("hello"), "t.txt")).rejects.toThrow(/t\.txt: expected a \.npz or \.csv file/);
    await expect(readDropped(bytes("{"), "e.json")).rejects.toThrow(/^e\.json: is not JSON/);
    await expect(readDropped(bytes('{ "network": { "widths": [4], "widths": [5] } }'), "e.json")).rejects.toThrow(
      "network.widths: expected one value in e.json, got another at line 1, column 31",
    );
    await expect(readDropped(bytes("{}"), "e.json")).rejects.toThrow(/^network: expected an object/);
  });
});
