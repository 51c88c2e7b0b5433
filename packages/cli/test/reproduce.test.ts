import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../src/main.js";
import { capture } from "./command.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-reproduce-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("finitewidth reproduce", () => {
  it("lists the figures", async () => {
    const { status, stdout } = await capture(["reproduce"]);
    expect(status).toBe(0);
    for (const name of ["zavatone-veth-linear", "pacelli-loss", "hanin-depth"]) expect(stdout).toContain(name);
    expect(stdout).toMatch(/Yaida 2019\n/);
    expect(stdout).not.toMatch(/(\d{4}) \1/);
    expect(stdout).toMatch(/Hanin 2022\n/);
  });

  it("refuses what is not there, before anything is written", async () => {
    const out = join(folder, "nothing");
    const unknown = await capture(["reproduce", "pacelli-los", "--out", out]);
    expect(unknown).toMatchObject({ status: 2 });
    expect(unknown.stderr).toMatch(
      /^reproduce: expected one of "zavatone-veth-linear".*, got "pacelli-los"; did you mean "pacelli-loss"\?\n$/,
    );
    expect((await capture(["reproduce", "hanin-depth", "--size", "huge", "--out", out])).stderr).toBe(
      '--size: expected one of "quick", "paper", got "huge"\n',
    );
    expect((await capture(["reproduce", "hanin-depth", "--all", "--out", out])).status).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  it("computes one: numbers, picture, page, and experiments that run", async () => {
    const out = join(folder, "bottleneck");
    const { status, stdout } = await capture(["reproduce", "zavatone-veth-bottleneck", "--no-open", "--workers", "0", "--out", out]);
    expect(status).toBe(0);
    expect(stdout).toContain("shown");
    const figure = JSON.parse(await readFile(join(out, "figure.json"), "utf8")) as {
      passed: boolean;
      checks: { holds: boolean }[];
      numbers: { widths: number[] };
    };
    expect(figure).toMatchObject({ name: "zavatone-veth-bottleneck", size: "quick", passed: true, numbers: { widths: [60, 20, 60] } });
    expect(figure.checks.every(({ holds }) => holds)).toBe(true);
    const svg = await readFile(join(out, "figure.svg"), "utf8");
    expect(svg).toMatch(/^<svg xmlns="[^"]+" width="736"/);
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(await readFile(join(out, "report.html"), "utf8")).toContain("What differs.");
    const experiment = join(out, "experiments", "bottleneck.json");
    expect((await capture(["run", experiment, "--dry-run"])).status).toBe(0);
    expect(existsSync(join(out, ".checkpoints"))).toBe(false);
  });

  it("goes on in the same folder after an interruption, and again the next time", async () => {
    const cwd = process.cwd();
    process.chdir(folder);
    const figure = ["reproduce", "zavatone-veth-bottleneck", "--no-open", "--workers", "0"];
    const interrupted = async (): Promise<string[]> => {
      const stop = new AbortController();
      const stderr = { write: () => true } as never;
      expect(await main(figure, { signal: stop.signal, stderr, onOpen: () => stop.abort() })).not.toBe(0);
      return readdir("results");
    };
    try {
      expect(await interrupted()).toEqual(["zavatone-veth-bottleneck"]);
      const resumed = await capture([...figure, "--resume"]);
      expect(resumed.status).toBe(0);
      expect(resumed.stderr).not.toMatch(/resume|computed again/);
      expect(await interrupted()).toEqual(["zavatone-veth-bottleneck"]);
    } finally {
      process.chdir(cwd);
    }
  });
});
