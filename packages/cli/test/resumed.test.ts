import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeNpz } from "@finitewidth/core/npz";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { main } from "../src/main.js";
import { capture } from "./command.js";

// drawing takes longer than all else here
vi.mock("../src/report/experiment-report.js", async (original) => ({ ...(await original<object>()), experimentReport: () => "" }));

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-resumed-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const inputs = [
  [1, 0.5, 2],
  [0.2, -1, 0],
  [-2, 0.3, 1],
];
const network = { type: "fully-connected", widths: [3, 2], activation: "identity" };
const experiment = {
  data: { train: { inputs, targets: [[1], [-1], [0.5]] }, test: { inputs: [[1, 1, 0]], targets: [[2]] } },
  networks: [
    { label: "narrow", ...network, widths: [3] },
    { label: "wide", ...network, widths: [9] },
  ],
  likelihood: { temperature: 0.1 },
  methods: ["nngp", "exact"],
  sweep: { temperature: [0.1, 0.7] },
  referee: false,
};
const prior = {
  inputs,
  network,
  methods: ["nngp", { method: "exact", label: "first" }, { method: "exact", label: "again" }],
  evaluateAt: [[[1], [2], [0]]],
  seed: 3,
};

/** Commands on a file, of which `until` may end one when so many methods have finished. */
async function start(command: "run" | "prior", content: object, out: string, { until = Infinity, resume = true } = {}) {
  await writeFile(join(folder, "case.json"), JSON.stringify(content));
  const stop = new AbortController();
  const said: string[] = [];
  const counted: string[] = [];
  const argv = [command, join(folder, "case.json"), "--out", join(folder, out), "--workers", "0", "--quiet"];
  const status = await main([...argv, ...(resume ? ["--resume"] : [])], {
    signal: stop.signal,
    stdout: { write: (text) => said.push(`on standard output: ${text}`) },
    stderr: { write: (text) => said.push(text) },
    onFinished: (done, total) => {
      counted.push(`${done}/${total}`);
      if (done === until) stop.abort(new Error("interrupted"));
    },
  });
  const kept = join(folder, out, ".checkpoints");
  return {
    status,
    said: said.join(""),
    counted,
    kept: existsSync(kept) ? readdirSync(kept).filter((name) => name.startsWith(command === "run" ? "method-" : "prior-")) : [],
  };
}
const result = async (out: string, name = "result.json") => JSON.parse(await readFile(join(folder, out, name), "utf8"));
/** The same without times and what is of the day. */
const steady = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, entry: unknown) => (["seconds", "provenance", "complete"].includes(key) ? undefined : entry)));
/** Seconds of every method at every step: what was kept keeps them. */
const times = ({ sweep }: { readonly sweep: { readonly results: object }[] }): [string, number][] =>
  sweep.flatMap(({ results }, s) =>
    Object.entries(results).flatMap(([name, methods]) =>
      Object.entries(methods as Record<string, { seconds: number }>).map(([method, { seconds }]): [string, number] => [
        `${s} ${name} ${method}`,
        seconds,
      ]),
    ),
  );

