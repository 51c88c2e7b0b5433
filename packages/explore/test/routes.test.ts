import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { phaseTask, tasks } from "../src/compute/tasks.js";
import {
  decodeDigits,
  digitImage,
  experimentOf,
  gridPoints,
  initialState,
  lessons,
  limits,
  networkOf,
  parseState,
  quickMethods,
  rowsOfChoice,
  slowMethods,
  stateFromExperiment,
  sweptWidths,
} from "../src/index.js";
import { createRegistry } from "@finitewidth/core";

const close = (got: readonly number[], expected: readonly number[], digits = 5): void => {
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(got[i], `entry ${i}`).toBeCloseTo(value, digits));
};

/** 10 classes of 5 images of 2 × 2, 3 of them for training; every byte is another. */
const bytes = Uint8Array.from({ length: 3 + 200 }, (_, k) => (k < 3 ? [2, 5, 3][k]! : (k - 3 + 17 * Math.floor((k - 3) / 20)) % 256));
const digits = decodeDigits(bytes);
const image = (digit: number, index: number): number[] => [0, 1, 2, 3].map((p) => bytes[3 + (digit * 5 + index) * 4 + p]! / 255);

describe("digits", () => {
  it("are found class after class, image after image", () => {
    expect([digits.side, digits.perClass, digits.train]).toEqual([2, 5, 3]);
    for (const [digit, index] of [
      [0, 0],
      [3, 1],
      [9, 4],
    ] as const)
      close(digitImage(digits, digit, index), image(digit, index), 12);
    expect(() => decodeDigits(bytes.subarray(0, 202))).toThrow("digits.bin: 202 bytes are not the digits of this page");
  });

  it("give balanced classes, the first ones one more, standardised by all training pixels; tests follow the training images", () => {
    const { train, test } = rowsOfChoice({ kind: "digits", classes: [7, 2, 4], train: 5 }, digits, 1);
    const own = [
      [7, 0],
      [7, 1],
      [2, 0],
      [2, 1],
      [4, 0],
    ].map(([digit, index]) => image(digit!, index!));
    const all = own.flat();
    const mean = all.reduce((a, b) => a + b) / all.length;
    const scale = Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length);
    const standard = (pixels: number[]): number[] => pixels.map((value) => (value - mean) / scale);
    close(train.inputs.flat(), own.flatMap(standard), 4);
    expect(train.targets).toEqual([
      [1, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    const others = [7, 2, 4].flatMap((digit) => [3, 4].map((index) => image(digit, index)));
    close(test!.inputs.flat(), others.flatMap(standard), 4);
    expect(test!.targets).toEqual([0, 0, 1, 1, 2, 2].map((c) => [0, 1, 2].map((k) => (k === c ? 1 : 0))));
    expect(rowsOfChoice({ kind: "digits", classes: [1, 0], train: 2 }, digits, 1).test!.targets).toEqual([[-1], [-1], [1], [1]]);
    expect(() => rowsOfChoice({ kind: "digits", classes: [1, 0], train: 7 }, digits, 1)).toThrow("at most 6 points of 2 classes");
    expect(() => rowsOfChoice({ kind: "digits", classes: [1, 0], train: 2 }, undefined, 1)).toThrow(/^data\.kind/);
  });
});

describe("other data", () => {
  it("curves: points by x, drawn on 81 places from −2 to 2", () => {
    const { train, test } = rowsOfChoice(
      {
        kind: "curve",
        points: [
          [1, 5],
          [-1, 3],
          [0.5, 4],
        ],
      },
      undefined,
      1,
    );
    expect(train).toEqual({ inputs: [[-1], [0.5], [1]], targets: [[3], [4], [5]] });
    expect(gridPoints).toBe(81);
    expect(test!.inputs).toEqual(Array.from({ length: 81 }, (_, i) => [Number((-2 + 0.05 * i).toFixed(5))]));
    expect(test!.targets).toBeUndefined();
  });

  it("the teacher: 8 tanh units of gain 1.5, unit variance over all points, noise on training points, which stand by their targets", () => {
    const [dimension, count, noise, seed] = [3, 7, 0.4, 5];
    const { train, test } = rowsOfChoice({ kind: "teacher", dimension, train: count, noise }, undefined, seed);
    const random = stream(seed, 26);
    const draw = (n: number): number[] => [...random.normals(new Float64Array(n))];
    const first = Array.from({ length: 8 }, () => draw(dimension));
    const readout = draw(8);
    const inputs = Array.from({ length: count + 100 }, () => draw(dimension).map((x) => Number(x.toFixed(5))));
    const raw = inputs.map((x) =>
      readout.reduce(
        (sum, a, k) => sum + a * Math.tanh((1.5 * x.reduce((h, xi, i) => h + xi * first[k]![i]!, 0)) / Math.sqrt(dimension)),
        0,
      ),
    );
    const scale = Math.sqrt(raw.reduce((sum, y) => sum + y * y, 0) / raw.length);
    const errors = draw(count);
    const targets = raw.map((y, i) => y / scale + (i < count ? noise * errors[i]! : 0));
    const order = [0, 1, 2, 3, 4, 5, 6].sort((a, b) => targets[a]! - targets[b]!);
    expect(train.inputs).toEqual(order.map((i) => inputs[i]));
    close(
      train.targets.flat(),
      order.map((i) => targets[i]!),
    );
    expect(test!.inputs).toEqual(inputs.slice(count));
    close(test!.targets!.flat(), targets.slice(count));
  });

  it("own data are what they are", () => {
    const [train, test] = [
      { inputs: [[1]], targets: [[2]] },
      { inputs: [[3]], targets: [[4]] },
    ];
    expect(rowsOfChoice({ kind: "own", name: "x", train, test }, undefined, 1)).toEqual({ train, test });
    expect(rowsOfChoice({ kind: "own", name: "x", train }, undefined, 1)).toEqual({ train });
  });
});

describe("what is asked", () => {
  const state = {
    ...initialState,
    widths: [5, 7, 9],
    weightVariance: [1, 2, 3, 4],
    biasVariance: [0.1, 0.2, 0.3, 0.4],
    layer: 2,
    temperature: 0.3,
    seed: 4,
  };

  it("is the network of the state, with the touched layer's width changed where that is swept", () => {
    const network = {
      type: "fully-connected",
      widths: [5, 7, 9],
      activation: "identity",
      weightVariance: [1, 2, 3, 4],
      biasVariance: [0.1, 0.2, 0.3, 0.4],
    };
    expect(networkOf(state)).toEqual(network);
    expect(networkOf(state, 33)).toEqual({ ...network, widths: [5, 33, 9] });
    expect(networkOf({ ...state, layer: 1 }, 33)).toEqual({ ...network, widths: [33, 7, 9] });
    expect(experimentOf(state, { train: { inputs: [[1]], targets: [[2]] } })).toEqual({
      data: { train: { inputs: [[1]], targets: [[2]] } },
      network,
      likelihood: { temperature: 0.3 },
      methods: ["nngp", "exact", "effective-action"],
      seed: 4,
    });
    expect([...quickMethods, ...slowMethods]).toEqual([
      "nngp",
      "exact",
      "effective-action",
      "perturbative",
      "large-deviation",
      "expectation-propagation",
      "forward-backward",
    ]);
    expect(sweptWidths).toEqual([2, 3, 5, 8, 12, 20, 32, 50, 80, 130, 200, 320, 500]);
  });

  it("comes back from its experiment file, numbers of all layers and of one", () => {
    const train = { inputs: [[1], [2]], targets: [[3], [4]] };
    const file = { ...experimentOf(state, { train }), likelihood: { temperature: 0.3 } };
    expect(stateFromExperiment(file, "mine")).toEqual({ ...state, data: { kind: "own", name: "mine", train }, layer: 3 });
    const short = {
      data: { train, test: train },
      network: { type: "fully-connected", widths: [6], activation: "erf", weightVariance: 2 },
      likelihood: { temperature: 0.1 },
    };
    expect(stateFromExperiment(short)).toEqual({
      data: { kind: "own", name: "experiment", train, test: train },
      widths: [6],
      activation: "erf",
      weightVariance: [2, 2],
      biasVariance: [0, 0],
      temperature: 0.1,
      layer: 1,
      seed: 1,
    });
  });

  it("is within its limits, every one of them", () => {
    const states: [string, object][] = [
      ["widths", { widths: [1001, 3] }],
      ["widths", { widths: [0, 3] }],
      ["widths", { widths: [2.5, 3] }],
      ["widths", { widths: [1, 2, 3, 4, 5, 6, 7] }],
      ["weightVariance", { weightVariance: [1, 1, 100.1] }],
      ["weightVariance", { weightVariance: [1, 1, 0] }],
      ["biasVariance", { biasVariance: [0, 0, -0.1] }],
      ["biasVariance", { biasVariance: [0, 0, 100.1] }],
      ["temperature", { temperature: 100.1 }],
      ["temperature", { temperature: 0 }],
      ["layer", { layer: 3 }],
      ["layer", { layer: 0 }],
      ["data", { data: { kind: "teacher", dimension: 1, train: 5, noise: 0 } }],
      ["data", { data: { kind: "teacher", dimension: 3, train: 201, noise: 0 } }],
      ["data", { data: { kind: "teacher", dimension: 3, train: 5, noise: 2.1 } }],
      ["data", { data: { kind: "digits", classes: [0, 10], train: 5 } }],
      ["data", { data: { kind: "digits", classes: [4], train: 5 } }],
    ];
    for (const [field, change] of states)
      expect(() => parseState({ ...initialState, ...change }), JSON.stringify(change)).toThrow(new RegExp(`^${field}`));
    expect(parseState(initialState)).toEqual(initialState);
    for (const { state: own } of lessons) expect(parseState(own)).toEqual(own);
    expect(limits).toEqual({
      width: [1, 1000],
      depth: [1, 6],
      weightVariance: [0.1, 4],
      biasVariance: [0, 2],
      temperature: [0.001, 1],
      train: [2, 200],
      dimension: [2, 50],
    });
  });
});

it("the phase plane is χ⊥ = σ_w² E φ′² with the weight variance slowest", async () => {
  const [weight, bias] = [
    [1, 1.7],
    [0, 0.2, 0.5],
  ];
  const ticks: number[] = [];
  const { chi, weightVariance, biasVariance, line } = await phaseTask.run(
    { activation: "identity", weight, bias },
    { registry: createRegistry([]), tick: (done) => void ticks.push(done ?? 0) },
  );
  close([...chi], [1, 1, 1, 1.7, 1.7, 1.7], 9);
  expect([weightVariance, biasVariance]).toEqual([weight, bias]);
  expect(ticks).toEqual([0, 0.5]);
  expect(line).toBeDefined();
  const relu = await phaseTask.run(
    { activation: "relu", weight: [2], bias: [0, 0.3] },
    { registry: createRegistry([]), tick: () => undefined },
  );
  // half of the units are on
  close([...relu.chi], [1, 1], 9);
  expect(tasks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["solveTask", "phaseTask", "priorDrawsTask", "chainTask", "verdictTask"]),
  );
});
