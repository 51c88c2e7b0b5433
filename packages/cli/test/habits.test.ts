import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../bin/finitewidth.cjs", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-habits-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the built program; `signal` is sent when `when` is seen on standard error, or after so many milliseconds. */
function start(
  argv: readonly string[],
  node: readonly string[] = [],
): { readonly ended: Promise<Ended>; kill(signal: NodeJS.Signals): void } {
  const child = spawn(process.execPath, [...node, bin, ...argv], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (part: string) => (text[name] += part));
  return {
    ended: new Promise((resolve) => child.on("close", (status) => resolve({ status, ...text }))),
    kill: (signal) => void child.kill(signal),
  };
}

const rows = Array.from({ length: 12 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i)]);
const experiment = {
  data: { train: { inputs: rows, targets: rows.map(([x]) => [x! > 0 ? 1 : -1]) }, test: { inputs: rows, targets: rows.map(([x]) => [x]) } },
  network: { type: "fully-connected", widths: [6], activation: "erf" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp", { method: "monte-carlo", chains: 2, draws: 1500, warmup: 300 }],
  sweep: { widths: [4, 6, 8] },
  referee: false,
};
const write = (value: unknown, name = "e.json") => writeFile(join(folder, name), JSON.stringify(value));
const result = async (out: string) => JSON.parse(await readFile(join(folder, out, "result.json"), "utf8")) as Record<string, unknown>;
/** Everything but times and provenance. */
const numbers = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(numbers)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value).flatMap(([key, entry]) => (["seconds", "provenance"].includes(key) ? [] : [[key, numbers(entry)]])),
        )
      : value;
const waitFor = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Methods that are kept. */
const kept = (out: string): number => {
  const checkpoints = join(folder, out, ".checkpoints");
  return existsSync(checkpoints) ? readdirSync(checkpoints).filter((name) => name.startsWith("method-")).length : 0;
};

describe("a run that is ended", () => {
  it("by Ctrl-C or by force keeps what is finished; resumed numbers are those of an undisturbed run", async () => {
    await write(experiment);
    expect((await start(["run", "e.json", "--out", "whole", "--quiet"]).ended).status).toBe(0);
    const whole = await result("whole");
    expect(whole.provenance).toMatchObject({
      version: expect.any(String),
      node: process.version,
      dataHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      command: "finitewidth run e.json --out whole --quiet",
    });

    const first = start(["run", "e.json", "--out", "cut"]);
    await waitFor(() => kept("cut") >= 1);
    first.kill("SIGKILL");
    await first.ended;
    const before = kept("cut");
    expect(before).toBeGreaterThanOrEqual(1);
    expect(existsSync(join(folder, "cut", ".lock"))).toBe(true);

    const second = start(["run", "e.json", "--out", "cut", "--resume"]);
    await waitFor(() => kept("cut") > before);
    second.kill("SIGINT");
    const ended = await second.ended;
    if (ended.status !== 0) {
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(
        /interrupted: [1-6] of 6 methods are finished and what is finished is kept in .*cut; the same command with --resume goes on/,
      );
      expect(existsSync(join(folder, "cut", ".lock"))).toBe(false);
      expect((await result("cut")).complete).toBe(false);
      expect((await start(["run", "e.json", "--out", "cut", "--resume", "--quiet"]).ended).status).toBe(0);
    }
    const resumed = await result("cut");
    expect(resumed).not.toHaveProperty("complete");
    expect(numbers(resumed)).toEqual(numbers(whole));
    expect(existsSync(join(folder, "cut", ".checkpoints"))).toBe(false);
    const csv = (await readFile(join(folder, "cut", "sweep.csv"), "utf8")).trim().split("\n");
    expect(csv).toHaveLength(7);
    expect(csv[0]).toMatch(/^step,widths,method,status,logEvidence,/);
    expect(csv.slice(1).map((line) => line.split(",").slice(0, 3).join(","))).toEqual([
      "0,4,nngp",
      "0,4,monte-carlo",
      "1,6,nngp",
      "1,6,monte-carlo",
      "2,8,nngp",
      "2,8,monte-carlo",
    ]);
  }, 120_000);
});

describe("a verification that is ended", () => {
  it("by force goes on from the networks that are sampled, with the same report; without a match it leaves nothing", async () => {
    const verify = (...more: readonly string[]) =>
      start(["verify", "--filter", "large-deviation / linear, two outputs, targets", "--seed", "3", "--workers", "1", "--quiet", ...more]);
    const report = async (out: string) => numbers(JSON.parse(await readFile(join(folder, out, "report.json"), "utf8")));
    expect((await verify("--out", "whole").ended).status).toBe(0);
    const cut = verify("--out", "cut");
    const chunks = join(folder, "cut", ".checkpoints");
    await waitFor(() => existsSync(chunks) && readdirSync(chunks).length > 5);
    cut.kill("SIGKILL");
    await cut.ended;
    expect((await verify("--out", "cut", "--resume").ended).status).toBe(0);
    expect(await report("cut")).toEqual(await report("whole"));
    expect(existsSync(chunks)).toBe(false);
    const seed = await start(["verify", "--seed", "one", "--out", "none"]).ended;
    expect(seed).toMatchObject({ status: 2, stderr: "--seed: expected an integer ≥ 0, got one\n" });
  }, 240_000);
});

