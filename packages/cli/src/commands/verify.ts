import { join } from "node:path";
import { inputError } from "@finitewidth/core";
import { runVerification, verificationReports } from "@finitewidth/verification";
import { loadRegistry } from "../builtin-registry.js";
import { writeAtomically } from "../files.js";
import type { CommonOptions } from "../main.js";
import { openRun } from "../open-run.js";
import { createProgress } from "../progress.js";
import { createDocument } from "../report/html.js";

/** `finitewidth verify`: report.html, report.json, report.md, junit.xml; exit status 1 when a claim failed. */
export async function runVerifyCommand(options: CommonOptions & { readonly suite: string; readonly filter?: string }): Promise<number> {
  const { suite, filter } = options;
  if (suite !== "quick" && suite !== "full") throw inputError("--suite", 'one of "quick", "full"', suite);
  const registry = await loadRegistry([], process.cwd());
  const progress = createProgress(!options.quiet);
  const { run, close } = await openRun({ registry, seed: 1, progress, ...options, resume: false });
  try {
    const evidence = await runVerification({ suite, ...(filter === undefined ? {} : { filter }) }, run, progress.stage);
    const reports = verificationReports(evidence, createDocument());
    for (const [name, content] of Object.entries(reports)) await writeAtomically(join(options.out, name), content);
    progress.clear();
    if (!options.quiet) process.stdout.write(`${reports["report.md"]}\nReport: ${join(options.out, "report.html")}\n`);
    return evidence.passed ? 0 : 1;
  } finally {
    await close(true);
  }
}
