import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("resume-script.ts", import.meta.url));
const options = [
  "--conditions",
  "@finitewidth/source",
  "--import",
  fileURLToPath(new URL("../../../tools/ts-preload.mjs", import.meta.url)),
];
const finish = async (folder: string): Promise<string> =>
  (await promisify(execFile)(process.execPath, [...options, script, folder], { timeout: 60_000 })).stdout.trim();
const finished = async (folder: string): Promise<number> => (await readdir(folder)).filter((name) => name.endsWith(".json")).length;

it("a process killed with SIGKILL in mid-run continues where it was and ends with the same result", async () => {
  const [whole, interrupted] = [await mkdtemp(join(tmpdir(), "finitewidth-whole-")), await mkdtemp(join(tmpdir(), "finitewidth-killed-"))];
  try {
    const child = spawn(process.execPath, [...options, script, interrupted], { stdio: "ignore" });
    while ((await finished(interrupted)) < 2 && child.exitCode === null) await sleep(20);
    child.kill("SIGKILL");
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    expect(signal).toBe("SIGKILL");
    const kept = await finished(interrupted);
    expect(kept).toBeGreaterThanOrEqual(2);
    expect(kept).toBeLessThan(8);
    expect(await finish(interrupted)).toBe(await finish(whole));
    expect(await finished(interrupted)).toBe(8);
  } finally {
    await Promise.all([whole, interrupted].map((folder) => rm(folder, { recursive: true, force: true })));
  }
});
