import { basename, join } from "node:path";
import { printable } from "@finitewidth/core";
import { planPrior, priorOutcomeToJson, runPrior, type PriorOutcome } from "@finitewidth/experiment";
import { pluginsOf } from "./run.js";
import { loadRegistry } from "../builtin-registry.js";
import { prettyJson, readJson, writeAtomically, writePiecesAtomically } from "../files.js";
import type { CommonOptions } from "../main.js";
import { openRun } from "../open-run.js";
import { createProgress } from "../progress.js";
import { priorReport, priorTable } from "../report/prior-report.js";
import { textTable } from "../table.js";

/** `finitewidth prior`: prior.json and report.html in the output folder; exit status 1 when a method failed. */
export async function runPriorCommand(
  file: string,
  folder: string,
  options: CommonOptions & { readonly resume: boolean },
): Promise<number> {
  const raw = await readJson(file);
  const registry = await loadRegistry(pluginsOf(raw), folder);
  const plan = planPrior(raw, registry);
  const prior = plan.file;
  const progress = createProgress(!options.quiet);
  const { run, close } = await openRun({ registry, seed: prior.seed, progress, ...options });
  let outcomes: PriorOutcome[] | undefined;
  try {
    outcomes = await runPrior(plan, run, { onStart: ({ label }) => progress.stage(label) });
  } finally {
    await close(outcomes !== undefined);
  }
  const resolved = {
    ...prior,
    network: plan.problem.network,
    methods: plan.methods.map(({ label, method, options: own }) => ({
      method,
      ...(label === method ? {} : { label }),
      ...(own as object),
    })),
  };
  const json = {
    schemaVersion: 1,
    prior: resolved,
    results: Object.fromEntries(outcomes.map((outcome) => [outcome.label, priorOutcomeToJson(outcome)])),
  };
  await writePiecesAtomically(join(options.out, "prior.json"), prettyJson(json));
  await writeAtomically(join(options.out, "report.html"), priorReport(plan, outcomes, basename(file).replace(/\.json$/i, "")));
  if (!options.quiet) {
    const { header, rows } = priorTable(outcomes);
    process.stdout.write(`${textTable(header, rows)}\n`);
    for (const outcome of outcomes)
      if (outcome.status === "ok")
        for (const warning of outcome.result.warnings) process.stdout.write(`  ! ${outcome.label}: ${warning}\n`);
    process.stdout.write(`\nReport: ${join(options.out, "report.html")}\nNumbers: ${join(options.out, "prior.json")}\n`);
  }
  const failures = outcomes.filter((outcome) => outcome.status === "failed" && outcome.named);
  for (const outcome of failures)
    if (outcome.status === "failed") process.stderr.write(`${outcome.label} failed: ${printable(outcome.error.message)}\n`);
  return failures.length > 0 ? 1 : 0;
}
