import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinitewidthError } from "@finitewidth/core";
import type { FigureEvidence, SuiteEvidence } from "@finitewidth/verification";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Estimate } from "../src/dry-run.js";
import { main } from "../src/main.js";
import { capture } from "./command.js";

/** What the suite and the figures are made to find: the commands about them are what is tested. */
const found = {
  suite: { suite: "quick", passed: true, claims: [], failures: [], seconds: 1 } as SuiteEvidence,
  holds: (_figure: string): boolean => true,
  fails: (_figure: string): boolean => false,
  estimates: [] as Estimate[],
  breaks: undefined as Error | undefined,
  /** What was asked for. */
  asked: [] as unknown[],
};
vi.mock("@finitewidth/verification", async (original) => ({
  ...(await original<typeof import("@finitewidth/verification")>()),
  runVerification: async (request: object, { seed }: { readonly seed: number }) => {
    found.asked.push({ ...request, seed });
    if (found.breaks) throw found.breaks;
    return found.suite;
  },
}));
vi.mock("@finitewidth/experiment", async (original) => ({
  ...(await original<typeof import("@finitewidth/experiment")>()),
  reproduceFigure: async (figure: { name: string }, size: string) => {
    found.asked.push(figure.name);
    if (found.fails(figure.name)) throw new Error("not today");
    const checks = [
      { name: "first", expected: "more", found: "enough", holds: true },
      { name: "second", expected: "less", found: "much", holds: found.holds(figure.name) },
    ];
    return { figure, size, numbers: { of: figure.name }, checks, passed: checks[1]!.holds, seconds: 61 };
  },
}));
const opened: string[] = [];
vi.mock("../src/open-page.js", () => ({ openPage: (page: string) => opened.push(page) }));
vi.mock("../src/dry-run.js", () => ({ estimatePlan: async () => found.estimates }));
vi.mock("../src/report/figure-report.js", () => ({ figurePage: () => "", figureSvg: () => "", galleryPage: () => "" }));

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-status-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("verify", () => {
  const verify = async (suite: "quick" | "full", failed: boolean, holds: (figure: string) => boolean = () => true) => {
    const failures = failed ? [{ scenario: "s", theory: "t", reason: "r" }] : [];
    Object.assign(found, { suite: { suite, passed: !failed, claims: [], failures, seconds: 1 }, holds });
    const out = join(folder, "verify");
    const { status } = await capture(["verify", "--suite", suite, "--workers", "0", "--out", out]);
    const { passed, figures } = JSON.parse(await readFile(join(out, "report.json"), "utf8")) as {
      passed: boolean;
      figures?: FigureEvidence[];
    };
    return { status, passed, figures: figures?.length ?? 0 };
  };

  it("asks for the quick suite, seed 1 and every claim, or for what is typed; reports what was found", async () => {
    const asked = async (...more: string[]): Promise<unknown> => {
      found.asked = [];
      const { status, stdout } = await capture(["verify", "--workers", "0", "--out", join(folder, "asked"), ...more]);
      expect([status, stdout.includes(`Report: ${join(folder, "asked", "report.html")}`)]).toEqual([0, true]);
      return found.asked[0];
    };
    expect(await asked()).toEqual({ suite: "quick", mayBeEmpty: false, seed: 1 });
    expect(await asked("--filter", "exact", "--seed", "7")).toEqual({ suite: "quick", filter: "exact", mayBeEmpty: false, seed: 7 });
    // a filter that names a figure may match no claim
    expect(await asked("--suite", "full", "--filter", "hanin-depth")).toEqual({
      suite: "full",
      filter: "hanin-depth",
      mayBeEmpty: true,
      seed: 1,
    });
    expect(found.asked.slice(1)).toEqual(["hanin-depth"]);
    expect((await capture(["verify", "--suite", "slow"])).stderr).toMatch(/^--suite: expected one of "quick", "full"/);
  });

  it("checks what a loaded plug-in adds, and nothing of what is built in", async () => {
    const file = join(folder, "mine.mjs");
    const figure = "{ name: 'my-figure', summary: 's', paper: 'p', statement: 's', differences: 'd', pictures: () => [] }";
    await writeFile(file, `export default { name: "mine", module: import.meta.url, figures: [${figure}] };`);
    const load = (...more: string[]) => {
      found.asked = [];
      return capture(["verify", "--load", file, "--allow-plugin-paths", "--workers", "0", "--out", join(folder, "loaded"), ...more]);
    };
    expect((await load("--suite", "full")).status).toBe(0);
    expect(found.asked).toEqual([{ suite: "full", families: [], mayBeEmpty: true, seed: 1 }, "my-figure"]);
    expect((await load("--suite", "full", "--filter", "mine")).stderr).toMatch(/^--load: expected a plug-in with a theory/);
    expect((await load()).status).toBe(2);
  });

  it("goes on from what is kept of the same suite, filter and seed only", async () => {
    const out = join(folder, "kept");
    const verify = async (...more: string[]): Promise<[number, string]> => {
      const { status, stderr } = await capture(["verify", "--workers", "0", "--quiet", "--out", out, ...more]);
      return [status, stderr.split("\n")[0]!];
    };
    const first = ["--suite", "full", "--filter", "hanin-depth", "--seed", "2"];
    const changed = [
      ["--suite", "quick", "--filter", "exact", "--seed", "2"],
      ["--suite", "full", "--filter", "pacelli-loss", "--seed", "2"],
      ["--suite", "full", "--filter", "hanin-depth", "--seed", "3"],
    ];
    found.breaks = new Error("cut");
    try {
      for (const other of changed) {
        expect(await verify(...first)).toEqual([1, "cut"]);
        expect(await verify(...first, "--resume")).toEqual([1, "cut"]);
        expect((await verify(...other, "--resume"))[1]).toMatch(/^the experiment or its data have changed/);
      }
      // what was asked for wrongly leaves nothing to go on from
      found.breaks = new FinitewidthError("nothing", { code: "input" });
      expect(await verify(...first)).toEqual([2, "nothing"]);
      expect((await verify(...first, "--resume"))[1]).toMatch(/^nothing of an earlier run is there/);
    } finally {
      found.breaks = undefined;
    }
  });

  it("ends with status 1 when a claim fails, when a figure does, and with 0 only when nothing does", async () => {
    expect(await verify("quick", false)).toEqual({ status: 0, passed: true, figures: 0 });
    expect(await verify("quick", true)).toEqual({ status: 1, passed: false, figures: 0 });
    const full = await verify("full", false);
    expect(full).toMatchObject({ status: 0, passed: true });
    expect(full.figures).toBeGreaterThan(3);
    expect(await verify("full", true)).toMatchObject({ status: 1, passed: false });
    expect(await verify("full", false, (name) => name !== "hanin-depth")).toMatchObject({ status: 1, passed: false });
  });
});

