import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand, threePoints } from "./command.js";

const bundle = fileURLToPath(new URL("../dist/finitewidth-start.cjs", import.meta.url));
const core = new URL("../../core/dist/index.js", import.meta.url).href;
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "finitewidth-bundle-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const finitewidth = (argv: readonly string[]) => spawnSync(process.execPath, [bundle, ...argv], { cwd: folder, encoding: "utf8" });
const experiment = threePoints("tanh", ["nngp", { method: "monte-carlo", chains: 2, draws: 200, warmup: 100 }]);

describe("the command as one file", () => {
  it("gives the numbers of its sources, from worker threads that find tasks and plug-ins in it", async () => {
    writeFileSync(join(folder, "e.json"), JSON.stringify(experiment));
    const ended = finitewidth(["run", "e.json", "--out", "out", "--workers", "2", "--referee", "off", "--quiet"]);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    const { results } = JSON.parse(readFileSync(join(folder, "out/result.json"), "utf8"));
    const plain = (await runCommand("run", experiment)).result.results;
    for (const method of ["nngp", "monte-carlo"]) {
      expect(results[method].logEvidence).toBe(plain[method].logEvidence);
      expect(results[method].predictive).toEqual(plain[method].predictive);
    }
  });

  it("loads plug-ins that bring another copy of core, in workers too, and understands their errors", () => {
    const plugin = `import { FinitewidthError, inputError } from ${JSON.stringify(core)};
      import { workerData } from "node:worker_threads";
      export const task = { name: "task", module: import.meta.url, run: (x) => workerData.role + " " + 2 * x };
      const validate = (value) => {
        if (value.wrong) throw inputError("methods[0].wrong", "nothing", value.wrong);
        return { value };
      };
      const theory = {
        name: "mine",
        summary: "for a test",
        options: { "~standard": { version: 1, vendor: "mine", validate } },
        refuses: () => undefined,
        async fit(problem, options, run) {
          const doubled = [];
          for await (const value of run.map(task, [1, 2, 3])) doubled.push(value);
          throw new FinitewidthError("threads say " + doubled.join(" "), { code: "not-converged" });
        },
        predict: () => undefined,
        claims: () => [],
      };
      export const plugin = { name: "mine", module: import.meta.url, theories: [theory] };`;
    writeFileSync(join(folder, "mine.mjs"), plugin);
    const run = (method: unknown) => {
      writeFileSync(join(folder, "p.json"), JSON.stringify({ ...experiment, methods: [method], plugins: ["./mine.mjs"] }));
      return finitewidth(["run", "p.json", "--out", "mine", "--workers", "2", "--quiet", "--referee", "off", "--allow-plugin-paths"]);
    };
    expect(run("mine")).toMatchObject({ status: 1, stderr: expect.stringContaining("threads say worker 2 worker 4 worker 6") });
    const wrong = run({ method: "mine", wrong: 1 });
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("methods[0].wrong: expected nothing, got 1") });
    expect(finitewidth(["run", "p.json", "--out", "mine"]).stderr).toContain("--allow-plugin-paths");
  });

  it("reads JSON with comments, and YAML", () => {
    const { data, ...rest } = experiment;
    const text = JSON.stringify({ ...rest, methods: ["nngp"], referee: false }).slice(1);
    writeFileSync(join(folder, "comments.json"), `{ // data first\n "data": ${JSON.stringify(data)}, ${text}`);
    writeFileSync(
      join(folder, "flow.yaml"),
      `data: ${JSON.stringify(data)}\nmethods: [nngp]\nreferee: false\nnetwork: ${JSON.stringify(rest.network)}\nlikelihood: { temperature: 0.1 }\n`,
    );
    for (const file of ["comments.json", "flow.yaml"])
      expect(finitewidth(["run", file, "--out", file.replace(".", "-"), "--quiet"])).toMatchObject({ status: 0, stderr: "" });
  });

  it("helps, lists and refuses", () => {
    expect(finitewidth(["--help"])).toMatchObject({ status: 0, stdout: expect.stringContaining("phase-diagram") });
    expect(finitewidth(["plugins"]).stdout).toContain("monte-carlo");
    expect(finitewidth(["run", "nowhere.json"])).toMatchObject({ status: 2, stderr: expect.stringContaining("nowhere.json") });
  });
});
