import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const built = pathToFileURL(fileURLToPath(new URL("../dist/code-cache.js", import.meta.url))).href;
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "finitewidth-code-"))));
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true, force: true });
});

/** What a file that exports an answer says in a process of its own. */
function answer(name: string, env: Readonly<Record<string, string>> = {}, purpose = ""): string {
  const address = pathToFileURL(join(folder, name)).href;
  const script = `import { runCached } from ${JSON.stringify(built)};
    console.log(await runCached(new URL(${JSON.stringify(address)}), ${JSON.stringify(purpose)}).answer());`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "caches"), NODE_DISABLE_COMPILE_CACHE: "", ...env },
  });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return ended.stdout.trim();
}
const write = (name: string, word: string): void =>
  writeFileSync(join(folder, name), `exports.answer = async () => "${word}, " + (await importModule("node:path")).basename(__filename);`);
const kept = (): string[] => {
  const place = join(folder, "caches", "finitewidth");
  return existsSync(place) ? readdirSync(place).map((name) => join(place, name)) : [];
};

describe("the code that V8 made of a file", () => {
  it("is kept for this user and used; damaged or open to others it is left alone, and made again", () => {
    write("one.cjs", "one");
    expect(answer("one.cjs")).toBe("one, one.cjs");
    const [place] = kept();
    const own = readFileSync(place!);
    const { ino, mode } = statSync(place!);
    expect(mode & 0o777).toBe(0o600);
    expect(answer("one.cjs")).toBe("one, one.cjs");
    expect(statSync(place!).ino).toBe(ino);

    // V8 tells files apart by their length: with the code of another in its place, that one runs
    write("two.cjs", "two");
    expect(answer("two.cjs")).toBe("two, two.cjs");
    const other = kept().find((file) => file !== place)!;
    copyFileSync(other, place!);
    expect(answer("one.cjs")).toBe("two, one.cjs");

    chmodSync(place!, 0o666);
    expect(answer("one.cjs")).toBe("one, one.cjs");
    expect([statSync(place!).mode & 0o777, readFileSync(place!).length > 32]).toEqual([0o600, true]);

    for (const damage of [own.subarray(0, own.length - 1), own.subarray(0, 8), Buffer.alloc(0), Buffer.from(own).fill(7, 200, 220)]) {
      writeFileSync(place!, damage);
      expect(answer("one.cjs")).toBe("one, one.cjs");
      expect(readFileSync(place!).equals(damage)).toBe(false);
    }
    expect(kept()).toHaveLength(2);
  }, 180_000);

  it("belongs to the content of the file", () => {
    for (const word of ["one", "six"]) {
      write("one.cjs", word);
      expect(answer("one.cjs")).toBe(`${word}, one.cjs`);
    }
    expect(kept()).toHaveLength(2);
  });

  it("is kept for each purpose; what is older than a month goes when more is kept", () => {
    write("one.cjs", "one");
    expect(answer("one.cjs", {}, "run")).toBe("one, one.cjs");
    const [first] = kept();
    expect(answer("one.cjs", {}, "plugins")).toBe("one, one.cjs");
    expect(kept()).toHaveLength(2);
    const old = Date.now() / 1000 - 40 * 24 * 3600;
    const foreign = join(folder, "caches", "finitewidth", "notes.txt");
    writeFileSync(foreign, "");
    for (const file of [first!, foreign]) utimesSync(file, old, old);
    expect(answer("one.cjs", {}, "plugins")).toBe("one, one.cjs");
    expect(kept()).toHaveLength(3);
    expect(answer("one.cjs", {}, "init")).toBe("one, one.cjs");
    expect(kept()).not.toContain(first);
    expect(kept()).toContain(foreign);
    expect(kept()).toHaveLength(3);
  });

  it("is not kept where it cannot be, or is not wanted", () => {
    write("one.cjs", "one");
    expect(answer("one.cjs", { NODE_DISABLE_COMPILE_CACHE: "1" })).toBe("one, one.cjs");
    expect(readdirSync(folder)).toEqual(["one.cjs"]);
    writeFileSync(join(folder, "file"), "");
    expect(answer("one.cjs", { XDG_CACHE_HOME: join(folder, "file") })).toBe("one, one.cjs");
    chmodSync(folder, 0o500);
    expect(answer("one.cjs")).toBe("one, one.cjs");
    if (process.getuid?.() !== 0) expect(kept()).toEqual([]);
  });
});
