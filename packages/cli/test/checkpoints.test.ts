import { access, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCheckpoints, type Identity } from "../src/checkpoints.js";
import { chooseFolder, openFolder, OutputError } from "../src/output-folder.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finitewidth-checkpoints-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const identity: Identity = { experiment: "abc", versions: { finitewidth: "1", node: "v20" } };
const open = async (own: Identity = identity, resume = true) => {
  const said: string[] = [];
  return { said, ...(await openCheckpoints(join(folder, "c"), own, resume, (sentence) => void said.push(sentence))) };
};
const files = async (): Promise<string[]> => (await readdir(join(folder, "c"))).filter((name) => name.endsWith(".bin")).sort();

describe("checkpoints", () => {
  it("give back what was kept, by task and chunk", async () => {
    const store = await open();
    await store.save("task", { seed: 1 }, { x: Float64Array.of(1, 2) });
    await store.save("other", { seed: 1 }, "other");
    const again = await open();
    expect(await again.load("task", { seed: 1 })).toEqual({ x: Float64Array.of(1, 2) });
    expect(await again.load("other", { seed: 1 })).toBe("other");
    expect(await again.load("task", { seed: 2 })).toBeUndefined();
    expect(await again.load("third", { seed: 1 })).toBeUndefined();
    expect(again.said).toEqual([]);
  });

  it("notice a flipped bit, at every byte", async () => {
    const store = await open();
    await store.save("task", 1, [1, 2, 3]);
    const file = join(folder, "c", (await files())[0]!);
    const bytes = await readFile(file);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at % 8);
      await writeFile(file, damaged);
      const { load, said } = await open();
      expect(await load("task", 1)).toBeUndefined();
      expect(said).toEqual([`${file}: damaged; its part is computed again`]);
    }
    await writeFile(file, bytes.subarray(0, 20));
    expect(await (await open()).load("task", 1)).toBeUndefined();
  });

  it("notice exchanged chunks", async () => {
    const store = await open();
    await store.save("task", 1, "one");
    await store.save("task", 2, "two");
    const [a, b] = (await files()).map((name) => join(folder, "c", name));
    await rename(a!, join(folder, "x"));
    await rename(b!, a!);
    await rename(join(folder, "x"), b!);
    const { load, said } = await open();
    expect([await load("task", 1), await load("task", 2)]).toEqual([undefined, undefined]);
    expect(said).toHaveLength(2);
  });

  it("notice files exchanged between tasks with the same chunk", async () => {
    const store = await open();
    await store.save("a", 1, "of a");
    await store.save("b", 1, "of b");
    const [a, b] = (await files()).map((name) => join(folder, "c", name));
    await rename(a!, join(folder, "x"));
    await rename(b!, a!);
    await rename(join(folder, "x"), b!);
    const { load } = await open();
    expect([await load("a", 1), await load("b", 1)]).toEqual([undefined, undefined]);
  });

  it.each([
    [{ ...identity, experiment: "abd" }, "the experiment or its data have changed"],
    [{ ...identity, versions: { ...identity.versions, node: "v24" } }, "node has changed from v20 to v24"],
    [{ ...identity, versions: { ...identity.versions, plug: "1+aa" } }, "plug has changed from none to 1+aa"],
  ])("of another identity are said and forgotten", async (other, reason) => {
    await (await open()).save("task", 1, "kept");
    const { load, said } = await open(other);
    expect(said).toEqual([`${reason}: what an earlier run has finished is computed again`]);
    expect(await load("task", 1)).toBeUndefined();
    expect(await (await open(other)).load("task", 1)).toBeUndefined();
  });

  it("are forgotten without resume, and cost nothing where they cannot be written", async () => {
    await (await open()).save("task", 1, "kept");
    expect(await (await open(identity, false)).load("task", 1)).toBeUndefined();
    await writeFile(join(folder, "file"), "");
    const said: string[] = [];
    const store = await openCheckpoints(join(folder, "file", "c"), identity, false, (sentence) => void said.push(sentence));
    await store.save("task", 1, "lost");
    await store.save("task", 2, "lost");
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^checkpoints cannot be kept \(.*\); the run goes on without$/);
  });
});

describe("the folder of the results", () => {
  it("is held by one process at a time and taken over from a dead one", async () => {
    const out = join(folder, "a", "b");
    const held = await openFolder(out);
    await expect(openFolder(out)).rejects.toThrow(/is writing into it/);
    await writeFile(join(out, "result.json"), "{}");
    await held.release();
    await writeFile(join(out, ".lock"), JSON.stringify({ pid: 2 ** 22 + 1, host: (await import("node:os")).hostname() }));
    await (await openFolder(out)).release();
    await writeFile(join(out, ".lock"), JSON.stringify({ pid: 1, host: "elsewhere" }));
    await expect(openFolder(out)).rejects.toThrow("process 1 on elsewhere");
  });

  it("is taken away again when nothing was written to it", async () => {
    const out = join(folder, "empty");
    await (await openFolder(out)).release();
    await expect(access(out)).rejects.toThrow("ENOENT");
  });

  it.each(["/proc/finitewidth", "/dev/null", "/dev/null/x"])("is refused at once: %s", async (path) => {
    await expect(openFolder(path)).rejects.toBeInstanceOf(OutputError);
  });

  it("is not shared by files of the same name", async () => {
    const cwd = process.cwd();
    process.chdir(folder);
    try {
      const first = await chooseFolder("x/e.json", undefined);
      expect(first).toMatch(/results\/e$/);
      const held = await openFolder(first, "x/e.json");
      await writeFile(join(first, "result.json"), "{}");
      await held.release();
      expect(await chooseFolder("x/e.json", undefined)).toBe(first);
      const other = await chooseFolder("y/e.json", undefined);
      expect(other).toMatch(/results\/e-[0-9a-f]{6}$/);
      expect(await chooseFolder("y/e.json", undefined)).toBe(other);
      expect(await chooseFolder("z/e.json", undefined)).not.toBe(other);
      expect(await chooseFolder("y/e.json", "given")).toMatch(/\/given$/);
    } finally {
      process.chdir(cwd);
    }
  });
});
