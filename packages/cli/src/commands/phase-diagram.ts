import { basename, join } from "node:path";
import { inputError, type Matrix } from "@finitewidth/core";
import { axisValues, loadData, parsePhaseFile, type DataSource, type InlineData } from "@finitewidth/experiment";
import { phaseDiagram } from "@finitewidth/large-deviations";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, prettyJson, readJson, writeAtomically, writePiecesAtomically } from "../files.js";
import type { CommonOptions } from "../main.js";
import { openRun } from "../open-run.js";
import { createProgress } from "../progress.js";
import { phaseReport } from "../report/phase-report.js";

/** `finitewidth phase-diagram`: phase.json and report.html in the output folder. */
export async function runPhaseCommand(file: string, folder: string, options: CommonOptions): Promise<number> {
  const phase = parsePhaseFile(await readJson(file));
  const registry = await loadRegistry(phase.plugins, folder);
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
  const progress = createProgress(!options.quiet);
  const { run, close } = await openRun({ registry, seed: phase.seed, progress, ...options, resume: false });
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
    await writePiecesAtomically(join(options.out, "phase.json"), prettyJson({ schemaVersion: 1, phase, ...result, seconds }));
    await writeAtomically(join(options.out, "report.html"), phaseReport(phase.activation, result, basename(file).replace(/\.json$/i, "")));
    succeeded = true;
    progress.clear();
    if (!options.quiet) {
      for (const warning of result.warnings) process.stdout.write(`  ! ${warning}\n`);
      process.stdout.write(
        `${grid.weightVariance.length} × ${grid.biasVariance.length} grid in ${seconds.toFixed(1)} s\n\nReport: ${join(options.out, "report.html")}\nNumbers: ${join(options.out, "phase.json")}\n`,
      );
    }
    return 0;
  } finally {
    await close(succeeded);
  }
}
