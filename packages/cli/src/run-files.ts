import { join } from "node:path";
import { printable } from "@finitewidth/core";
import { npzPieces } from "@finitewidth/core/npz";
import { hiddenKernelArrays, resultToJson, savedDraws, type Plan, type StepOutcome } from "@finitewidth/experiment";
import { prettyJson, titleOf, writeAtomically } from "./files.js";
import type { CommandContext } from "./main.js";
import type { Provenance } from "./provenance.js";

/** Writes result.json and, for a sweep, sweep.csv. */
export async function writeNumbers(
  plan: Plan,
  results: readonly StepOutcome[],
  out: string,
  more: { readonly provenance: Provenance; readonly complete?: false },
): Promise<void> {
  await writeAtomically(join(out, "result.json"), prettyJson(resultToJson(plan, results, { ...more })));
  if (plan.experiment.sweep) await writeAtomically(join(out, "sweep.csv"), (await import("./sweep-table.js")).sweepCsv(plan, results));
}

/** Writes everything that `finitewidth run` leaves of a finished experiment. */
export async function writeRunFiles(
  plan: Plan,
  results: readonly StepOutcome[],
  out: string,
  source: string,
  provenance: Provenance,
): Promise<void> {
  await writeNumbers(plan, results, out, { provenance });
  const kernels = hiddenKernelArrays(results);
  if (Object.keys(kernels).length > 0) await writeAtomically(join(out, "hidden-kernels.npz"), npzPieces(kernels));
  const draws = savedDraws(results);
  if (Object.keys(draws).length > 0) await writeAtomically(join(out, "draws.npz"), npzPieces(draws));
  const { experimentReport } = await import("./report/experiment-report.js");
  await writeAtomically(join(out, "report.html"), experimentReport(plan, results, titleOf(source), provenance));
}

/** Prints the table, and what failed: 1 when a method that was asked for by name did. */
export async function tellResults(plan: Plan, results: readonly StepOutcome[], out: string, context: CommandContext): Promise<number> {
  if (!context.quiet) (await import("./terminal.js")).printResults(plan, results, out, context.stdout);
  return tellFailures(results, context);
}

/** Says which methods failed: 1 when one that was asked for by name did. */
export function tellFailures(results: readonly StepOutcome[], context: CommandContext): number {
  let status = 0;
  for (const { step, problems } of results)
    for (const { problem, outcomes } of problems)
      for (const outcome of outcomes)
        if (outcome.status === "failed" && outcome.named) {
          const where = [problem.label, step.values && JSON.stringify(step.values)].filter((part) => part !== undefined).join(" ");
          context.stderr.write(`${outcome.label} failed${where === "" ? "" : ` (${where})`}: ${printable(outcome.error.message)}\n`);
          status = 1;
        }
  return status;
}
