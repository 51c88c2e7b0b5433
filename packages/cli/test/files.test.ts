import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { decodeNpz } from "@finitewidth/core/npz";
import { fileKinds, fileSchema, parseExperiment, parsePhaseFile, parsePriorFile, type FileKind } from "@finitewidth/experiment";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadRegistry } from "../src/builtin-registry.js";
import { templates } from "../src/templates.js";
import { capture, runCommand } from "./command.js";

const rows = [
  [1, 2],
  [0, 1],
  [-1, 0.5],
];
const good = {
  data: { train: { inputs: rows, targets: [[1], [0.5], [-1]] } },
  network: { type: "fully-connected", widths: [3], activation: "identity" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp"] as unknown,
  referee: false,
};

let folder: string;
const cwd = process.cwd();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-files-"));
  process.chdir(folder);
});
afterEach(async () => {
  process.chdir(cwd);
  await rm(folder, { recursive: true, force: true });
});

describe("JSON Schemas", () => {
  const parse = { run: parseExperiment, prior: parsePriorFile, phase: parsePhaseFile };
  const validators = async (): Promise<Record<FileKind, ValidateFunction>> => {
    const registry = await loadRegistry([], cwd, { allowPaths: false });
    const ajv = new Ajv({ strict: false, allErrors: true });
    return Object.fromEntries(fileKinds.map((kind) => [kind, ajv.compile(fileSchema(kind, registry))])) as Record<
      FileKind,
      ValidateFunction
    >;
  };

  it("accept every template, as the parser does, and what the parser refuses they refuse", async () => {
    const validate = await validators();
    for (const { kind, content } of templates) {
      expect(() => parse[kind](content)).not.toThrow();
      expect([validate[kind](content), validate[kind].errors]).toEqual([true, null]);
    }
    expect(validate.run(good)).toBe(true);
    const { network, ...rest } = good;
    expect(validate.run({ ...rest, $schema: "x", networks: [{ label: "a", ...network }] })).toBe(true);
    const bad = [
      { ...good, sead: 1 },
      { ...good, networks: [good.network] },
      rest,
      { ...good, likelihood: { temperature: -1 } },
      { ...good, likelihood: {} },
      { ...good, methods: [] },
      { ...good, methods: ["magic"] },
      { ...good, methods: [{ method: "nngp", sampels: 3 }] },
      { ...good, network: { ...good.network, widths: [0] } },
      { ...good, network: { ...good.network, depth: 2 } },
      { ...good, network: { type: "transformer" } },
      { ...good, data: { dataset: "mnist", train: 0 } },
      { ...good, data: { dataset: "mnist", train: 3, sed: 1 } },
      { ...good, sweep: { widths: [] } },
      { ...good, sweep: {} },
      { ...good, referee: true },
    ];
    for (const value of bad) expect([JSON.stringify(value).slice(0, 200), validate.run(value)]).toEqual([expect.any(String), false]);
  }, 60_000);

  it("are printed, and written beside a template, which then runs as it is", async () => {
    const { status, stdout } = await capture(["schema", "phase"]);
    expect([status, JSON.parse(stdout).title]).toEqual([0, "finitewidth phase diagram"]);
    expect((await capture(["schema", "result"])).stderr).toMatch(/^schema: expected one of "run", "prior", "phase", got "result"/);
    expect((await capture(["init"])).stdout).toContain("width-sweep");
    expect((await capture(["init", "wdith"])).status).toBe(2);
    for (const { name, kind, question, first } of templates) {
      const lines = (await capture(["init"])).stdout.split("\n").map((line) => line.trim().split(/ {2,}/));
      expect(lines).toContainEqual([name, question]);
      const { stdout: said } = await capture(["init", name]);
      expect(said).toBe(
        `${name}.json and ${kind}.schema.json are written. Next: ${first === undefined ? "" : `${first}, then `}finitewidth ${{ run: "run", prior: "prior", phase: "phase-diagram" }[kind]} ${name}.json\n`,
      );
      expect(JSON.parse(await readFile(`${kind}.schema.json`, "utf8")).title).toBe(
        { run: "finitewidth experiment", prior: "finitewidth prior question", phase: "finitewidth phase diagram" }[kind],
      );
      for (const file of [`${name}.json`, `${kind}.schema.json`]) await rm(file);
    }
    expect((await capture(["init", "phase"])).status).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(["phase.json", "phase.schema.json"]);
    expect(JSON.parse(await readFile("phase.json", "utf8")).$schema).toBe("./phase.schema.json");
    expect(await capture(["init", "phase"])).toMatchObject({ status: 2, stderr: "phase.json: is already there; nothing was written\n" });
    expect((await capture(["phase-diagram", "phase.json", "--workers", "0", "--quiet"])).status).toBe(0);
    expect(await capture(["phase-diagram", "phase"])).toMatchObject({
      status: 2,
      stderr: 'phase: cannot be read (no such file or folder); did you mean "phase.json"?\n',
    });
    const own = await capture(["init", "own-data"]);
    expect(own.stdout).toMatch(/Next: put your table beside it as data\.csv, .*x1,x2,y,split.*, then finitewidth run own-data\.json\n$/);
  }, 60_000);
});

