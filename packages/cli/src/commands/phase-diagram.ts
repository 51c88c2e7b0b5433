import { join } from "node:path";
import { inputError, type Matrix } from "@finitewidth/core";
import { axisValues, loadData, parsePhaseFile, type DataSource, type InlineData } from "@finitewidth/experiment";
import { phaseDiagram } from "@finitewidth/large-deviations";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, pluginsOf, prettyJson, readJson, titleOf, writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { hashOfData, provenanceOf } from "../provenance.js";
import { openSession } from "../session.js";

/** `finitewidth phase-diagram`: phase.json and report.html in the output folder. */
export async function runPhaseCommand(file: string, folder: string, context: CommandContext): Promise<number> {
  const raw = await readJson(file);
  const progress = createProgress(!context.quiet, context.stderr);
  const policy = { allowPaths: context.allowPluginPaths, ...(context.quiet ? {} : { announce: progress.say }) };
  const registry = await loadRegistry(pluginsOf(raw), folder, policy);
  const phase = parsePhaseFile(raw);
  registry.activation(phase.activation, "activation");
  const grid = { weightVariance: axisValues(phase.weightVariance), biasVariance: axisValues(phase.biasVariance) };
  for (const [name, values] of Object.entries(grid)) {
    const at = values.findIndex((value) => !Number.isFinite(value) || (name === "weightVariance" ? value <= 0 : value < 0));
    if (at >= 0) throw inputError(`${name}[${at}]`, name === "weightVariance" ? "a positive number" : "a number ≥ 0", values[at]);
  }
  let train: { inputs: Matrix; targets: Matrix } | undefined;
  if (phase.adaptation) {
    const source = phase.adaptation.data;
    train = (
      await loadData(
        "inputs" in source ? { train: source as InlineData["train"] } : (source as DataSource),
        registry,
        fileReader(folder),
        "adaptation.data",
      )
    ).train;
  }
  const out = await chooseFolder(file, context.out);
  const { run, close } = await openSession({ ...context, registry, seed: phase.seed, progress, out, source: file });
  const started = performance.now();
  let succeeded = false;
  progress.stage("phase diagram");
  try {
    const result = await phaseDiagram(
      {
        activation: phase.activation,
        ...grid,
        ...(phase.adaptation && train
          ? {
              adaptation: {
                inputs: train.inputs,
                targets: train.targets,
                widths: phase.adaptation.widths,
                temperature: phase.adaptation.likelihood.temperature,
                order: phase.adaptation.order,
                ...(phase.adaptation.closure === undefined ? {} : { closure: phase.adaptation.closure }),
              },
            }
          : {}),
      },
      run,
    );
    const seconds = (performance.now() - started) / 1000;
    const provenance = provenanceOf(registry, context.command, train && hashOfData([{ train }]));
    await writeAtomically(join(out, "phase.json"), prettyJson({ schemaVersion: 1, phase, ...result, seconds, provenance }));
    const { phaseReport } = await import("../report/phase-report.js");
    await writeAtomically(join(out, "report.html"), phaseReport(phase.activation, result, titleOf(file), provenance));
    succeeded = true;
    progress.clear();
    if (!context.quiet) {
      for (const warning of result.warnings) context.stdout.write(`  ! ${warning}\n`);
      context.stdout.write(
        `${grid.weightVariance.length} × ${grid.biasVariance.length} grid in ${seconds.toFixed(1)} s\n\nReport: ${join(out, "report.html")}\nNumbers: ${join(out, "phase.json")}\n`,
      );
    }
    return 0;
  } finally {
    await close(succeeded);
  }
}
