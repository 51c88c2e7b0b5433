// The questions of docs/guide/questions.md: one experiment each, answered by the command line.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, run } from "./pack.mjs";

const folder = join(root, "docs", "examples", "questions");
export const commandLine = join(root, "packages", "cli", "bin", "finitewidth.mjs");

/** Which command a file is for: its keys tell. */
function commandOf(content) {
  if (content.optimise) return "optimise";
  return content.data ? "run" : content.inputs ? "prior" : "phase-diagram";
}

/** Answers the questions whose names contain the text, one after the other, below `out`. */
export function* questionReports(out, only = "") {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const name = basename(file, ".json");
    if (!name.includes(only)) continue;
    const command = commandOf(JSON.parse(readFileSync(join(folder, file), "utf8")));
    run(process.execPath, [commandLine, command, file, "--out", join(out, name), "--quiet"], folder);
    yield { name, url: pathToFileURL(join(out, name, "report.html")).href };
  }
}
