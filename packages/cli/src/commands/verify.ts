import { join } from "node:path";
import { inputError } from "@finitewidth/core";
import { runVerification, verificationReports } from "@finitewidth/verification";
import { loadRegistry } from "../builtin-registry.js";
import { writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { createDocument } from "../report/html.js";
import { openSession } from "../session.js";

/** `finitewidth verify`: report.html, report.json, report.md, junit.xml; exit status 1 when a claim failed. */
export async function runVerifyCommand(
  { suite, filter }: { readonly suite: string; readonly filter?: string },
  context: CommandContext,
): Promise<number> {
  if (suite !== "quick" && suite !== "full") throw inputError("--suite", 'one of "quick", "full"', suite);
  const progress = createProgress(!context.quiet, context.stderr);
  const registry = await loadRegistry([], process.cwd(), { allowPaths: false });
  const out = await chooseFolder("verify", context.out);
  const { run, close } = await openSession({
    registry,
    seed: 1,
    progress,
    out,
    workers: context.workers,
    signal: context.signal,
    onOpen: context.onOpen,
  });
  try {
    const evidence = await runVerification({ suite, ...(filter === undefined ? {} : { filter }) }, run, progress.stage);
    const reports = verificationReports(evidence, createDocument());
    for (const [name, content] of Object.entries(reports)) await writeAtomically(join(out, name), content);
    progress.clear();
    if (!context.quiet) context.stdout.write(`${reports["report.md"]}\nReport: ${join(out, "report.html")}\n`);
    return evidence.passed ? 0 : 1;
  } finally {
    await close(true);
  }
}