describe("files", () => {
  const plain = async () => (await runCommand("run", good)).result.results.nngp.logEvidence as number;

  it("may have comments and trailing commas", async () => {
    const text = JSON.stringify(good).replace("{", "{ // an experiment\n /* of mine */").replace(/\}$/, ",}");
    const { status, result } = await runCommand("run", text);
    expect([status, result.results.nngp.logEvidence]).toEqual([0, await plain()]);
    const broken = await runCommand("run", '{ // open\n "data": ');
    expect([broken.status, broken.stderr]).toEqual([2, expect.stringContaining("is not JSON (line 2, column 10: value expected)")]);
    const comma = await runCommand("run", '{ // open\n "data": {}\n  "methods": [] }');
    expect(comma.stderr).toContain("is not JSON (line 3, column 3: comma expected)");
  });

  it("that cannot be written do not take what was computed along: it is printed", async () => {
    const { mkdir, writeFile } = await import("node:fs/promises");
    const own = await mkdtemp(join(tmpdir(), "finitewidth-blocked-"));
    try {
      await writeFile(join(own, "e.json"), JSON.stringify({ ...good, referee: false }));
      // a folder that stands in the way of the file
      await mkdir(join(own, "out", "result.json", "full"), { recursive: true });
      const { status, stdout, stderr } = await capture(["run", join(own, "e.json"), "--out", join(own, "out"), "--workers", "0"]);
      expect(status).toBe(1);
      expect(stdout).toContain(String(Number((await plain()).toPrecision(5))));
      expect(stdout).not.toContain("result.json");
      expect(stderr).toMatch(/result\.json: cannot be written/);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  });

  it("may be YAML", async () => {
    const { writeFile } = await import("node:fs/promises");
    const yaml = `# an experiment
data:
  train:
    inputs: [[1, 2], [0, 1], [-1, 0.5]]
    targets: [[1], [0.5], [-1]]
network: { type: fully-connected, widths: [3], activation: identity }
likelihood:
  temperature: 0.1
methods: [nngp]
referee: false
`;
    await writeFile("e.yaml", yaml);
    expect((await capture(["run", "e.yaml", "--workers", "0", "--quiet"])).status).toBe(0);
    const result = JSON.parse(await readFile("results/e/result.json", "utf8"));
    expect(result.results.nngp.logEvidence).toBe(await plain());
    await writeFile(
      "bomb.yaml",
      `a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n`,
    );
    expect(await capture(["run", "bomb.yaml"])).toMatchObject({ status: 2, stderr: expect.stringContaining("is not YAML") });
    await writeFile("twice.yaml", "seed: 1\nseed: 2\n");
    expect((await capture(["run", "twice.yaml"])).stderr).toContain("is not YAML");
  });

  it("say every key once, in JSON too, however it is written", async () => {
    const { writeFile } = await import("node:fs/promises");
    const told = async (text: string, name = "twice.json") => {
      await writeFile(name, text);
      const { status, stderr } = await capture(["run", name, "--workers", "0", "--quiet"]);
      return [status, stderr];
    };
    const text = JSON.stringify(good, undefined, 1);
    const again = text.replace('"likelihood": {', '"likelihood": {\n"t\\u0065mperature": 5, ');
    const where = "likelihood.temperature: expected one value in twice.json, got another at line ";
    for (const one of [again, `// with a comment\n${again}`])
      expect(await told(one)).toEqual([2, expect.stringMatching(new RegExp(`^${where}\\d+, column \\d+\n$`))]);
    const methods = text.replace(/"methods": \[[^\]]*\]/, '"methods": ["nngp", { "method": "exact", "label": "a", "label": "a" }]');
    expect((await told(methods))[1]).toMatch(/^methods\[1\]\.label: expected one value/);
    // a key's name as a value, with a colon and quotes in it, is no key
    const label = { method: "nngp", label: 'say "seed": 1' };
    expect(await told(JSON.stringify({ ...good, seed: 1, methods: [label], referee: false }), "once.json")).toEqual([0, ""]);
  });

  it("keep draws on request, (chain, draw, …)", async () => {
    await import("node:fs/promises").then(({ writeFile }) =>
      writeFile("e.json", JSON.stringify({ ...good, methods: [{ method: "monte-carlo", chains: 2, draws: 12, warmup: 10, save: true }] })),
    );
    expect((await capture(["run", "e.json", "--workers", "0", "--quiet"])).status).toBe(0);
    const { arrays } = decodeNpz(await readFile("results/e/draws.npz"));
    expect(arrays.logLikelihood!.shape).toEqual([2, 12]);
    expect(arrays.theta!.shape.slice(0, 2)).toEqual([2, 12]);
    const { experiment } = JSON.parse(await readFile("results/e/result.json", "utf8"));
    expect(experiment.methods[0].save).toBe(true);
    const { status } = await runCommand("run", { ...good, methods: [{ method: "nngp", save: "yes" }] });
    expect(status).toBe(2);
  }, 60_000);
});
