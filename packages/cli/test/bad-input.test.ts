import { describe, expect, it } from "vitest";
import { prettyJson } from "../src/files.js";
import { capture, runCommand } from "./command.js";

const good = {
  data: {
    train: {
      inputs: [
        [1, 2],
        [0, 1],
      ],
      targets: [[1], [0.5]],
    },
    test: { inputs: [[1, 1]], targets: [[0]] },
  },
  network: { type: "fully-connected", widths: [3], activation: "identity" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp"],
};
const withTrain = (inputs: unknown, targets: unknown) => ({ ...good, data: { train: { inputs, targets } } });
const withNetwork = (change: object) => ({ ...good, network: { ...good.network, ...change } });

describe("bad input ends with status 2, one line that names the field, and nothing written", () => {
  it.each<[string, unknown, string | RegExp]>([
    ["ragged matrix", withTrain([[1, 2], [3]], [[1], [2]]), "data.train.inputs[1]: expected 2 numbers, like the first row, got 1"],
    ["NaN", '{"data":{"train":{"inputs":[[NaN]],"targets":[[1]]}}}', /case\.json: is not JSON/],
    [
      "null entry",
      withTrain(
        [
          [1, null],
          [3, 4],
        ],
        [[1], [2]],
      ),
      "data.train.inputs[0][1]: expected a finite number, got null",
    ],
    [
      "huge number",
      '{"data":{"train":{"inputs":[[1e999]],"targets":[[1]]}},"network":{"type":"fully-connected","widths":[2],"activation":"erf"},"likelihood":{"temperature":1},"methods":["nngp"]}',
      "data.train.inputs[0][0]: expected a finite number, got Infinity",
    ],
    [
      "wrong number of targets",
      withTrain(
        [
          [1, 2],
          [3, 4],
        ],
        [[1]],
      ),
      "data.train.targets: expected 2 rows, like the inputs, got 1",
    ],
    ["no points", withTrain([], []), "data.train.inputs: expected at least one row, got an empty array"],
    [
      "other features at test",
      { ...good, data: { ...good.data, test: { inputs: [[1]] } } },
      "data.test.inputs: expected 2 features per row, like the training inputs, got 1",
    ],
    [
      "squares that overflow",
      withTrain(
        [
          [1, 2],
          [3, -1e200],
        ],
        [[1], [2]],
      ),
      "data.train.inputs[1][1]: expected a number of at most 1e+150 in size (rescale the data), got -1e+200",
    ],
    [
      "classes that are no counts",
      { ...good, likelihood: { type: "poisson" }, data: { train: { inputs: [[1], [2]], targets: [[1], [-1]] } } },
      "data.train.targets[1][0]: expected a count, an integer ≥ 0, got -1",
    ],
    [
      "test labels that are no labels",
      {
        ...good,
        likelihood: { type: "softmax" },
        data: { train: { inputs: [[1], [2]], targets: [[1], [-1]] }, test: { inputs: [[1], [3]], targets: [[1], [0.5]] } },
      },
      "data.test.targets[1]: expected a class label, like the training targets, got 0.5",
    ],
    [
      "more flowers than there are",
      { ...good, data: { dataset: "iris", classes: [0, 1], train: 90, test: 100 } },
      "data.train: expected at most 100 points of these classes, those of the test included, got 190",
    ],
    [
      "a block of another command",
      { ...good, optimise: { over: { temperature: [0.1, 1] } } },
      "optimise: belongs to `finitewidth optimise`; run that, or leave it out",
    ],
    [
      "a misspelt key of a layer, which is missing as well",
      {
        ...good,
        network: { type: "sequential", inputShape: [1, 2], layers: [{ layer: "average-pooling", windo: [2] }, { layer: "flatten" }] },
      },
      /^network\.layers\[0\]\.windo: unknown key; expected one of layer, window, stride, padding; did you mean "window"\?/,
    ],
    ["negative variance", withNetwork({ weightVariance: -1 }), /^network\.weightVariance: expected a positive number/],
    ["variances of a wrong number of layers", withNetwork({ weightVariance: [1, 1, 1] }), /^network\.weightVariance: /],
    ["negative temperature", { ...good, likelihood: { temperature: -0.1 } }, "likelihood.temperature: expected a number ≥ 0, got -0.1"],
    ["unknown activation", withNetwork({ activation: "swish" }), /^network\.activation: expected one of "identity"/],
    ["unknown type", withNetwork({ type: "transformer" }), /^network\.type: expected one of "fully-connected"/],
    ["unknown key", { ...good, noise: 1 }, /^noise: unknown key; expected one of data/],
    ["unknown key in the network", withNetwork({ depth: 3 }), /^network\.depth: unknown key/],
    ["unknown method", { ...good, methods: ["nngp", "magic"] }, /^methods\[1\]: expected one of "nngp"/],
    ["unknown option", { ...good, methods: [{ method: "nngp", sead: 3 }] }, /^methods\[0\]\.sead: unknown key/],
    ["the same method twice", { ...good, methods: ["nngp", "nngp"] }, /^methods\[1\]: expected each method once/],
    ["width 0", withNetwork({ widths: [0] }), "network.widths[0]: expected a positive integer, got 0"],
    ["no widths", withNetwork({ widths: [] }), /^network\.widths: /],
    ["missing data file", { ...good, data: { file: "nowhere.npz" } }, /^data\.file: cannot read .*nowhere\.npz \(no such file or folder\)/],
    ["unknown data set", { ...good, data: { dataset: "imagenet", train: 3 } }, /^data\.dataset: expected one of "mnist"/],
    ["missing plug-in", { ...good, plugins: ["no-such-plugin"] }, /^plugins\[0\]: package "no-such-plugin" is not installed/],
    ["sweep over more points than there are", { ...good, sweep: { train: [5] } }, /^sweep\.train\[0\]: expected at most 2 points, got 5/],
    ["an array", [1, 2], "the file: expected an object, got an array of 2"],
    ["not JSON", "{", /case\.json: is not JSON/],
    ["no file", undefined, /case\.json: cannot be read \(no such file or folder\)/],
  ])("%s", async (_what, content, message) => {
    const outcome = await runCommand("run", content);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(outcome.stderr).toMatch(typeof message === "string" ? message : message);
    expect(outcome.stdout).toBe("");
    expect(outcome.wrote).toBe(false);
  });

  it("or twenty lines, where a table of texts has a mistake in every cell", async () => {
    const rows = <T>(cell: T) => Array.from({ length: 30 }, () => [cell]);
    const { status, stderr } = await runCommand("run", withTrain(rows("1"), rows(1)));
    expect(status).toBe(2);
    expect(stderr).toMatch(/^data\.train\.inputs\[0\]\[0\]: expected a finite number, got "1"\n(?:.*\n){19}… and 10 more mistakes\n$/);
  });

  it("unreadable npz", async () => {
    const outcome = await runCommand("run", { ...good, data: { file: "broken.npz" } }, ["--quiet"], { "broken.npz": "no zip file" });
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toMatch(/^data\.file: not a readable \.npz file/);
    expect(outcome.wrote).toBe(false);
  });

  it("prior and phase files", async () => {
    expect(
      (await runCommand("prior", { inputs: [[1]], network: good.network, methods: ["nngp"], evaluateAt: [[[1], [2]]] })).stderr,
    ).toMatch(/^evaluateAt\[0\]: expected 1 × 1 numbers, got 2 × 1/);
    expect((await runCommand("phase-diagram", { activation: "erf", weightVariance: [-1], biasVariance: [0] })).stderr).toMatch(
      /^weightVariance\[0\]: expected a positive number, got -1/,
    );
    expect((await runCommand("phase-diagram", { activation: "erf", weightVariance: [1], biasVariance: [0], grid: 3 })).status).toBe(2);
  });
});

describe("the command line", () => {
  it("rejects unknown commands and options", async () => {
    expect(await capture(["rnu"])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^rnu: unknown command; expected one of run, prior, (?:[a-z-]+, )+[a-z-]+\n$/),
    });
    const unknown = await capture(["run", "x.json", "--sead", "3"]);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toMatch(/--sead/);
    expect((await capture(["run"])).status).toBe(2);
    expect((await capture(["run", "x.json", "--workers=-2"])).stderr).toMatch(/^--workers: expected an integer from 0 to 9999/);
    expect((await capture(["run", "x.json", "--out="])).stderr).toBe('--out: expected a folder, got ""\n');
  });

  it("says where a plug-in was looked for, once, and who named it", async () => {
    const { status, stderr } = await capture(["verify", "--load", "no-such-package"]);
    expect(status).toBe(2);
    expect(stderr).toBe(`--load: package "no-such-package" is not installed in ${process.cwd()}; npm install it there\n`);
  });

  it("lists what is installed", async () => {
    const { status, stdout } = await capture(["plugins"]);
    expect(status).toBe(0);
    for (const name of [
      "fully-connected",
      "convolutional",
      "nngp",
      "exact",
      "effective-action",
      "forward-backward",
      "expectation-propagation",
      "perturbative",
      "monte-carlo",
      "erf",
      "gelu",
    ])
      expect(stdout).toContain(name);
    // under its kind, with what it is and the package that it is from
    const { registry } = await import("./outcomes.js");
    const rows = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    const kindOf = (row: number): string => rows.slice(0, row).findLast((one) => one.at(-1) === "from")![0]!;
    for (const plugin of registry.plugins)
      for (const [kind, items] of [
        ["Networks", plugin.priorModels],
        ["Layers", plugin.layers],
        ["Methods", plugin.theories],
        ["Activations", plugin.activations],
        ["Likelihoods", plugin.likelihoods],
      ] as const)
        for (const { name, summary } of items ?? []) {
          const at = rows.findIndex((row, i) => row[0] === name && row[1] === summary && kindOf(i) === kind);
          expect(at, `${kind} ${name}`).toBeGreaterThan(0);
          expect(rows[at]![2]).toBe(plugin.name);
        }
  });
});

describe("result files", () => {
  it("are JSON with lists of numbers on one line", () => {
    const value = {
      a: [
        [1, 2],
        [3, Number.NaN],
      ],
      b: {},
      c: [],
      d: [{ e: "x\n" }],
      f: undefined,
      g: null,
    };
    const text = [...prettyJson(value)].join("");
    expect(JSON.parse(text)).toEqual({
      a: [
        [1, 2],
        [3, null],
      ],
      b: {},
      c: [],
      d: [{ e: "x\n" }],
      g: null,
    });
    expect(text).toContain("    [1, 2],\n    [3, null]\n");
  });

  it("hidden kernels of many points go to an .npz file", async () => {
    const P = 201;
    const points = Array.from({ length: P }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
    const { status, result } = await runCommand("run", {
      ...good,
      referee: false,
      data: { train: { inputs: points, targets: points.map(([x]) => [x]) } },
    });
    expect(status).toBe(0);
    expect(result.results.nngp.hiddenKernels).toBeUndefined();
    expect(result.results.nngp.warnings).toEqual(["hidden kernels of more than 200 points are in hidden-kernels.npz"]);
  });
});