describe("a run that was interrupted", () => {
  it("leaves what it has, says that it is not complete, and takes it up again, everything in its place", async () => {
    expect((await start("run", experiment, "whole", { resume: false })).counted).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((k) => `${k}/8`));
    const whole = await result("whole");
    expect(whole).not.toHaveProperty("complete");
    const cut = await start("run", experiment, "cut", { until: 5, resume: false });
    expect(cut.status).toBe(1);
    expect(cut.kept).toHaveLength(5);
    const partial = await result("cut");
    expect(partial.complete).toBe(false);
    const done = times(partial);
    expect(done.map(([place]) => place)).toEqual(["0 narrow nngp", "0 narrow exact", "0 wide nngp", "0 wide exact", "1 narrow nngp"]);
    const resumed = await start("run", experiment, "cut");
    expect(resumed).toMatchObject({ status: 0, kept: [], said: "" });
    const again = await result("cut");
    expect(steady(again)).toEqual(steady(whole));
    expect(times(again).slice(0, 5)).toEqual(done);
    expect(again).not.toHaveProperty("complete");
    // without --resume it starts afresh
    await start("run", experiment, "cut", { until: 2, resume: false });
    const third = await start("run", experiment, "cut", { until: 1, resume: false });
    expect(third.kept).toHaveLength(1);
  });

  it.each([
    ["the temperatures of the sweep", { sweep: { temperature: [0.1, 0.6] } }],
    ["a target", { data: { ...experiment.data, train: { inputs, targets: [[1], [-1], [0.25]] } } }],
    ["a test input", { data: { ...experiment.data, test: { inputs: [[1, 1, 0.5]], targets: [[2]] } } }],
    ["the seed", { seed: 2 }],
    ["an option of a method", { methods: ["nngp", { method: "exact", gradients: true }] }],
  ])("starts afresh when %s has changed", async (_what, change) => {
    await start("run", experiment, "cut", { until: 3, resume: false });
    const resumed = await start("run", { ...experiment, ...change }, "cut", { until: 1 });
    expect(resumed.said).toBe("the experiment or its data have changed: what an earlier run has finished is computed again\n");
    expect(resumed.kept).toHaveLength(1);
  });

  it("keeps what was finished however often it is interrupted", async () => {
    for (const [until, resume] of [
      [2, false],
      [4, true],
      [7, true],
    ] as const) {
      const { counted, kept, said } = await start("run", experiment, "cut", { until, resume });
      expect([counted.length, kept.length, said]).toEqual([until, until, ""]);
    }
    const last = times(await result("cut"));
    expect((await start("run", experiment, "cut")).status).toBe(0);
    expect(times(await result("cut")).slice(0, 7)).toEqual(last);
  });

  it("starts afresh when one of several files of its data has changed", async () => {
    const write = (name: string, last: number) => writeFile(join(folder, name), `a,b,y\n1,2,3\n4,5,6\n7,8,${last}\n`);
    const files = ["a.csv", "b.csv", "c.csv"];
    for (const [i, name] of files.entries()) await write(name, i);
    const several = { ...experiment, data: { file: "a.csv" }, methods: ["nngp"], sweep: { "data.file": files } };
    for (const name of files) {
      await start("run", several, "cut", { until: 1, resume: false });
      expect((await start("run", several, "cut", { until: 2 })).said).toBe("");
      await write(name, 9);
      expect((await start("run", several, "cut", { until: 1 })).said).toMatch(/^the experiment or its data have changed/);
    }
  });

  it("says that there is nothing to resume where there is nothing", async () => {
    expect((await start("run", experiment, "new", { until: 1 })).said).toMatch(
      /^nothing of an earlier run is there to resume; starting afresh\n/,
    );
  });
});

