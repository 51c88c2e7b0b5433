// The questions of docs/guide/questions.md: one experiment each, answered by the command line.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "./pack.mjs";
import { commandLine, root } from "./workspace.mjs";

const folder = join(root, "docs", "examples", "questions");

/** Which command a file is for: its keys tell. */
function commandOf(content) {
  if (content.optimise) return "optimise";
  return content.data ? "run" : content.inputs ? "prior" : "phase-diagram";
}

/** At most these, where a report is wanted and its numbers are not: they fill the same parts of it. */
const small = { train: 30, test: 50, draws: 100, warmup: 100, samples: 20_000 };
const smaller = (key, value) => {
  if (!(key in small)) return value;
  if (Array.isArray(value)) return value.filter((entry) => entry <= small[key]);
  return typeof value === "number" ? Math.min(value, small[key]) : value;
};

/** Answers the questions whose names contain the text, one after the other, below `out`; roughly, where the reports alone are wanted. */
export function* questionReports(out, only = "", { roughly = false } = {}) {
  const asked = roughly ? join(out, "experiments") : folder;
  if (roughly) cpSync(folder, asked, { recursive: true });
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const name = basename(file, ".json");
    if (!name.includes(only)) continue;
    const content = JSON.parse(readFileSync(join(folder, file), "utf8"));
    const command = commandOf(content);
    if (roughly) writeFileSync(join(asked, file), JSON.stringify(content, smaller));
    const referee = roughly && command === "run" && content.referee !== false ? ["--referee", "1"] : [];
    run(process.execPath, [commandLine, command, file, "--out", join(out, name), "--quiet", ...referee], asked);
    yield { name, url: pathToFileURL(join(out, name, "report.html")).href };
  }
}
