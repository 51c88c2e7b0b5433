import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { capture } from "./command.js";

const experiment = {
  data: {
    train: {
      inputs: [
        [1, 2, 0],
        [0, 1, -1],
        [2, -1, 1],
      ],
      targets: [[1], [-0.5], [0.3]],
    },
    test: { inputs: [[0.5, -1, 0.2]], targets: [[0.4]] },
  },
  networks: [
    { label: "linear", type: "fully-connected", widths: [4], activation: "identity" },
    { label: "erf", type: "fully-connected", widths: [4], activation: "erf" },
  ],
  likelihood: { temperature: 0.3 },
  methods: ["nngp", "exact", { method: "monte-carlo", chains: 2, draws: 20, warmup: 10, save: true }],
  sweep: { temperature: [0.3, 0.1] },
  referee: { draws: 2, chains: 8, steps: "all" },
};

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-shards-"));
  file = join(folder, "sweep.json");
  await writeFile(file, JSON.stringify(experiment));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...argv: string[]) => capture(["run", file, "--quiet", ...(argv.includes("--workers") ? [] : ["--workers", "0"]), ...argv]);
const numbers = async (out: string): Promise<string> =>
  (await readFile(join(out, "result.json"), "utf8")).replaceAll(/"(seconds|date|command)": [^,\n]*/g, '"$1": 0');

describe("parts of a run on machines of their own", () => {
  it("make the result of the whole, bit for bit but for times, draws and report included", { timeout: 120_000 }, async () => {
    const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
    expect((await run("--out", whole)).status).toBe(1);
    const early = await capture(["merge", join(folder, "sweep.json")]);
    expect(early).toMatchObject({ status: 2, stderr: expect.stringContaining("holds no parts") as string });
    const failing = await run("--out", parts, "--shard", "2/4");
    expect(failing).toMatchObject({ status: 0, stderr: expect.stringContaining("exact failed (erf") as string });
    expect(await run("--out", parts, "--shard", "1/4")).toMatchObject({ status: 0, stderr: "" });
    expect((await capture(["merge", parts])).stderr).toContain(
      "the parts 3/4, 4/4 are not there or not finished; run `finitewidth run FILE --shard 3/4` and so on",
    );
    for (const [index, workers] of Object.entries({ 3: 0, 4: 2 }))
      await run("--out", parts, "--shard", `${index}/4`, "--resume", "--workers", `${workers}`);
    expect((await readdir(parts)).filter((name) => name.includes("result"))).toEqual([]);
    const merged = await capture(["merge", parts, "--quiet"]);
    expect(merged.status).toBe(1);
    expect(await numbers(parts)).toBe(await numbers(whole));
    for (const name of ["draws.npz", "sweep.csv"]) {
      const [a, b] = await Promise.all([whole, parts].map((out) => readFile(join(out, name))));
      if (name === "draws.npz") expect(a!.equals(b!)).toBe(true);
      else expect(b!.length).toBeGreaterThan(100);
    }
    expect(await readFile(join(parts, "report.html"), "utf8")).toContain("monte-carlo");

    // parts of another version, and of data that are others now
    const change = async (edit: (identity: { experiment: string; versions: Record<string, string> }) => void): Promise<void> => {
      for (const index of [1, 2, 3, 4]) {
        const manifest = join(parts, `shard-${index}-of-4`, "shard.json");
        const content = JSON.parse(await readFile(manifest, "utf8"));
        edit(content.identity);
        await writeFile(manifest, JSON.stringify(content));
      }
    };
    await change(({ versions }) => void (versions["node"] = "v1"));
    expect((await capture(["merge", parts])).stderr).toMatch(
      new RegExp(`: this is .*node ${process.version}.*; the parts are of .*node v1,.*; run the parts again`),
    );
    let hash = "";
    await change((own) => void ((own.versions["node"] = process.version), (hash = own.experiment), (own.experiment = "other")));
    expect((await capture(["merge", parts])).stderr).toMatch(/: the data have changed since; run the parts again/);
    await change((own) => void (own.experiment = hash));

    // a part that is gone, damaged, of other data
    const one = join(parts, "shard-2-of-4");
    const kept = (await readdir(join(one, ".parts"))).find((name) => name.startsWith("outcome"))!;
    await rename(join(one, ".parts", kept), join(one, ".parts", "elsewhere"));
    expect((await capture(["merge", parts])).stderr).toMatch(/shard-2-of-4: a part is missing; run this shard again/);
    const bytes = await readFile(join(one, ".parts", "elsewhere"));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(join(one, ".parts", kept), bytes);
    expect((await capture(["merge", parts])).stderr).toMatch(/shard-2-of-4: a part is damaged; run this shard again/);
    await writeFile(file, JSON.stringify({ ...experiment, seed: 2 }));
    await run("--out", parts, "--shard", "2/4");
    expect((await capture(["merge", parts])).stderr).toMatch(/is of another experiment, or other data/);
  });

  it("are asked for properly", async () => {
    for (const text of ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
      expect(await run("--shard", text)).toMatchObject({ status: 2, stderr: expect.stringContaining("--shard: expected I/N") as string });
    expect((await capture(["merge"])).stderr).toContain("expected DIR…, got nothing");
  });
});

describe("a queue", () => {
  it("is asked for properly, and without its packages says how to install them; nothing is written, no password shown", async () => {
    const out = join(folder, "nothing");
    const secret = await run("--out", out, "--queue", "http://me:secret@host");
    expect(secret).toMatchObject({ status: 2, stderr: expect.stringContaining("--queue: expected redis://") as string });
    const missing = await run("--out", out, "--queue", "redis://me:secret@localhost:1");
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringMatching(/^--queue: (needs packages|.*cannot be reached)/) as string });
    for (const { stderr } of [secret, missing]) expect(stderr).not.toContain("secret");
    expect(await readdir(folder)).not.toContain("nothing");
    expect((await capture(["worker"])).stderr).toContain("--queue: expected redis://host:port");
    expect((await capture(["worker", "--queue", "redis://x", "--concurrency", "0"])).stderr).toContain(
      "--concurrency: expected an integer ≥ 1",
    );
  });
});
