import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeNpz, encodeNpz } from "@finitewidth/core/npz";
import { inlineRun } from "@finitewidth/core";
import { planExperiment, resultToJson, runPlan } from "@finitewidth/experiment";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadRegistry } from "../src/builtin-registry.js";
import { createServer } from "../src/serve/server.js";

// drawing takes longer than all else here
const drawn: unknown[][] = [];
vi.mock("../src/report/experiment-report.js", async (original) => ({
  ...(await original<object>()),
  experimentReport: (...given: unknown[]) => (drawn.push(given), "a page"),
}));

// What comes in a line.
type Message = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
let folder: string;
const said: Message[] = [];
let noticed = 0;
const waiting: (() => void)[] = [];
const receive = createServer(
  (message) => {
    said.push(JSON.parse(JSON.stringify(message)) as Message);
    for (const wake of waiting.splice(0)) wake();
  },
  () => void (noticed += 1),
);
const ask = async (message: Message): Promise<Message> => {
  receive(JSON.stringify(message));
  for (;;) {
    const answer = said.find((one) => one.id === message.id && ("result" in one || "error" in one));
    if (answer) return answer;
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
};

const inputs = Array.from({ length: 20 }, (_, i) => [Math.sin(i), Math.cos(2 * i), 0.1 * i]);
const network = { type: "fully-connected", widths: [3, 2], activation: "identity", weightVariance: [1, 1.5, 0.8] };
const experiment = {
  data: {
    train: { inputs, targets: inputs.map(([a, b]) => [a, b! - a!]) },
    test: {
      inputs: [
        [0.3, 0.4, 1],
        [-1, 2, 0],
      ],
    },
  },
  networks: [
    { label: "narrow", ...network },
    { label: "nonlinear", ...network, activation: "erf" },
  ],
  likelihood: { temperature: 0.1 },
  methods: ["nngp", "perturbative"],
  sweep: { temperature: [0.1, 0.4, 0.9] },
  referee: false,
  seed: 4,
};
/** Arrays in the places of their names. */
const attached = (value: unknown, arrays: ReturnType<typeof decodeNpz>["arrays"]): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if ("$array" in value) {
    const { data, shape } = arrays[value.$array as string]!;
    let list: unknown[] = [...data];
    for (const size of [...shape].slice(1).reverse())
      list = Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));
    return list;
  }
  return Array.isArray(value)
    ? value.map((one) => attached(one, arrays))
    : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, attached(one, arrays)]));
};
const withoutTimes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, entry: unknown) => (key === "seconds" || key === "provenance" ? undefined : entry)));
const npz = (name: string) => decodeNpz(readFileSync(join(folder, name, "arrays.npz"))).arrays;