describe("a prior that was interrupted", () => {
  it("takes up what it has, every method its own; another prior starts afresh", async () => {
    expect((await start("prior", prior, "whole", { resume: false })).counted).toEqual(["1/3", "2/3", "3/3"]);
    const whole = await result("whole", "prior.json");
    expect(Object.keys(whole.results)).toEqual(["nngp", "first", "again"]);
    const cut = await start("prior", prior, "cut", { until: 2, resume: false });
    expect([cut.status, cut.kept.length]).toEqual([1, 2]);
    const resumed = await start("prior", prior, "cut");
    expect(resumed).toMatchObject({ status: 0, said: "", kept: [] });
    expect(steady(await result("cut", "prior.json"))).toEqual(steady(whole));
    for (const change of [{ evaluateAt: [[[1], [2], [1]]] }, { inputs: inputs.map(([a, b]) => [a, b, 1]) }]) {
      await start("prior", prior, "cut", { until: 2, resume: false });
      expect((await start("prior", { ...prior, ...change }, "cut")).said).toMatch(/^the experiment or its data have changed/);
    }
  });

  it("ends with status 1 and says why when a method that was named failed, and keeps the others' answers", async () => {
    await writeFile(
      join(folder, "case.json"),
      JSON.stringify({ ...prior, network: { ...network, activation: "erf" }, methods: ["nngp", "exact"], evaluateAt: undefined }),
    );
    const { status, stderr, stdout } = await capture(["prior", join(folder, "case.json"), "--out", join(folder, "out"), "--workers", "0"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^exact failed: /);
    expect(stdout).toMatch(/^exact +failed/m);
    const { results } = await result("out", "prior.json");
    expect([results.nngp.status, results.exact.status]).toEqual(["ok", "failed"]);
  });
});

describe("parts in folders of their own", () => {
  it("are merged as they were asked for: data of the experiment's folder, the referee of the command line, into the folder that is typed", async () => {
    await mkdir(join(folder, "own"));
    await writeFile(join(folder, "own", "points.csv"), "a,b,y,split\n1,2,3,train\n4,-5,6,train\n-7,8,1,train\n1,1,2,test\n");
    const file = join(folder, "own", "case.json");
    const asked = { ...experiment, data: { file: "points.csv" }, methods: ["nngp", "exact", "perturbative"], referee: { steps: "all" } };
    await writeFile(file, JSON.stringify({ ...asked, sweep: { temperature: [0.1, 0.4, 0.7] } }));
    const typed = (...argv: string[]) => capture([...argv, "--quiet"]);
    const run = (...argv: string[]) => typed("run", file, "--referee", "off", "--workers", "0", ...argv);
    expect((await run("--out", join(folder, "whole"))).status).toBe(0);
    const parts = [1, 2, 3].map((index) => join(folder, `part ${index}`, `shard-${index}-of-3`));
    for (const index of [3, 1, 2]) expect((await run("--out", join(folder, `part ${index}`), "--shard", `${index}/3`)).status).toBe(0);
    expect(await typed("merge", parts[1]!, parts[2]!, parts[0]!, "--out", join(folder, "there"))).toMatchObject({ status: 0, stderr: "" });
    const whole = await result("whole");
    expect(steady(await result("there"))).toEqual(steady(whole));
    expect(whole.experiment.referee).toBe(false);
    expect(Object.keys(whole.sweep[2].results.wide)).toEqual(["nngp", "exact", "perturbative"]);
    const { dataHash, command } = (await result("there")).provenance;
    expect([dataHash, command.slice(0, 17)]).toEqual([whole.provenance.dataHash, "finitewidth merge"]);
    expect(JSON.parse(await readFile(join(folder, "there", ".finitewidth.json"), "utf8"))).toEqual({ source: file });
    // otherwise beside the first of the parts
    expect((await typed("merge", parts[1]!, parts[2]!, parts[0]!)).status).toBe(0);
    expect(existsSync(join(folder, "part 2", "result.json"))).toBe(true);
  });
});

describe("files beside the result", () => {
  it("hidden kernels of many points are in hidden-kernels.npz, layer by layer", async () => {
    const points = Array.from({ length: 201 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
    const { networks: _networks, sweep: _sweep, ...rest } = experiment;
    const many = {
      ...rest,
      network: { ...network, weightVariance: [1, 3, 1] },
      data: { train: { inputs: points, targets: points.map(([x]) => [x]) } },
      methods: ["nngp"],
    };
    expect((await start("run", many, "many", { resume: false })).status).toBe(0);
    const { arrays } = decodeNpz(await readFile(join(folder, "many", "hidden-kernels.npz")));
    expect(Object.keys(arrays)).toEqual(["nngp_layer_1", "nngp_layer_2"]);
    // G¹ = X Xᵀ/N0, G² = 3 G¹ for linear layers
    for (const [i, j] of [
      [0, 0],
      [3, 200],
      [150, 7],
    ] as const) {
      const wanted = (points[i]![0]! * points[j]![0]! + points[i]![1]! * points[j]![1]!) / 2;
      expect(arrays["nngp_layer_1"]!.data[201 * i + j]).toBeCloseTo(wanted, 12);
      expect(arrays["nngp_layer_2"]!.data[201 * i + j]).toBeCloseTo(3 * wanted, 12);
    }
    expect(existsSync(join(folder, "many", "draws.npz"))).toBe(false);
  });
});
