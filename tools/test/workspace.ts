import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A workspace in a temporary folder from path → text or JSON; removed when the tests have ended. */
export function workspace(files: Record<string, unknown>): string {
  const root = mkdtempSync(join(tmpdir(), "finitewidth-tools-"));
  folders.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
  }
  return root;
}

/** Manifest of a package of the workspace. */
export const manifest = (name: string, layer: string, environment: "any" | "node", extra: Record<string, unknown> = {}) => ({
  name: `@finitewidth/${name}`,
  nx: { tags: [`layer:${layer}`, `env:${environment}`] },
  ...extra,
});

/** Runs a script of tools/ with the arguments. */
export function script(name: string, ...args: string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL(`../${name}`, import.meta.url)), ...args], {
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

export const readJson = (root: string, path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));