let plain: Message;
let steps: Awaited<ReturnType<typeof runPlan>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "finitewidth-serve-many-"));
  const plan = await planExperiment(experiment, { registry: await loadRegistry([], folder, { allowPaths: false }) });
  steps = await runPlan(plan, inlineRun({ registry: plan.registry, seed: 4 }));
  plain = resultToJson(plan, steps);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("serve, several steps, networks and methods", () => {
  it("answers with every array in its place, kernels too, and tells of every outcome where it belongs", async () => {
    const { result } = await ask({
      id: 1,
      do: "run",
      folder: join(folder, "run"),
      base: folder,
      workers: 0,
      experiment,
      kernels: true,
      keep: true,
    });
    expect(withoutTimes(attached(result, npz("run")))).toEqual(withoutTimes(plain));
    expect(
      result.sweep[2].results.nonlinear.perturbative.hiddenKernels?.[1].mean.$array ??
        result.sweep[2].results.nonlinear.nngp.hiddenKernels[1].mean.$array,
    ).toMatch(/^sweep\/2\/results\/nonlinear\/\w+\/hiddenKernels\/2$/);
    const told = said.filter(({ id, event }) => id === 1 && event === "outcome");
    expect(told.map(({ step, values, network: label, method }) => [step, values.temperature, label, method])).toEqual(
      [0.1, 0.4, 0.9].flatMap((temperature, s) =>
        ["narrow", "nonlinear"].flatMap((label) => ["nngp", "perturbative"].map((method) => [s, temperature, label, method])),
      ),
    );
    expect(told[5]!.outcome.logEvidence).toBe(plain.sweep[1].results.narrow.perturbative.logEvidence);
    const fractions = said.filter(({ id, event }) => id === 1 && event === "progress").map(({ fraction }) => fraction as number);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    for (const fraction of fractions) expect(fraction).toBeLessThanOrEqual(1);
    expect(result.provenance).toMatchObject({ command: "finitewidth serve", dataHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it("leaves kernels out where they are not asked for, and forgets what is not to be kept", async () => {
    const short = { ...experiment, methods: [...experiment.methods, { method: "monte-carlo", draws: 8, warmup: 8, chains: 2 }] };
    const { result } = await ask({ id: 2, do: "run", folder: join(folder, "bare"), base: folder, workers: 0, experiment: short });
    const told = said.filter(({ id, event }) => id === 2 && event === "outcome").map(({ outcome }) => outcome as Message);
    expect(told).toHaveLength(18);
    const points = inputs.length;
    const isPairs = (value: unknown): boolean =>
      Array.isArray(value) && value.length === points && value.every((row) => Array.isArray(row) && row.length === points);
    const pairs = (value: unknown): unknown[] =>
      isPairs(value) ? [value] : typeof value === "object" && value !== null ? Object.values(value).flatMap(pairs) : [];
    // with kernels: two hidden ones, three parts of each, and of the three of preactivations
    expect(pairs(plain.sweep[0].results.narrow.perturbative)).toHaveLength(2 + 2 * 3 + 3 * 3);
    for (const one of [...told, result.sweep[0].results.narrow.nngp]) expect(one).not.toHaveProperty("hiddenKernels");
    expect(pairs([told, result])).toEqual([]);
    expect(Object.entries(npz("bare")).filter(([, { shape }]) => shape.join() === `${points},${points}`)).toEqual([]);
    const own = result.sweep[0].results.narrow;
    expect(own.perturbative.diagnostics.hiddenKernels).toEqual([{ layer: 1 }, { layer: 2 }]);
    expect(own.perturbative.logEvidence).toBe(plain.sweep[0].results.narrow.perturbative.logEvidence);
    expect(own["monte-carlo"].standardError).toHaveProperty("predictive");
    expect((await ask({ id: 20, do: "predict", of: 2, method: "nngp", inputs: "x", folder })).error).toMatchObject({ path: "of" });
  });

  it("predicts by the step, network and method that are named, and by the first step where none is", async () => {
    writeFileSync(join(folder, "at.npz"), encodeNpz({ inputs: { data: Float64Array.of(0.3, 0.4, 1, -1, 2, 0), shape: [2, 3] } }));
    let id = 30;
    for (const [step, label, method] of [
      [2, "nonlinear", "nngp"],
      [1, "narrow", "perturbative"],
      [undefined, "nonlinear", "perturbative"],
    ] as const) {
      const { result } = await ask({
        id: id++,
        do: "predict",
        of: 1,
        ...(step === undefined ? {} : { step }),
        network: label,
        method,
        inputs: join(folder, "at.npz"),
        folder: join(folder, "predicted"),
      });
      const { mean, variance } = attached(result, npz("predicted")) as { mean: number[][]; variance: number[][] };
      const wanted = plain.sweep[step ?? 0].results[label][method].predictive;
      mean.flat().forEach((value, k) => expect(value).toBeCloseTo(wanted.mean.flat()[k], 10));
      variance.flat().forEach((value, k) => expect(value).toBeCloseTo(wanted.variance.flat()[k], 10));
    }
    for (const [change, error] of [
      [{ method: "exact" }, "method: expected a method that has an answer"],
      [{ network: "none" }, "method: expected a method that has an answer"],
      [{ inputs: join(folder, "two.npz") }, "inputs: expected 3 features per row, like the training inputs, got 2"],
      [{ inputs: join(folder, "other.npz") }, "inputs: "],
    ] as const) {
      writeFileSync(join(folder, "two.npz"), encodeNpz({ inputs: { data: new Float64Array(4), shape: [2, 2] } }));
      writeFileSync(join(folder, "other.npz"), encodeNpz({ points: { data: new Float64Array(6), shape: [2, 3] } }));
      const answer = await ask({
        id: id++,
        do: "predict",
        of: 1,
        network: "narrow",
        method: "nngp",
        inputs: join(folder, "at.npz"),
        folder,
        ...change,
      });
      expect(answer.error.message).toContain(error);
    }
  });

  it("predicts with the seed of the step", async () => {
    const sampled = {
      ...experiment,
      networks: undefined,
      network: { ...network, activation: "erf" },
      methods: [{ method: "perturbative", engine: "sampled", samples: 64 }],
      sweep: { seed: [11, 12] },
    };
    const run = { do: "run", folder: join(folder, "seeds"), base: folder, workers: 0, keep: true };
    const { result } = await ask({ id: 160, ...run, experiment: sampled });
    const wanted = (attached(result, npz("seeds")) as Message).sweep.map((one: Message) => one.results.perturbative.predictive.mean.flat());
    expect(wanted[0]).not.toEqual(wanted[1]);
    for (const step of [0, 1]) {
      const at = { inputs: join(folder, "at.npz"), folder: join(folder, "seeds-predicted") };
      const answer = await ask({ id: 161 + step, do: "predict", of: 160, step, method: "perturbative", ...at });
      const { mean } = attached(answer.result, npz("seeds-predicted")) as { mean: number[][] };
      mean.flat().forEach((value, k) => expect(value).toBeCloseTo(wanted[step][k], 10));
    }
  });

  it("says with how many threads many points were computed", async () => {
    const rows = Array.from({ length: 510 }, (_, i) => [Math.sin(i), Math.cos(2 * i)]);
    const many = {
      data: { train: { inputs: rows, targets: rows.map(([a]) => [a]) } },
      network: { type: "fully-connected", widths: [5], activation: "erf" },
      likelihood: { temperature: 0.1 },
      methods: ["nngp"],
      referee: false,
    };
    const { result } = await ask({ id: 170, do: "run", folder: join(folder, "threads"), base: folder, workers: 2, experiment: many });
    expect(result.provenance.backend).toContain("2-threads");
  });

  it("keeps several runs apart, predicts class probabilities of each, and releases only the one that is named", async () => {
    const few = inputs.slice(0, 9);
    const kept = [0.5, 1, 2].map((scale, k) => ({
      id: 80 + k,
      experiment: {
        data: {
          train: { inputs: few, targets: few.map((_, i) => [(i * k + Math.floor(i / 4)) % 3]) },
          test: { inputs: experiment.data.test.inputs, targets: [[0], [1]] },
        },
        network: { ...network, activation: "erf" },
        likelihood: { type: "softmax", scale },
        methods: [{ method: "nngp", label: "mine" }],
        referee: false,
      },
    }));
    const answers = [];
    for (const one of kept) {
      const run = { do: "run", folder: join(folder, `${one.id}`), base: folder, workers: 0, keep: true, ...one };
      answers.push(attached((await ask(run)).result, npz(`${one.id}`)) as Message);
    }
    const predict = (id: number, of: number) => {
      const at = { inputs: join(folder, "at.npz"), folder: join(folder, `predicted-${of}`) };
      return ask({ id, do: "predict", of, method: "mine", ...at });
    };
    const wanted = answers.map(({ results }) => results.mine.predictive.probabilities as number[][]);
    expect(new Set(wanted.flat(2)).size).toBe(18);
    for (const [k, { id }] of kept.entries()) {
      const { result } = await predict(90 + k, id);
      const { probabilities } = attached(result, npz(`predicted-${id}`)) as { probabilities: number[][] };
      expect(probabilities.map((row) => row.length)).toEqual([3, 3]);
      probabilities.flat().forEach((value, i) => expect(value).toBeCloseTo(wanted[k]!.flat()[i]!, 10));
    }
    await ask({ id: 93, do: "release", of: 81 });
    const after = await Promise.all([80, 81, 82].map((of, k) => predict(94 + k, of)));
    expect(after.map(({ error }) => error?.path)).toEqual([undefined, "of", undefined]);
  });

  it("reports the run that is named under its title, until it is released", async () => {
    const { result } = await ask({ id: 50, do: "report", of: 1, folder: join(folder, "page"), title: "mine" });
    expect(result.file).toBe(join(folder, "page", "report.html"));
    expect(readFileSync(result.file, "utf8")).toBe("a page");
    const [, own, title, provenance] = drawn.at(-1) as [unknown, { length: number }, string, { command: string }];
    expect([own.length, title, provenance.command]).toEqual([3, "mine", "finitewidth serve"]);
    expect((await ask({ id: 51, do: "release", of: 1 })).result).toBeNull();
    expect((await ask({ id: 52, do: "report", of: 1, folder })).error).toMatchObject({ code: "input", path: "of" });
  });

  it("runs a command as it would be typed: its status, what it prints, what it says", async () => {
    const file = join(folder, "e.json");
    const { sweep: _sweep, ...rest } = experiment;
    writeFileSync(file, JSON.stringify({ ...rest, networks: [experiment.networks[1]], methods: ["nngp", "exact"] }));
    const out = join(folder, "typed");
    const { result } = await ask({ id: 60, do: "command", argv: ["run", file, "--out", out, "--workers", "0"] });
    expect(result.status).toBe(1);
    expect(result.stdout).toContain(`Report: ${join(out, "report.html")}`);
    expect(result.notes).toEqual([expect.stringMatching(/^exact failed \(nonlinear\): /)]);
    expect(existsSync(join(out, "result.json"))).toBe(true);
    expect((await ask({ id: 61, do: "command", argv: ["run", join(folder, "none.json")] })).error.code).toBe("file");
    expect((await ask({ id: 62, do: "command", argv: ["--version"] })).result).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("finitewidth/"),
      notes: [],
    });
  });

  it("cancels what waits without computing it, and nothing else", async () => {
    const [first, second, third] = [70, 71, 72].map((id) =>
      ask({ id, do: "run", folder: join(folder, `${id}`), base: folder, workers: 0, experiment: { ...experiment, methods: ["nngp"] } }),
    );
    receive(JSON.stringify({ id: 73, do: "cancel", of: 71 }));
    expect(noticed).toBe(1);
    expect((await first)!.result.sweep).toHaveLength(3);
    expect((await second)!.error).toEqual({ code: "cancelled", message: "cancelled" });
    expect((await third)!.result.sweep).toHaveLength(3);
    expect(said.filter(({ id, event }) => id === 71 && event !== undefined)).toEqual([]);
    // every mistake of a file comes with its path
    const wrong = { ...experiment, likelihood: { temperature: -1 }, seed: "x" };
    const { error } = await ask({ id: 74, do: "run", folder, base: folder, workers: 0, experiment: wrong });
    expect(error.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual(["likelihood.temperature", "seed"]);
  });
});
