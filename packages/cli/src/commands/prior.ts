import { join } from "node:path";
import { printable } from "@finitewidth/core";
import { planPrior, priorOutcomeToJson, runPrior, type PlannedMethod, type PriorOutcome } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { pluginsOf, prettyJson, readJson, titleOf, writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { hashOfData, identityOf, provenanceOf } from "../provenance.js";
import { openSession } from "../session.js";
import { textTable } from "../table.js";

/** `finitewidth prior`: prior.json and report.html in the output folder; exit status 1 when a method that was named failed. */
export async function runPriorCommand(file: string, folder: string, context: CommandContext): Promise<number> {
  const raw = await readJson(file);
  const progress = createProgress(!context.quiet, context.stderr);
  const policy = { allowPaths: context.allowPluginPaths, ...(context.quiet ? {} : { announce: progress.say }) };
  const registry = await loadRegistry(pluginsOf(raw), folder, policy);
  const plan = planPrior(raw, registry);
  const prior = plan.file;
  const out = await chooseFolder(file, context.out);
  const { inputs } = plan.problem;
  const dataHash = hashOfData([{ train: { inputs, targets: inputs } }]);
  const identity = identityOf(registry, prior, dataHash);
  const session = await openSession({ ...context, registry, seed: prior.seed, progress, identity, out, source: file });
  const { checkpoints } = session;
  const keyOf = (method: PlannedMethod): string => method.label;
  let finished = 0;
  let outcomes: PriorOutcome[] | undefined;
  let succeeded = false;
  try {
    outcomes = await runPrior(plan, session.run, {
      recall: async (method) => (await checkpoints?.load("prior", keyOf(method))) as PriorOutcome | undefined,
      onStart: ({ label }) => progress.stage(label, finished, plan.methods.length),
      onResult: async (method, outcome) => {
        finished += 1;
        context.onFinished(finished, plan.methods.length);
        if (outcome.status === "ok") await checkpoints?.save("prior", keyOf(method), outcome);
      },
    });
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
      provenance: provenanceOf(registry, context.command, dataHash),
    };
    await writeAtomically(join(out, "prior.json"), prettyJson(json));
    const { priorReport, priorTable } = await import("../report/prior-report.js");
    await writeAtomically(join(out, "report.html"), priorReport(plan, outcomes, titleOf(file), json.provenance));
    succeeded = true;
    if (!context.quiet) {
      const { header, rows } = priorTable(outcomes);
      context.stdout.write(`${textTable(header, rows)}\n`);
      for (const outcome of outcomes)
        if (outcome.status === "ok")
          for (const warning of outcome.result.warnings) context.stdout.write(`  ! ${outcome.label}: ${warning}\n`);
      context.stdout.write(`\nReport: ${join(out, "report.html")}\nNumbers: ${join(out, "prior.json")}\n`);
    }
  } finally {
    await session.close(succeeded);
  }
  const failures = outcomes.filter((outcome) => outcome.status === "failed" && outcome.named);
  for (const outcome of failures)
    if (outcome.status === "failed") context.stderr.write(`${outcome.label} failed: ${printable(outcome.error.message)}\n`);
  return failures.length > 0 ? 1 : 0;
}