describe("reproduce --all", () => {
  it("gives every figure its own numbers and files, and status 1 when one is not shown", async () => {
    const out = join(folder, "gallery");
    const names = ["hanin-depth", "pacelli-loss", "zavatone-veth-linear"];
    const all = ["reproduce", "--all", "--no-open", "--workers", "0", "--out", out];
    found.holds = () => true;
    expect((await capture(all)).status).toBe(0);
    for (const name of names)
      expect(JSON.parse(await readFile(join(out, name, "figure.json"), "utf8"))).toMatchObject({
        name,
        numbers: { of: name },
        passed: true,
      });
    found.holds = (name) => name !== "pacelli-loss";
    const { status, stdout, stderr } = await capture(all);
    expect(status).toBe(1);
    expect(stderr).toBe("pacelli-loss: second: expected less, found much\n");
    const rows = stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(rows).toContainEqual(["pacelli-loss", "1 of 2", "NOT SHOWN", "61.0 s"]);
    expect(rows).toContainEqual(["hanin-depth", "2 of 2", "shown", "61.0 s"]);
    expect(JSON.parse(await readFile(join(out, "pacelli-loss", "figure.json"), "utf8"))).toMatchObject({
      schemaVersion: 1,
      size: "quick",
      passed: false,
      checks: [{ name: "first" }, { name: "second", expected: "less", found: "much", holds: false }],
      seconds: 61,
      processorSeconds: expect.any(Number),
      provenance: { command: ["finitewidth", ...all].join(" ") },
    });
  });

  it("goes on from what a gallery with a failure has finished, of the same size only", async () => {
    const out = join(folder, "resumed");
    const asks = async (...more: string[]): Promise<[number, unknown[], string]> => {
      found.asked = [];
      const { status, stderr } = await capture(["reproduce", "--all", "--no-open", "--quiet", "--workers", "0", "--out", out, ...more]);
      return [status, found.asked, stderr];
    };
    Object.assign(found, { holds: () => true, fails: (name: string) => name === "pacelli-loss" });
    const [status, every, stderr] = await asks();
    expect([status, stderr]).toEqual([1, "pacelli-loss failed: not today\n"]);
    expect(every.length).toBeGreaterThan(3);
    expect((await asks("--size", "paper", "--resume"))[1]).toEqual(every);
    expect((await asks("--size", "paper", "--resume"))[1]).toEqual(["pacelli-loss"]);
    found.fails = () => false;
    // what was kept is each figure's own; when all are there, nothing is kept any more
    expect((await asks("--size", "paper", "--resume")).slice(0, 2)).toEqual([0, ["pacelli-loss"]]);
    for (const name of every as string[])
      expect(JSON.parse(await readFile(join(out, name, "figure.json"), "utf8"))).toMatchObject({ size: "paper", numbers: { of: name } });
    expect((await asks("--size", "paper", "--resume"))[1]).toEqual(every);
  });

  it("opens its page for whoever sits at a terminal, unless that is not wanted", async () => {
    const out = join(folder, "seen");
    const opens = async (isTTY: boolean, ...more: string[]): Promise<string[]> => {
      opened.length = 0;
      const silent = { write: () => true };
      await main(["reproduce", "hanin-depth", "--workers", "0", "--out", out, ...more], { stdout: silent, stderr: { ...silent, isTTY } });
      return [...opened];
    };
    expect(await opens(true)).toEqual([join(out, "report.html")]);
    for (const [isTTY, ...more] of [[false], [true, "--no-open"], [true, "--quiet"]] as const)
      expect(await opens(isTTY, ...more)).toEqual([]);
  });

  it("one figure says its statement and its checks; a check that fails is status 1", async () => {
    found.holds = () => false;
    const one = await capture(["reproduce", "hanin-depth", "--no-open", "--workers", "0", "--out", join(folder, "one")]);
    expect(one.status).toBe(1);
    const rows = one.stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    expect(rows).toContainEqual(["first", "more", "enough", "shown"]);
    expect(rows).toContainEqual(["second", "less", "much", "NOT SHOWN"]);
    expect(one.stdout).toContain(`Report: ${join(folder, "one", "report.html")}\n`);
    found.holds = () => true;
  });
});

