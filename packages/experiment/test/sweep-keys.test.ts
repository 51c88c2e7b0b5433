import { nonNegativeNumber, randomLayers, resolveArchitecture, strictObject, type LikelihoodFamily, type Problem } from "@finitewidth/core";
import { gaussianLikelihood, plugin as likelihoods } from "@finitewidth/likelihoods";
import { describe, expect, it } from "vitest";
import { planExperiment, positionOf, sweepKey } from "../src/index.js";
import { base, registry as plain, registryWith, rows, targets } from "./cases.js";

const registry = registryWith(likelihoods);
const plan = (change: object) => planExperiment({ ...base, ...change }, { registry });
const refused = async (change: object): Promise<string> => plan(change).then(() => "", (error: Error) => error.message); // prettier-ignore
const layersOf = ({ network }: Problem) =>
  randomLayers(resolveArchitecture(registry, network).layers).map((layer) => [layer.width, layer.weightVariance, layer.biasVariance]);
const problems = async (change: object) => (await plan(change)).steps.map((step) => step.problems.map(({ problem }) => problem));
const two = { ...base.network, widths: [5, 3], weightVariance: [1.1, 1.2, 1.3], biasVariance: [0.1, 0.2, 0.3] };
const sequential = {
  type: "sequential",
  inputShape: [4],
  layers: [
    { layer: "dense", width: 3, weightVariance: 1.5, biasVariance: 0.1 },
    { layer: "activation", name: "erf" },
    { layer: "dense", width: 6, weightVariance: 2.5, biasVariance: 0.2 },
    { layer: "dense" },
  ],
};

