import { fit, inlineRun, randomLayers, resolveArchitecture } from "@finitewidth/core";
import type { FullyConnectedNetwork } from "@finitewidth/prior-fc";
import { exact, nngp } from "@finitewidth/posterior";
import { describe, expect, it } from "vitest";
import { planExperiment, positionOf, resultToJson, runExperiment, sweepKey, type SolvedOutcome } from "../src/index.js";
import { setPath, parsePath } from "../src/json-path.js";
import { base, counted, registry, registryWith, rows, targets } from "./cases.js";

const plan = (change: object, own = registry) => planExperiment({ ...base, ...change }, { registry: own });
const message = async (change: object): Promise<string> => {
  try {
    await plan(change);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

describe("a sweep", () => {
  it("gives the numbers of direct fits at every step, in the order of the file, the last key fastest", async () => {
    const sweep = { train: [5, 3], widths: [[4], [6, 2]], temperature: [0.3, 0.05] };
    const { steps } = await runExperiment({ ...base, sweep }, { registry });
    const expected = sweep.train.flatMap((train) =>
      sweep.widths.flatMap((widths) => sweep.temperature.map((temperature) => ({ train, widths, temperature }))),
    );
    expect(steps.map(({ step }) => step.values)).toEqual(expected);
    const { test } = base.data;
    for (const [i, { train, widths, temperature }] of expected.entries()) {
      const problem = { network: { ...base.network, widths }, inputs: rows.slice(0, train), targets: targets.slice(0, train), temperature };
      const run = inlineRun({ registry, seed: 1 });
      for (const [m, theory] of [nngp, exact].entries()) {
        const { posterior, predict } = await fit<never, never>(theory as never, problem, {
          registry,
          run,
          options: m === 1 ? { draws: 1000 } : {},
        });
        const { mean, variance } = await predict(test.inputs);
        const outcome = steps[i]!.problems[0]!.outcomes[m] as SolvedOutcome;
        expect(outcome.posterior.logEvidence).toBe(posterior.logEvidence);
        expect(outcome.predictive!.mean.data).toEqual(mean.data);
        // Mean over the six test targets, three points times two outputs.
        const flat = test.targets.flat();
        const bias = flat.reduce((sum, y, k) => sum + (y - mean.data[k]!) ** 2, 0) / 6;
        const spread = variance.data.reduce((sum, value) => sum + value, 0) / 6;
        expect(outcome.generalizationError!.bias).toBeCloseTo(bias, 12);
        expect(outcome.generalizationError!.variance).toBeCloseTo(spread, 12);
        expect(outcome.generalizationError!.total).toBeCloseTo(bias + spread, 12);
      }
    }
    const evidences = steps.map(({ problems }) => (problems[0]!.outcomes[1] as SolvedOutcome).posterior.logEvidence);
    expect(new Set(evidences).size).toBe(8);
  });

  it("changes anything by its path", async () => {
    const { steps } = await plan({
      methods: ["nngp", { method: "exact", label: "sampled", draws: 1000 }],
      sweep: { "network.activation": ["erf", "identity"], "network.widths[0]": [7, 3], seed: [4] },
    });
    expect(
      steps.map(({ problems, seed }) => [
        (problems[0]!.problem.network as FullyConnectedNetwork).activation,
        (problems[0]!.problem.network as FullyConnectedNetwork).widths[0],
        seed,
      ]),
    ).toEqual([
      ["erf", 7, 4],
      ["erf", 3, 4],
      ["identity", 7, 4],
      ["identity", 3, 4],
    ]);
    const scaled = await plan({ sweep: { scaling: ["mean-field", "standard"] } });
    expect(scaled.steps.map(({ problems }) => problems[0]!.problem.scaling)).toEqual(["mean-field", "standard"]);
  });

  it("runs every step with the seed that it sets", async () => {
    const seeds: number[] = [];
    const watched = {
      ...nngp,
      name: "watched",
      fit: (...[problem, options, run]: Parameters<typeof nngp.fit>) => (seeds.push(run.seed), nngp.fit(problem, options, run)),
    };
    const own = registryWith({ name: "watched", theories: [watched as never] });
    await runExperiment({ ...base, methods: ["watched"], sweep: { seed: [7, 3] } }, { registry: own });
    await runExperiment({ ...base, methods: ["watched"], seed: 9 }, { registry: own });
    expect(seeds).toEqual([7, 3, 9]);
  });

  it("reaches into methods written as names", async () => {
    const { steps } = await plan({ methods: ["nngp", "exact"], sweep: { "methods[1].draws": [1000, 2000] } });
    expect(steps.map(({ problems }) => (problems[0]!.methods[1]!.options as { draws: number }).draws)).toEqual([1000, 2000]);
  });

  it("loads the data again where it changes them, once for each request", async () => {
    counted.loads = 0;
    const { steps } = await plan({
      data: { dataset: "numbers", train: 3, seed: 2 },
      sweep: { "data.seed": [5, 2], temperature: [1, 2, 3] },
    });
    expect(counted.loads).toBe(2);
    expect(steps.map(({ data }) => data.train.targets.data[0]! / data.train.inputs.data[0]!)).toEqual([5, 5, 5, 2, 2, 2]);
  });

  it("copies one width with depth, after widths", async () => {
    const { steps } = await plan({ sweep: { depth: [1, 3], widths: [2, [9]] } });
    expect(steps.map(({ problems }) => (problems[0]!.problem.network as FullyConnectedNetwork).widths)).toEqual([
      [2],
      [9],
      [2, 2, 2],
      [9, 9, 9],
    ]);
    expect(await message({ network: { ...base.network, widths: [3, 4] }, sweep: { depth: [2] } })).toMatch(
      /^sweep\.depth\[0\]: expected a network whose hidden layers are all the same/,
    );
  });

  it("sets channels of convolutions, and widths of every network of several", async () => {
    const conv = { type: "convolutional", inputShape: [1, 4], layers: [{ channels: 3, kernelSize: [2] }], activation: "identity" };
    const { steps } = await plan({ network: undefined, networks: [base.network, conv], sweep: { widths: [11, 12] } });
    expect(steps.map(({ problems }) => problems.map(({ label }) => label))).toEqual([
      ["fully-connected", "convolutional"],
      ["fully-connected", "convolutional"],
    ]);
    const channels = steps.map(
      ({ problems }) => (problems[1]!.problem.network as unknown as { layers: { channels: number }[] }).layers[0]!.channels,
    );
    expect(channels).toEqual([11, 12]);
    expect((steps[1]!.problems[0]!.problem.network as FullyConnectedNetwork).widths).toEqual([12]);
  });

  it("sets widths and variances of networks that are written as lists of layers", async () => {
    const dense = { layer: "dense", width: 3 };
    const network = {
      type: "sequential",
      inputShape: [4],
      layers: [
        dense,
        {
          layer: "residual",
          body: [
            { layer: "activation", name: "erf" },
            { ...dense, biasVariance: 0.1 },
          ],
        },
        { layer: "dense" },
      ],
    };
    const sweep = { widths: [5], weightVariance: [2, [1, 2, 3]], biasVariance: [0.5] };
    const { steps } = await plan({ network, sweep });
    const numbers = steps.map(({ problems }) =>
      randomLayers(resolveArchitecture(registry, problems[0]!.problem.network).layers).map((layer) => [
        layer.width,
        layer.weightVariance,
        layer.biasVariance,
      ]),
    );
    const of = (variances: number[]) => variances.map((variance, l) => [l === 2 ? undefined : 5, variance, 0.5]);
    expect(numbers).toEqual([of([2, 2, 2]), of([1, 2, 3])]);
    expect(await message({ network, sweep: { weightVariance: [[1, 2]] } })).toMatch(
      /^sweep\.weightVariance\[0\]: expected a number > 0 or 3 of them/,
    );
    expect(await message({ network, sweep: { biasVariance: [-1] } })).toMatch(
      /^sweep\.biasVariance\[0\]: expected a number ≥ 0 or 3 of them/,
    );
  });

  it("takes keys that plug-ins register", async () => {
    const own = registryWith({
      name: "noise",
      sweepKeys: [
        {
          name: "noise",
          summary: "standard deviation of the noise",
          apply: (draft, value) => ({ ...draft, experiment: { ...draft.experiment, likelihood: { temperature: (value as number) ** 2 } } }),
        },
      ],
    });
    const { steps } = await plan({ sweep: { noise: [1, 3] } }, own);
    expect(steps.map(({ problems }) => problems[0]!.problem.temperature)).toEqual([1, 9]);
  });

  it.each([
    [{ train: [6] }, "sweep.train[0]: expected at most 5 points, got 6"],
    [{ temperature: [1, -1] }, "sweep.temperature[1]: expected a number ≥ 0, got -1"],
    [{ widths: [[3], [0]] }, "sweep.widths[1]: network.widths[0]: expected a positive integer, got 0"],
    [{ widht: [1] }, /^sweep\.widht: unknown key; expected one of widths, .*; did you mean "width/],
    [{ "network.constructor": [1] }, /^sweep\.network\.constructor: unknown key/],
    [{ "methods[7].closure": ["x"] }, /^sweep\.methods\[7\]\.closure\[0\]: expected a path of the experiment/],
    [{ "network.activation": ["erf", "erv"] }, /^sweep\.network\.activation\[1\]: expected one of .* did you mean "erf"\?$/],
    [
      {
        widths: Array.from({ length: 2000 }, (_, i) => i + 1),
        temperature: Array.from({ length: 2000 }, () => 1),
        train: Array.from({ length: 2000 }, () => 1),
      },
      "sweep: expected at most 10000 steps, got 8000000000",
    ],
    [{ widths: [] }, "sweep.widths: expected a list of values, got an empty array"],
  ])("names the value that is wrong (%#)", async (sweep, expected) => {
    const text = await message({ sweep });
    if (typeof expected === "string") expect(text).toBe(expected);
    else expect(text).toMatch(expected);
  });

  it("knows where a value lies on an axis", () => {
    const key = (name: string) => sweepKey(name, registry);
    expect(positionOf(key("widths"), [30, 30], [])).toEqual({ x: 30, numeric: true });
    expect(
      positionOf(
        key("widths"),
        [30, 10],
        [
          [5, 5],
          [30, 10],
        ],
      ),
    ).toEqual({ x: 1, numeric: false });
    expect(positionOf(key("temperature"), 0.1, [])).toEqual({ x: 0.1, numeric: true });
    expect(positionOf(key("network.activation"), "erf", ["relu", "erf"])).toEqual({ x: 1, numeric: false });
  });
});

describe("paths", () => {
  it("are read and set without touching what they do not name", () => {
    expect(parsePath("methods[0].closure")).toEqual(["methods", 0, "closure"]);
    for (const bad of ["", "[0]", ".a", "a..b", "a[x]", "a.__proto__", "a[0]b"]) expect(parsePath(bad)).toBeUndefined();
    const root = { a: [{ b: 1 }, { b: 2 }], c: 3 };
    expect(setPath(root, ["a", 1, "b"], 5, "p")).toEqual({ a: [{ b: 1 }, { b: 5 }], c: 3 });
    expect(root.a[1]!.b).toBe(2);
    expect(() => setPath(root, ["x", "y"], 1, "p")).toThrow(/^p: expected a path of the experiment/);
  });
});

describe("results", () => {
  it("are keyed by labels of methods, by networks, and by steps", async () => {
    const methods = ["nngp", { method: "exact", label: "all of it" }];
    const networks = [
      { label: "narrow", ...base.network },
      { label: "wide", ...base.network, widths: [50] },
    ];
    const { plan: planned, steps } = await runExperiment(
      { ...base, network: undefined, networks, methods, sweep: { temperature: [0.2, 0.1] } },
      { registry },
    );
    const json = resultToJson(planned, steps, { provenance: { version: "x" } }) as {
      sweep: { values: object; results: Record<string, Record<string, { logEvidence: number }>> }[];
      provenance: object;
    };
    expect(json.sweep.map(({ values }) => values)).toEqual([{ temperature: 0.2 }, { temperature: 0.1 }]);
    expect(Object.keys(json.sweep[0]!.results)).toEqual(["narrow", "wide"]);
    expect(Object.keys(json.sweep[1]!.results.wide!)).toEqual(["nngp", "all of it"]);
    expect(json.sweep[0]!.results.narrow!["all of it"]!.logEvidence).not.toBe(json.sweep[0]!.results.wide!["all of it"]!.logEvidence);
    expect(json.provenance).toEqual({ version: "x" });
  });
});