describe("everyday use", () => {
  const small = { ...experiment, methods: ["nngp"], sweep: undefined };

  it("works with V8 flags, a closed pipe, and numbers as names of folders", async () => {
    await write({ ...small, methods: [{ method: "monte-carlo", chains: 2, draws: 20, warmup: 20 }] });
    const flagged = await start(["run", "e.json", "--out", "007", "--workers", "2", "--quiet"], ["--max-old-space-size=600"]).ended;
    expect([flagged.status, flagged.stderr]).toEqual([0, ""]);
    expect(existsSync(join(folder, "007", "result.json"))).toBe(true);
    const child = spawn("sh", ["-c", `${process.execPath} ${bin} plugins | true`], { cwd: folder });
    let stderr = "";
    child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
    await new Promise((resolve) => child.on("close", resolve));
    expect(stderr).toBe("");
    const full = spawn("sh", ["-c", `${process.execPath} ${bin} plugins > /dev/full`], { cwd: folder });
    full.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
    expect(await new Promise((resolve) => full.on("close", resolve))).toBe(1);
    expect(stderr).toBe("finitewidth: standard output cannot be written (ENOSPC)\n");
  }, 60_000);

  it("loads plug-ins by path only when allowed, and names them before", async () => {
    const plugin = (body: string, name: string) => writeFile(join(folder, name), body);
    await plugin(
      'export default { name: "mine", datasets: [{ name: "mine", summary: "x", load: async () => ({ train: { inputs: { data: Float64Array.of(1, 2), shape: [2, 1] }, targets: { data: Float64Array.of(1, 2), shape: [2, 1] } } }) }] };',
      "good.mjs",
    );
    await plugin("throw null;", "null.mjs");
    await plugin("process.exit(0);", "exit.mjs");
    const own = { ...small, data: { dataset: "mine", train: 1 }, plugins: ["./good.mjs"] };
    await write(own);
    const refused = await start(["run", "e.json"]).ended;
    expect([refused.status, refused.stderr]).toEqual([
      2,
      'plugins[0]: "./good.mjs" is a path: its code would run here; add --allow-plugin-paths if you trust it\n',
    ]);
    const allowed = await start(["run", "e.json", "--allow-plugin-paths"]).ended;
    expect(allowed.status).toBe(0);
    expect(allowed.stderr).toMatch(/^loading plug-in \.\/good\.mjs \(.*good\.mjs\)\n/);
    for (const escape of ["x/../good.mjs", "../good.mjs", "/tmp/good.mjs", "file:///tmp/good.mjs"]) {
      await write({ ...small, plugins: [escape] });
      expect((await start(["run", "e.json"]).ended).stderr).toContain("is a path");
    }
    await write({ ...small, plugins: ["./null.mjs"] });
    const thrown = await start(["run", "e.json", "--allow-plugin-paths"]).ended;
    expect([thrown.status, thrown.stderr.includes("it threw null")]).toEqual([2, true]);
    await write({ ...small, plugins: ["./exit.mjs"] });
    const left = await start(["run", "e.json", "--allow-plugin-paths"]).ended;
    expect([left.status, left.stderr.includes("the command ended early")]).toEqual([1, true]);
    await plugin('setInterval(() => undefined, 1000); export default { name: "open" };', "open.mjs");
    await write({ ...small, plugins: ["./open.mjs"] });
    const open = await start(["run", "e.json", "--allow-plugin-paths"]).ended;
    expect([open.status, open.stdout.includes("Report: ")]).toEqual([0, true]);
  }, 60_000);

  it("refuses a filter of verify that is no name before computing, with the nearest names", async () => {
    const misspelt = await start(["verify", "--filter", "predictiv-mean", "--out", "none"]).ended;
    expect(misspelt).toMatchObject({ status: 2, stderr: expect.stringContaining("such as predictive-mean, got") as string });
    expect((await start(["verify", "--filter", "effectiv-action"]).ended).stderr).toContain("such as effective-action, got");
    expect(existsSync(join(folder, "none"))).toBe(false);
  }, 60_000);

  it("refuses a folder that is of no use before computing, and says what a run would cost", async () => {
    await write({ ...small, referee: { seconds: 10 } });
    await mkdir(join(folder, "d"));
    await writeFile(join(folder, "taken"), "");
    expect((await start(["run", "e.json", "--out", "taken"]).ended).status).toBe(1);
    const dry = await start(["run", "e.json", "--dry-run", "--out", "dry"]).ended;
    expect(dry.status).toBe(0);
    expect(dry.stdout).toMatch(/nngp +< 1 s/);
    expect(dry.stdout).toMatch(/^referee +10 s *$/m);
    expect(dry.stdout).toMatch(/^ {2}referee: at most: one network is sampled for up to 10 s/m);
    expect((await start(["run", "e.json", "--dry-run", "--referee", "off"]).ended).stdout).not.toContain("referee");
    expect(existsSync(join(folder, "dry"))).toBe(false);
  }, 60_000);

  it("fails only when a method asked for by name fails", async () => {
    const named = await (await write({ ...small, methods: ["nngp", "exact"] }), start(["run", "e.json", "--quiet"]).ended);
    expect([named.status, named.stderr.startsWith("exact failed: ")]).toEqual([1, true]);
    const applicable = await (await write({
      ...small,
      methods: "applicable",
      data: { train: { inputs: [[1], [2]], targets: [[1], [2]] } },
    }),
    start(["run", "e.json", "--quiet"]).ended);
    expect([applicable.status, applicable.stderr]).toEqual([0, ""]);
  }, 120_000);
});