describe("short names of a sweep change what they name and nothing else", () => {
  it("widths: one for all layers, or each its own", async () => {
    const layers = await problems({ network: two, sweep: { widths: [7, [8, 9]] } });
    const rest = [[1.1, 0.1], [1.2, 0.2]]; // prettier-ignore
    const expected = (widths: number[]) => [...widths.map((width, l) => [width, ...rest[l]!]), [undefined, 1.3, 0.3]];
    expect(layers.map(([problem]) => layersOf(problem!))).toEqual([expected([7, 7]), expected([8, 9])]);
    const [[listed]] = (await problems({ network: sequential, sweep: { widths: [[8, 9]] } })) as [[Problem]];
    expect(layersOf(listed).map(([width]) => width)).toEqual([8, 9, undefined]);
    expect(layersOf(listed).map(([, variance]) => variance)).toEqual([1.5, 2.5, 1]);
    expect(await refused({ network: sequential, sweep: { widths: [[8]] } })).toBe("sweep.widths[0]: expected 2 widths, one per hidden layer of weights, got an array of 1"); // prettier-ignore
    expect(await refused({ sweep: { widths: [1.5] } })).toMatch(
      /^sweep\.widths\[0\]: expected a positive integer or a list of them, got 1\.5/,
    );
    expect(await refused({ sweep: { widths: [0] } })).toMatch(/^sweep\.widths\[0\]: expected a positive integer or a list/);
  });

  it("variances: one for all layers, or each its own, the other kind left alone", async () => {
    const sweep = { weightVariance: [2, [3, 4, 5]], biasVariance: [0, [0.6, 0.7, 0.8]] };
    const layers = await problems({ network: two, sweep });
    const expected = [2, [3, 4, 5]].flatMap((w) =>
      [0, [0.6, 0.7, 0.8]].map((b) =>
        [5, 3, undefined].map((width, l) => [width, Array.isArray(w) ? w[l] : w, Array.isArray(b) ? b[l] : b]),
      ),
    );
    expect(layers.map(([problem]) => layersOf(problem!))).toEqual(expected);
    const listed = await problems({ network: sequential, sweep: { biasVariance: [[0, 0.5, 0.25]] } });
    expect(layersOf(listed[0]![0]!)).toEqual([[3, 1.5, 0], [6, 2.5, 0.5], [undefined, 1, 0.25]]); // prettier-ignore
    expect(await refused({ network: sequential, sweep: { weightVariance: [0] } })).toMatch(
      /^sweep\.weightVariance\[0\]: expected a number > 0 or 3/,
    );
    expect(await refused({ network: sequential, sweep: { weightVariance: ["1"] } })).toMatch(/expected a number > 0 or 3/);
  });

  it("depth: copies of the one layer, channels of convolutions too", async () => {
    const conv = { type: "convolutional", inputShape: [1, 4], layers: [{ channels: 3, kernelSize: [2] }], activation: "identity" };
    const layers = await problems({ network: undefined, networks: [base.network, conv], sweep: { depth: [1, 3] } });
    expect(layers.map((step) => step.map((problem) => layersOf(problem).map(([width]) => width)))).toEqual([
      [[5, undefined], [3, undefined]],
      [[5, 5, 5, undefined], [3, 3, 3, undefined]],
    ]); // prettier-ignore
    expect(await refused({ sweep: { depth: [10_001] } })).toBe("sweep.depth[0]: expected at most 10000, got 10001");
    expect(await refused({ sweep: { depth: [0] } })).toMatch(/^sweep\.depth\[0\]: expected a positive integer, got 0/);
  });

  it("nobody asks a likelihood its name: Gaussian noise is what says so of itself, under any name and parameters", async () => {
    const family: LikelihoodFamily<{ readonly deviation: number }> = {
      name: "gaussian",
      summary: "noise of a standard deviation",
      schema: strictObject({ deviation: nonNegativeNumber }),
      create: ({ deviation }) => gaussianLikelihood(deviation ** 2),
    };
    const own = registryWith({ name: "own", likelihoods: [family] });
    const { steps } = await planExperiment({ ...base, likelihood: { type: "gaussian", deviation: 3 } }, { registry: own });
    expect(steps[0]!.problems[0]!.problem).toMatchObject({ temperature: 9 });
    expect(steps[0]!.problems[0]!.problem.likelihood).toBeUndefined();
  });
  it("temperature: beside what else the likelihood has; training points: the first, test points stay", async () => {
    const { steps } = await plan({ likelihood: { type: "gaussian", temperature: 3 }, sweep: { temperature: [0, 0.5], train: [2, 4] } });
    expect(steps.map(({ problems: [one] }) => one!.problem.temperature)).toEqual([0, 0, 0.5, 0.5]);
    for (const [
      i,
      {
        data,
        problems: [one],
      },
    ] of steps.entries()) {
      const count = [2, 4][i % 2]!;
      expect([...data.train.inputs.data]).toEqual(rows.slice(0, count).flat());
      expect([...one!.problem.targets.data]).toEqual(targets.slice(0, count).flat());
      expect(data.test!.inputs.shape[0]).toBe(3);
    }
    expect((await plan({ likelihood: { type: "gaussian", temperature: 3 }, sweep: { temperature: [0.5] } })).experiment.likelihood).toEqual(
      { type: "gaussian", temperature: 3 },
    );
    expect(await refused({ sweep: { train: [0] } })).toMatch(/^sweep\.train\[0\]: expected a positive integer, got 0/);
    const labels = { train: { inputs: rows, targets: [[1], [-1], [1], [-1], [1]] } };
    const logistic = { data: labels, likelihood: { type: "logistic", scale: 2 }, methods: ["nngp"] };
    expect(await refused({ ...logistic, sweep: { temperature: [1] } })).toMatch(/likelihood\.temperature: unknown key/);
    const scales = await problems({ ...logistic, sweep: { "likelihood.scale": [0.5, 4], train: [3] } });
    expect(scales.map(([one]) => [one!.likelihood, one!.targets.shape[0]])).toEqual(
      [0.5, 4].map((scale) => [{ type: "logistic", scale }, 3]),
    );
  });

  it("lie on axes of their own: numbers, lists of equal numbers, all others by their place", () => {
    const at = (name: string, value: unknown, values: unknown[] = []) => positionOf(sweepKey(name, plain), value as never, values);
    expect(at("weightVariance", [2, 2])).toEqual({ x: 2, numeric: true });
    expect(at("weightVariance", [2, 3], [1, [3, 2], [2, 3]])).toEqual({ x: 2, numeric: false });
    expect(at("biasVariance", 0)).toEqual({ x: 0, numeric: true });
    expect(at("widths", [], [[]])).toEqual({ x: 0, numeric: false });
    expect(at("data.classes", [3, 3], [[1, 2], [3, 3]])).toEqual({ x: 1, numeric: false }); // prettier-ignore
    expect(["widths", "depth", "temperature", "weightVariance", "biasVariance", "train", "seed"].map((name) => sweepKey(name, plain).label)).toEqual([
      "width N",
      "hidden layers L",
      "temperature T",
      "weight variance σ_w²",
      "bias variance σ_b²",
      "training points P",
      undefined,
    ]); // prettier-ignore
  });
});

describe("mistakes of a sweep", () => {
  it("are told with the value that makes them, all at once, and combinations that do not fit with theirs", async () => {
    const message = await refused({ sweep: { temperature: [-1, 1, "hot"], "network.widths": [[3], [0]] } });
    expect(message.split("\n")).toEqual([
      "sweep.temperature[0]: expected a number ≥ 0, got -1",
      'sweep.temperature[2]: expected a number ≥ 0, got "hot"',
      "sweep.network.widths[1]: network.widths[0]: expected a positive integer, got 0",
    ]);
    const together = {
      network: { ...base.network, widths: [4] },
      sweep: { "network.widths": [[4], [4, 4]], "network.weightVariance": [[1, 1], 2] },
    };
    expect(await refused(together)).toBe(
      'sweep {"network.widths":[4,4],"network.weightVariance":[1,1]}: network.weightVariance: expected one number or 3 of them (one per weight layer), got an array of 2',
    );
    expect(await refused({ sweep: { train: [2, 3], "data.train.inputs": [rows.slice(0, 5)], plugins: [[]] } })).toMatch(
      /^sweep\.plugins: unknown key/,
    );
  });
});
