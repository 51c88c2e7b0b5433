import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { capture } from "./command.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-optimise-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const rows = Array.from({ length: 14 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i)]);
const label = ([x, y]: number[], i: number): number[] => [x! - 0.4 * y! + 0.3 * Math.sin(97 * i)];
const experiment = {
  data: {
    train: { inputs: rows.slice(0, 10), targets: rows.slice(0, 10).map(label) },
    test: { inputs: rows.slice(10), targets: rows.slice(10).map(label) },
  },
  network: { type: "fully-connected", widths: [5], activation: "identity" },
  likelihood: { temperature: 0.5 },
  methods: ["exact"],
  referee: false,
  optimise: { over: { temperature: [1e-3, 10], widths: [2, 30] }, method: "exact", starts: 1 },
};
const optimise = async (content: unknown) => {
  await writeFile(join(folder, "e.json"), JSON.stringify(content));
  return capture(["optimise", join(folder, "e.json"), "--out", join(folder, "out"), "--workers", "0"]);
};
const read = async (name: string) => JSON.parse(await readFile(join(folder, "out", name), "utf8"));

it("writes an experiment at the optimum, the numbers and a report; data in a file are found from there", async () => {
  const lines = rows.map((row, i) => [...row, ...label(row, i), i < 10 ? "train" : "test"].join(","));
  await mkdir(join(folder, "data"));
  await writeFile(join(folder, "data", "points.csv"), ["a,b,c,y,split", ...lines].join("\n"));
  const { status, stdout } = await optimise({ ...experiment, data: { file: "data/points.csv" } });
  expect(status).toBe(0);
  // widths mean nothing at infinite width
  expect(stdout).toMatch(/^infinite width\s+[\d.e-]+\s+–\s/m);
  const { optimum, trace, infiniteWidth, schemaVersion, provenance } = await read("optimise.json");
  expect(schemaVersion).toBe(1);
  expect(provenance.command).toContain("optimise");
  expect(Math.max(...trace.map((one: { logEvidence: number }) => one.logEvidence))).toBeCloseTo(optimum.logEvidence, 9);
  expect(infiniteWidth.values.temperature).toBeGreaterThan(0);
  expect(infiniteWidth.values.widths).toBeUndefined();
  const best = await read("optimum.json");
  expect(best.optimise).toBeUndefined();
  expect(best.data).toEqual({ file: relative(join(folder, "out"), join(folder, "data", "points.csv")) });
  expect(best.likelihood.temperature).toBeCloseTo(optimum.values.temperature, 12);
  expect(best.network.widths).toEqual([optimum.values.widths]);
  const report = await readFile(join(folder, "out", "report.html"), "utf8");
  expect(report).toContain("deviation of its logarithm");
  // every picture has a size for telephones
  const pictures = report.match(/data-name="[^"]*against[^"]*"/g)!;
  expect(pictures.length).toBeGreaterThan(1);
  expect(report.match(/<div class="narrow"><svg[^>]* width="350"/g)).toHaveLength(pictures.length);
  const again = await capture(["run", join(folder, "out", "optimum.json"), "--out", join(folder, "again"), "--workers", "0", "--quiet"]);
  expect(again.status).toBe(0);
  const { results } = JSON.parse(await readFile(join(folder, "again", "result.json"), "utf8"));
  expect(results.exact.logEvidence).toBeCloseTo(optimum.logEvidence, 9);
});

it("mistakes are told by path and nothing is written", async () => {
  const { status, stderr } = await optimise({ ...experiment, optimise: { over: { temperature: [1, 0.1] }, method: "exact" } });
  expect(status).toBe(2);
  expect(stderr).toContain("optimise.over.temperature: expected [least, largest]");
  expect(existsSync(join(folder, "out"))).toBe(false);
});
