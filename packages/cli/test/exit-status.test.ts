import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FigureEvidence, SuiteEvidence } from "@finitewidth/verification";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { capture } from "./command.js";

/** What the suite and the figures are made to find: the commands about them are what is tested. */
const found: { suite: SuiteEvidence; holds: (figure: string) => boolean } = {
  suite: { suite: "quick", passed: true, claims: [], failures: [], seconds: 1 },
  holds: () => true,
};
vi.mock("@finitewidth/verification", async (original) => ({
  ...(await original<typeof import("@finitewidth/verification")>()),
  runVerification: async () => found.suite,
}));
vi.mock("@finitewidth/experiment", async (original) => ({
  ...(await original<typeof import("@finitewidth/experiment")>()),
  reproduceFigure: async (figure: { name: string }, size: string) => {
    const checks = [{ name: "c", expected: "e", found: "f", holds: found.holds(figure.name) }];
    return { figure, size, numbers: { of: figure.name }, checks, passed: checks[0]!.holds, seconds: 1 };
  },
}));
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
    expect((await capture(all)).status).toBe(1);
    expect(JSON.parse(await readFile(join(out, "pacelli-loss", "figure.json"), "utf8"))).toMatchObject({ passed: false });
  });
});
