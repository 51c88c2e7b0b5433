import { join } from "node:path";
import { printable } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { hiddenKernelArrays, planExperiment, resultToJson, runPlan, type Job, type StepOutcome } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, prettyJson, readJson, writeAtomically, writePiecesAtomically } from "../files.js";
import type { CommonOptions } from "../main.js";
import { createProgress } from "../progress.js";
import { experimentReport, summaryTable } from "../report/experiment-report.js";
import { openRun } from "../open-run.js";
import { textTable } from "../table.js";

/** `finitewidth run`: result.json and report.html in the output folder; exit status 1 when a method that was named failed. */
export async function runRunCommand(file: string, folder: string, options: CommonOptions & { readonly resume: boolean }): Promise<number> {
  const raw = await readJson(file);
  const registry = await loadRegistry(pluginsOf(raw), folder);
  const plan = await planExperiment(raw, { registry, readFile: fileReader(folder) });

  const progress = createProgress(!options.quiet);
  const points = plan.data.train.inputs.shape[0];
  const { run, close } = await openRun({ registry, seed: plan.experiment.seed, progress, points, ...options });
  let results: StepOutcome[] | undefined;
  try {
    results = await runPlan(plan, run, { onStart: (job) => progress.stage(jobLabel(job)) });
  } finally {
    await close(results !== undefined);
  }
  const kernels = hiddenKernelArrays(results);
  if (Object.keys(kernels).length > 0) await writeAtomically(join(options.out, "hidden-kernels.npz"), encodeNpz(kernels));
  await writePiecesAtomically(join(options.out, "result.json"), prettyJson(resultToJson(plan, results)));
  await writeAtomically(join(options.out, "report.html"), experimentReport(plan, results, titleOf(file)));
  if (!options.quiet) printResults(results, options.out);
  const failures = results.flatMap(({ problems }) =>
    problems.flatMap(({ outcomes }) => outcomes.filter((outcome) => outcome.status === "failed" && outcome.named)),
  );
  for (const outcome of failures)
    if (outcome.status === "failed") process.stderr.write(`${outcome.label} failed: ${printable(outcome.error.message)}\n`);
  return failures.length > 0 ? 1 : 0;
}

/** Plug-ins of a file, before anything else in it is looked at. */
export const pluginsOf = (raw: unknown): readonly string[] => {
  const list = typeof raw === "object" && raw !== null ? (raw as { plugins?: unknown }).plugins : undefined;
  return Array.isArray(list) ? list.filter((entry) => typeof entry === "string") : [];
};

const jobLabel = ({ step, problem, method }: Job): string =>
  [problem.label, method.label, step.values && JSON.stringify(step.values)].filter((part) => part !== undefined).join(" ");

const titleOf = (file: string): string => file.replace(/^.*[\\/]/, "").replace(/\.json$/i, "");

function printResults(results: readonly StepOutcome[], out: string): void {
  for (const { step, problems } of results) {
    if (step.values) process.stdout.write(`\n${JSON.stringify(step.values)}\n`);
    for (const { problem, outcomes } of problems) {
      const { header, rows } = summaryTable(outcomes);
      if (problem.label !== undefined) process.stdout.write(`\n${problem.label}\n`);
      process.stdout.write(`${textTable(header, rows)}\n`);
      for (const outcome of outcomes)
        if (outcome.status === "ok") for (const warning of outcome.warnings) process.stdout.write(`  ! ${outcome.label}: ${warning}\n`);
    }
  }
  process.stdout.write(`\nReport: ${join(out, "report.html")}\nNumbers: ${join(out, "result.json")}\n`);
}
