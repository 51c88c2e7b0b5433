import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry, FinitewidthError, inlineRun, type Plugin, type Task } from "@finitewidth/core";
import { jobsOf, type MethodOutcome, type SolvedOutcome } from "@finitewidth/experiment";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { estimatePlan } from "../src/dry-run.js";
import { fileReader, pluginsOf, prettyJson, readJson, titleOf, writeAtomically } from "../src/files.js";
import type { CommandContext } from "../src/main.js";
import { openFolder } from "../src/output-folder.js";
import { createProgress } from "../src/progress.js";
import { tellFailures } from "../src/run-files.js";
import { withoutKernels } from "../src/serve/arrays.js";
import { openSession } from "../src/session.js";
import { findShards } from "../src/shard-files.js";
import { jobKey, keptOutcome, membership, outcomeOf as restored, parseShard, shardFolder } from "../src/shard.js";
import { outcomeOf, planned, registry, resultsOf } from "./outcomes.js";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-parts-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const identity = { experiment: "e", versions: { finitewidth: "1", node: "v20" } };
/** A folder with the manifest of a finished part. */
async function part(index: number, count: number, change: object = {}, name = shardFolder({ index, count })): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  const manifest = { schemaVersion: 1, shard: { index, count }, complete: true, identity, experiment: {}, source: "s", folder: "f" };
  await writeFile(join(path, "shard.json"), JSON.stringify({ ...manifest, ...change }));
  return path;
}
const found = async (...folders: string[]): Promise<unknown> => (await findShards(folders)).map(({ manifest: { shard } }) => shard.index);
const refusal = (...folders: string[]): Promise<string> =>
  findShards(folders).then(
    () => "none",
    (error: FinitewidthError) => `${error.code} ${error.message}`,
  );

describe("the parts of a run", () => {
  it("are found in a folder of theirs, by themselves, or both; a plain run's folder beside them is none", async () => {
    const paths = [await part(1, 3), await part(2, 3), await part(3, 3, {}, "elsewhere")];
    await mkdir(join(folder, "shard-x"));
    expect(await found(folder, paths[2]!)).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(await found(...paths.toReversed())).toEqual([3, 2, 1]);
    expect(await refusal(folder)).toBe(
      `input ${folder}: the part 3/3 is not there or not finished; run \`finitewidth run FILE --shard 3/3\`, or name the folder it is in too`,
    );
    expect(await refusal(paths[2]!)).toContain(
      "the parts 1/3, 2/3 are not there or not finished; run `finitewidth run FILE --shard 1/3` and so on, or name the folders",
    );
  });

  it("are of one whole, one experiment and the same versions", async () => {
    const one = await part(1, 2);
    expect(await refusal(one, await part(2, 3))).toBe(`input ${join(folder, "shard-2-of-3")}: is one of 3 parts, others are of 2`);
    const other = await part(2, 2, { identity: { ...identity, experiment: "f" } });
    expect(await refusal(one, other)).toBe(`input ${other}: is of another experiment, or other data, than ${one}`);
    await part(2, 2, { identity: { ...identity, versions: { finitewidth: "2", node: "v20" } } });
    expect(await refusal(one, other)).toBe(
      `input ${other}: was computed by other versions than ${one} (finitewidth 2, node v20; finitewidth 1, node v20)`,
    );
    for (const change of [{ schemaVersion: 2 }, { complete: false }]) {
      await part(2, 2, change);
      expect(await refusal(one, other)).toBe(`input ${other}: shard.json cannot be read; run this part again`);
    }
    await mkdir(join(folder, "begun", "shard-1-of-2"), { recursive: true });
    expect(await refusal(join(folder, "begun"))).toBe(`input ${join(folder, "begun")}: none of its parts is finished`);
  });

  it("share out every network of every step, all its methods together, once", async () => {
    const network = { type: "fully-connected", widths: [4], activation: "identity" };
    const networks = ["a", "b", "c"].map((label) => ({ label, ...network }));
    const plan = await planned({ networks, sweep: { temperature: [1, 2, 3] } });
    const problems = plan.steps.flatMap((step) => step.problems);
    for (const count of [1, 2, 4, 11]) {
      const shards = Array.from({ length: count }, (_, i) => membership(plan, { index: i + 1, count }));
      problems.forEach((problem, i) => expect(shards.map((belongs) => belongs(problem))).toEqual(shards.map((_, k) => i % count === k)));
    }
    expect(parseShard("12/100000")).toEqual({ index: 12, count: 100_000 });
    expect(() => parseShard("1/100001")).toThrow("--shard: expected I/N with 1 ≤ I ≤ N ≤ 100000");
    // keys say which method it is, besides its place
    const keys = [{ methods: ["nngp"] }, { methods: ["exact"] }].map(async (change) => jobKey(jobsOf(await planned(change))[0]!));
    expect(new Set((await Promise.all(keys)).map((key) => JSON.stringify(key))).size).toBe(2);
  });

  it("keep failures as they are: message, code and field", () => {
    const error = new FinitewidthError("x: no", { code: "shape", path: "x" });
    const failed = { label: "a", method: "exact", named: true, seconds: 1, status: "failed", error } as const;
    const again = restored(structuredClone(keptOutcome(failed)));
    expect(again).toMatchObject({ label: "a", method: "exact", named: true, seconds: 1, status: "failed" });
    expect((again as typeof failed).error).toBeInstanceOf(FinitewidthError);
    expect((again as typeof failed).error).toMatchObject({ message: "x: no", code: "shape", path: "x" });
    const ok = outcomeOf("b", 2);
    expect(restored(keptOutcome(ok))).toBe(ok);
  });
});

