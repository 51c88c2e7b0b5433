// Where things are: the repository, its command line, and folders that stay only as long as a tool works in them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const root = dirname(import.meta.dirname);
export const commandLine = join(root, "packages/cli/bin/finitewidth.cjs");

/** An empty folder that goes when the process ends, however it ends; with --keep it stays, and is named. */
export function temporaryFolder(name, parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, name));
  process.on("exit", () => {
    if (process.argv.includes("--keep")) console.log(`kept: ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
