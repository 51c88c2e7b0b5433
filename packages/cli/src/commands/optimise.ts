import { join, relative, resolve } from "node:path";
import type { Json } from "@finitewidth/core";
import { optimiseEvidence, type Evaluation, type OptimiseResult } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, pluginsOf, prettyJson, readJson, titleOf, writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { identityOf, provenanceOf } from "../provenance.js";
import { openSession } from "../session.js";
import { formatNumber, textTable, withError } from "../table.js";

/** `finitewidth optimise`: optimum.json (an experiment file), optimise.json and report.html in the output folder. */
export async function runOptimiseCommand(file: string, folder: string, context: CommandContext): Promise<number> {
  const raw = await readJson(file);
  const progress = createProgress(!context.quiet, context.stderr);
  const policy = { allowPaths: context.allowPluginPaths, ...(context.quiet ? {} : { announce: progress.say }) };
  const registry = await loadRegistry(pluginsOf(raw), folder, policy);
  const out = await chooseFolder(file, context.out);
  const seed = (raw as { seed?: unknown } | null)?.seed;
  const started = performance.now();
  let session: Awaited<ReturnType<typeof openSession>> | undefined;
  let succeeded = false;
  progress.stage("evidence");
  try {
    const result = await optimiseEvidence(raw, {
      registry,
      readFile: fileReader(folder),
      signal: context.signal,
      // what is wrong with the file is told before a folder is made
      openRun: async () => {
        session = await openSession({
          ...context,
          registry,
          seed: typeof seed === "number" ? seed : 1,
          progress,
          out,
          source: file,
          identity: identityOf(registry, [raw], ""),
        });
        return session.run;
      },
      onEvaluation: (evaluation, count) =>
        progress.stage(`evidence ${formatNumber(evaluation.logEvidence)} at ${valuesText(evaluation)}`, count),
    });
    const provenance = provenanceOf(registry, context.command, undefined);
    const seconds = (performance.now() - started) / 1000;
    const { experiment, ...numbers } = result;
    await writeAtomically(
      join(out, "optimise.json"),
      prettyJson({ schemaVersion: 1, ...numbers, evaluations: result.trace.length, seconds, provenance }),
    );
    await writeAtomically(join(out, "optimum.json"), prettyJson(movedTo(experiment as Record<string, Json>, folder, out)));
    const { optimiseReport } = await import("../report/optimise-report.js");
    await writeAtomically(join(out, "report.html"), optimiseReport(result, titleOf(file)));
    succeeded = true;
    progress.clear();
    if (!context.quiet) context.stdout.write(optimumText(result, out));
    return 0;
  } finally {
    await session?.close(succeeded);
  }
}

/** The experiment with the path of its data as seen from another folder. */
function movedTo(experiment: Record<string, Json>, from: string, to: string): Record<string, Json> {
  const data = experiment["data"] as Record<string, Json> | undefined;
  if (typeof data?.["file"] !== "string") return experiment;
  return { ...experiment, data: { ...data, file: relative(resolve(to), resolve(from, data["file"])) } };
}

const valuesText = ({ values }: Evaluation): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${formatNumber(value)}`)
    .join(", ");

/** The optimum, depth by depth and beside infinite width. */
function optimumText({ optimum, depths, infiniteWidth, method, warnings, trace }: OptimiseResult, out: string): string {
  const names = Object.keys(optimum.values);
  const row = (label: string, one: Evaluation): string[] => [
    label,
    ...names.map((name) => (one.values[name] === undefined ? "–" : formatNumber(one.values[name]))),
    withError(one.logEvidence, one.standardError),
    withError(one.generalizationError, undefined),
  ];
  const rows = [
    row(method, optimum),
    ...(depths.length > 1 ? depths.map((one) => row(`${method}, depth ${one.values["depth"]}`, one)) : []),
    ...(infiniteWidth ? [row("infinite width", infiniteWidth)] : []),
  ];
  const deviations = Object.entries(optimum.logDeviations).map(([name, value]) => `log ${name} ± ${formatNumber(value)}`);
  return [
    textTable(["", ...names, "log evidence", "generalisation error"], rows),
    `${trace.length} evaluations${deviations.length > 0 ? `; ${deviations.join(", ")}` : ""}`,
    ...warnings.map((warning) => `  ! ${warning}`),
    "",
    `Experiment: ${join(out, "optimum.json")}`,
    `Report: ${join(out, "report.html")}`,
    `Numbers: ${join(out, "optimise.json")}`,
    "",
  ].join("\n");
}