describe("failures of methods", () => {
  it("are said with network and step, and are status 1, where they were asked for by name", async () => {
    const network = { type: "fully-connected", widths: [4], activation: "identity" };
    const plan = await planned({
      networks: [
        { label: "a", ...network },
        { label: "b", ...network },
      ],
      sweep: { temperature: [1, 2] },
    });
    const failing = (named: boolean) =>
      resultsOf(plan, (s, n, m, label) =>
        s === 1 && n === 0 && m === 1
          ? { label, method: "exact", named, seconds: 1, status: "failed", error: new Error("too\u001b[31m much") }
          : outcomeOf(label, 1),
      );
    const tell = (named: boolean): [number, string] => {
      const said: string[] = [];
      return [
        tellFailures(failing(named), { stderr: { write: (text: string) => said.push(text) } } as unknown as CommandContext),
        said.join(""),
      ];
    };
    expect(tell(false)).toEqual([0, ""]);
    const [status, said] = tell(true);
    expect(status).toBe(1);
    expect(said).toMatch(/^exact failed \(a \{"temperature":2\}\): too/);
    expect(said).not.toContain("\u001b");
  });
});

describe("files", () => {
  it("are read as what their ending says, named without it, and relative to the experiment", async () => {
    await writeFile(join(folder, "a.YML"), "\ufeffa: [1, 2]\n");
    expect(await readJson(join(folder, "a.YML"))).toEqual({ a: [1, 2] });
    await writeFile(join(folder, "b.json"), '\ufeff{"a": 1}');
    expect(await readJson(join(folder, "b.json"))).toEqual({ a: 1 });
    expect(["x/e.json", "x/e.jsonc", "e.yaml", "e.YML", "e.npz"].map(titleOf)).toEqual(["e", "e", "e", "e", "e.npz"]);
    expect([pluginsOf({ plugins: ["a", 3, "b"] }), pluginsOf({}), pluginsOf(null), pluginsOf([1])]).toEqual([["a", "b"], [], [], []]);
    await mkdir(join(folder, "data"));
    await writeFile(join(folder, "data", "x.csv"), "a,b,y\n1,2,3\n4,5,6\n");
    expect((await fileReader(join(folder, "data"))("x.csv", "data.file")).train).toMatchObject({ targets: { shape: [2, 1] } });
  });

  it("are written whole or not at all, however large", async () => {
    const value = { rows: Array.from({ length: 15_000 }, (_, i) => ({ i, text: `row ${i}`, list: [i, 1 - i, 0.5] })) };
    const pieces = [...prettyJson(value)];
    expect(pieces.length).toBeGreaterThan(1);
    expect(JSON.stringify(JSON.parse(pieces.join("")))).toBe(JSON.stringify(value));
    const file = join(folder, "below", "x.txt");
    await writeAtomically(file, "one");
    await writeAtomically(file, "two");
    // what ends half way leaves what was there, and nothing beside it
    const half = (function* () {
      yield "thr";
      throw new Error("no space left");
    })();
    await expect(writeAtomically(file, half)).rejects.toThrow("cannot be written");
    expect([await readFile(file, "utf8"), await readdir(join(folder, "below"))]).toEqual(["two", ["x.txt"]]);
    await mkdir(join(folder, "taken", "x.txt"), { recursive: true });
    await writeFile(join(folder, "taken", "x.txt", "inside"), "");
    await expect(writeAtomically(join(folder, "taken", "x.txt"), "two")).rejects.toMatchObject({
      code: "file",
      message: expect.stringContaining("cannot be written"),
    });
    expect(await readdir(join(folder, "taken"))).toEqual(["x.txt"]);
  });

  it("of a command that was killed are cleared away, others' left alone", async () => {
    const old = [".0a1b2c3d-0000-4000-8000-0123456789ab.tmp", ".mine.tmp", "result.json"];
    for (const name of old) await writeFile(join(folder, name), "");
    const opened = await openFolder(folder, "/some/e.json");
    expect((await readdir(folder)).toSorted()).toEqual([".finitewidth.json", ".lock", ".mine.tmp", "result.json"]);
    expect(JSON.parse(await readFile(join(folder, ".finitewidth.json"), "utf8"))).toEqual({ source: "/some/e.json" });
    expect(JSON.parse(await readFile(join(folder, ".lock"), "utf8")).pid).toBe(process.pid);
    await opened.release();
    expect((await readdir(folder)).includes(".lock")).toBe(false);
  });
});