describe("run --dry-run", () => {
  it("prints what every method is expected to cost, in units that can be read, and their sum", async () => {
    found.estimates = [
      { label: "a", seconds: 30, bytes: 3 * 2 ** 20 },
      { label: "b", seconds: 120, bytes: 0 },
      { label: "c", bytes: 2 ** 19, remark: "refused" },
      { label: "referee", seconds: 0.4 },
    ];
    const file = join(folder, "plan.json");
    const experiment = {
      data: { train: { inputs: [[1], [2]], targets: [[1], [0]] } },
      network: { type: "fully-connected", widths: [3], activation: "identity" },
      likelihood: { temperature: 0.1 },
      methods: ["nngp", "exact"],
    };
    const lines = async (sweep: object): Promise<string[][]> => {
      await writeFile(file, JSON.stringify({ ...experiment, ...sweep }));
      const { status, stdout } = await capture(["run", file, "--dry-run"]);
      expect(status).toBe(0);
      return stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
    };
    const table = await lines({ sweep: { temperature: [1, 2, 3] } });
    expect(table.filter((_, i) => i !== 1)).toEqual([
      ["method", "expected time", "kernels"],
      ["a", "30 s", "3.0 MiB"],
      ["b", "2.0 min", "0.0 MiB"],
      ["c", "–", "0.5 MiB"],
      ["referee", "< 1 s"],
      ["all", "2.5 min"],
      ["c: refused"],
      [""],
      ["6 runs of a method on one thread, extended from at most 80 training points; nothing was written."],
      [""],
    ]);
    expect((await lines({ methods: ["nngp"] })).at(-2)![0]).toMatch(/^1 run of a method/);
  });
});
