import { join } from "node:path";
import { parseExperiment, printable, type Matrix } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { loadRegistry } from "../builtin-registry.js";
import { loadData } from "../data.js";
import { prettyJson, readJson, writeAtomically, writePiecesAtomically } from "../files.js";
import type { CommonOptions } from "../main.js";
import { largeKernels, outcomeToJson } from "../method-outcome.js";
import { createProgress } from "../progress.js";
import { experimentReport, summaryTable } from "../report/experiment-report.js";
import { planExperiment, runPlan, type Plan, type StepOutcome } from "../run-experiment.js";
import { openRun } from "../open-run.js";
import { textTable } from "../table.js";

/** `finitewidth run`: result.json and report.html in the output folder; exit status 1 when a method failed. */
export async function runRunCommand(file: string, folder: string, options: CommonOptions & { readonly resume: boolean }): Promise<number> {
  const raw = await readJson(file);
  const experiment = parseExperiment(raw);
  const registry = await loadRegistry(experiment.plugins, folder);
  const data = await loadData(experiment.data, folder);
  const sweepKeys = Object.keys((raw as { sweep?: object }).sweep ?? {});
  const plan = planExperiment(experiment, data, registry, sweepKeys);

  const progress = createProgress(!options.quiet);
  const { run, close } = await openRun({ registry, seed: experiment.seed, progress, points: data.train.inputs.shape[0], ...options });
  let results: StepOutcome[] | undefined;
  try {
    results = await runPlan(plan, run, progress.stage);
  } finally {
    await close(results !== undefined);
  }
  const kernels = Object.assign(
    {},
    ...results.flatMap(({ outcomes }, i) => outcomes.map((outcome) => largeKernels(outcome, plan.swept ? `step_${i}_` : ""))),
  ) as Record<string, Matrix>;
  if (Object.keys(kernels).length > 0) await writeAtomically(join(options.out, "hidden-kernels.npz"), encodeNpz(kernels));
  await writePiecesAtomically(join(options.out, "result.json"), prettyJson(resultJson(plan, results)));
  await writeAtomically(join(options.out, "report.html"), experimentReport(plan, results, titleOf(file)));
  if (!options.quiet) printResults(plan, results, options.out);
  const failures = results.flatMap(({ outcomes }) => outcomes.filter((outcome) => outcome.status === "failed"));
  for (const { method, error } of failures) process.stderr.write(`${method} failed: ${printable(error.message)}\n`);
  return failures.length > 0 ? 1 : 0;
}

const titleOf = (file: string): string => file.replace(/^.*[\\/]/, "").replace(/\.json$/i, "");

/** Contents of `result.json`. The network and the methods are given with their defaults filled in. */
function resultJson(plan: Plan, results: readonly StepOutcome[]): Record<string, unknown> {
  const { experiment } = plan;
  const { network } = plan.steps[0]!.problem;
  const resolved = {
    ...experiment,
    network: plan.swept ? experiment.network : network,
    methods: plan.methods.map(({ name, options }) => ({ method: name, ...(options as object) })),
  };
  const outcomesOf = ({ outcomes }: StepOutcome) => Object.fromEntries(outcomes.map((outcome) => [outcome.method, outcomeToJson(outcome)]));
  return {
    schemaVersion: 1,
    experiment: resolved,
    ...(plan.swept
      ? { sweep: results.map((result) => ({ values: result.step.values, results: outcomesOf(result) })) }
      : { results: outcomesOf(results[0]!) }),
  };
}

function printResults(plan: Plan, results: readonly StepOutcome[], out: string): void {
  for (const { step, outcomes } of results) {
    const { header, rows } = summaryTable(outcomes);
    if (step.values) process.stdout.write(`\n${JSON.stringify(step.values)}\n`);
    process.stdout.write(`${textTable(header, rows)}\n`);
    for (const outcome of outcomes)
      if (outcome.status === "ok") for (const warning of outcome.warnings) process.stdout.write(`  ! ${outcome.method}: ${warning}\n`);
  }
  process.stdout.write(`\nReport: ${join(out, "report.html")}\nNumbers: ${join(out, "result.json")}\n`);
}