describe("a session", () => {
  const settings = { registry, seed: 8, workers: 0, signal: new AbortController().signal, identity };
  const progress = createProgress(false, { write: () => true });

  it("keeps what is saved until it has succeeded, and has the seed of its command", async () => {
    const out = join(folder, "out");
    const told: string[] = [];
    const first = await openSession({ ...settings, progress, out, onOpen: (path) => told.push(path) });
    expect([first.run.seed, told]).toEqual([8, [out]]);
    await first.checkpoints!.save("task", 1, "kept");
    await first.close(false);
    const second = await openSession({ ...settings, progress, out, resume: true });
    expect(await second.checkpoints!.load("task", 1)).toBe("kept");
    await second.close(true);
    const third = await openSession({ ...settings, progress, out, resume: true });
    expect(await third.checkpoints!.load("task", 1)).toBeUndefined();
    // the folder is taken while it is open, and free again
    await expect(openSession({ ...settings, progress, out })).rejects.toThrow("is writing into it");
    await third.close(true);
  });

  it("says itself why one thread computes what several were to", async () => {
    const here: Plugin = { name: "without-module" };
    const said: string[] = [];
    const own = createRegistry([here]);
    const session = await openSession({
      ...settings,
      registry: own,
      workers: 2,
      out: join(folder, "out"),
      progress: { ...progress, say: (sentence) => void said.push(sentence) },
    });
    const twice: Task<number, number> = { module: import.meta.url, name: "twice", run: (value) => 2 * value };
    const found: number[] = [];
    for await (const value of session.run.map(twice, [1, 2])) found.push(value);
    await session.close(true);
    expect([found, said]).toEqual([[2, 4], ["computing in one thread: without-module has no module that a worker could import"]]);
  });
});

describe("what a server sends", () => {
  it("leaves no error out but those of kernels", () => {
    const problem = { inputs: { shape: [2, 1] } };
    const standardError = { logEvidence: 0.1, orderParameter: 0.2, hiddenKernels: [], hiddenKernelShifts: [] };
    const outcome = { status: "ok", label: "a", posterior: { problem, diagnostics: {}, hiddenKernels: [], standardError } };
    const left = withoutKernels(outcome as unknown as MethodOutcome) as SolvedOutcome;
    expect(left.posterior).toEqual({ problem, diagnostics: {}, standardError: { logEvidence: 0.1, orderParameter: 0.2 } });
  });
});

describe("the expected cost of a plan", () => {
  it("has the kernels of every layer at the largest problem, and why a method gives none", async () => {
    const plan = await planned({
      networks: [
        { label: "a", type: "fully-connected", widths: [4], activation: "identity" },
        { label: "b", type: "fully-connected", widths: [4, 3, 2], activation: "erf" },
      ],
      sweep: { train: [2, 4] },
    });
    const estimates = await estimatePlan(plan, (signal, onProgress) => ({
      run: inlineRun({ registry: createRegistry(registry.plugins), signal, onProgress }),
      close: () => undefined,
    }));
    expect(estimates.map(({ label, bytes }) => [label, bytes])).toEqual([
      ["nngp", 8 * (3 + 2) * 4 ** 2],
      ["exact", 8 * (3 + 2) * 4 ** 2],
    ]);
    expect(estimates[0]).not.toHaveProperty("remark");
    // exact refuses the second network
    expect(estimates[1]!.remark).toMatch(/linear|identity/);
    expect(estimates[1]!.seconds).toBeGreaterThan(0);
  });
});
