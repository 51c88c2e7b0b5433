// Files that tools generate and that are committed.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { root } from "./workspace.mjs";

/** Writes each `[file, text]`; with --check writes nothing, and the process fails where a committed file differs. */
export function writeGenerated(files, origin) {
  for (const [file, text] of files) {
    const name = relative(root, file);
    if (!process.argv.includes("--check")) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      console.log(`${name}: ${text.length} characters`);
    } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      console.error(`${name} is not what ${origin}`);
      process.exitCode = 1;
    }
  }
}
