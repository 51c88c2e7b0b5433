import { join } from "node:path";
import { printable, type ExperimentObject, type FigureSize, type PaperFigure, type Registry } from "@finitewidth/core";
import { inputError } from "@finitewidth/core";
import { figureLab, reproduceFigure, type ReproducedFigure } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { prettyJson, writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { openPage } from "../open-page.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress, type Progress } from "../progress.js";
import { identityOf, provenanceOf } from "../provenance.js";
import { figurePage, figureSvg, galleryPage } from "../report/figure-report.js";
import { openSession } from "../session.js";
import { textTable } from "../table.js";

/** What was asked for. */
export interface ReproduceRequest {
  /** Name of a figure; empty: list them, unless all are wanted. */
  readonly name: string;
  readonly all: boolean;
  readonly size: string;
  /** Look at the pages when they are there. */
  readonly open: boolean;
  readonly load: readonly string[];
}

/** With the processor time of all threads. */
type Timed = ReproducedFigure & { readonly processorSeconds: number };

/**
 * `finitewidth reproduce`: lists the figures; with a name, or for all, computes numbers, pictures and checks. In the folder: `figure.json`,
 * `figure.svg`, `report.html` and the experiments as files to run; for all, one folder each and `report.html` as the gallery. Exit status 1
 * when a check fails.
 */
export async function runReproduceCommand(request: ReproduceRequest, context: CommandContext): Promise<number> {
  const { name, all, load } = request;
  if (request.size !== "quick" && request.size !== "paper") throw inputError("--size", 'one of "quick", "paper"', request.size);
  const size: FigureSize = request.size;
  const progress = createProgress(!context.quiet, context.stderr);
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: context.allowPluginPaths, named: "--load" });
  if (name === "" && !all) {
    context.stdout.write(listOf(registry));
    return 0;
  }
  if (name !== "" && all) throw inputError("reproduce", "a figure or --all, not both", name);
  const figures = all ? registry.figures : [registry.figure(name, "reproduce")];
  // quick or paper: one folder, as that of a file whose sizes were changed
  const source = all ? "reproduce" : `reproduce/${name}`;
  const out = await chooseFolder(source, context.out);
  const session = await openSession({
    ...context,
    registry,
    seed: 1,
    progress,
    out,
    source,
    identity: identityOf(registry, ["reproduce", size], ""),
    points: size === "paper" ? 1000 : 0,
  });
  const done: Timed[] = [];
  const failures: { readonly figure: PaperFigure; readonly reason: string }[] = [];
  let complete = false;
  try {
    for (const figure of figures) {
      progress.stage(figure.name, done.length + failures.length, figures.length);
      const files = new Map<string, ExperimentObject>();
      const keep = async <T>(key: string, compute: () => Promise<T>): Promise<T> => {
        const at = [figure.name, key];
        const kept = (await session.checkpoints?.load("figure", at)) as { readonly value: T } | undefined;
        if (kept) return kept.value;
        const value = await compute();
        await session.checkpoints?.save("figure", at, { value });
        return value;
      };
      const lab = figureLab(session.run, { keep, onExperiment: (experiment, file) => files.set(experiment, file) });
      try {
        const result = await lab.keep("result", async () => {
          const before = process.cpuUsage();
          const { figure: _figure, ...plain } = await reproduceFigure(figure, size, lab);
          const { user, system } = process.cpuUsage(before);
          return { ...plain, processorSeconds: (user + system) / 1e6, files: [...files] };
        });
        const reproduced = { ...result, figure };
        await writeFigure(all ? join(out, figure.name) : out, reproduced, new Map(result.files), registry, context);
        done.push(reproduced);
        context.onFinished(done.length, figures.length);
      } catch (error) {
        context.signal.throwIfAborted();
        failures.push({ figure, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    if (all) await writeAtomically(join(out, "report.html"), galleryPage(done, failures));
    complete = failures.length === 0;
  } finally {
    await session.close(complete);
  }
  report(done, failures, out, progress, context);
  if (request.open && done.length > 0) openPage(join(out, "report.html"));
  return complete && done.every(({ passed }) => passed) ? 0 : 1;
}

async function writeFigure(
  folder: string,
  reproduced: Timed,
  files: ReadonlyMap<string, ExperimentObject>,
  registry: Registry,
  { command }: CommandContext,
): Promise<void> {
  const { figure, size, numbers, checks, passed, seconds, processorSeconds } = reproduced;
  const { name, paper, statement, differences } = figure;
  const provenance = provenanceOf(registry, command);
  const content = {
    schemaVersion: 1,
    name,
    paper,
    statement,
    differences,
    size,
    passed,
    checks,
    seconds,
    processorSeconds,
    numbers,
    provenance,
  };
  for (const [experiment, file] of files) await writeAtomically(join(folder, "experiments", `${experiment}.json`), prettyJson(file));
  await writeAtomically(join(folder, "figure.json"), prettyJson(content));
  await writeAtomically(join(folder, "figure.svg"), figureSvg(reproduced));
  await writeAtomically(join(folder, "report.html"), figurePage(reproduced, [...files.keys()]));
}

function listOf(registry: Registry): string {
  const source = (paper: string): string => paper.split(/,| \d{4}/, 1)[0]! + (/ \d{4}/.exec(paper)?.[0] ?? "");
  const rows = registry.figures.map(({ name, summary, paper }) => [name, summary, source(paper)]);
  return `${textTable(["figure", "shows", "after"], leftAligned(rows))}\n\nfinitewidth reproduce FIGURE computes one, --all the gallery; --size paper takes the sizes of the papers.\n`;
}

/** Columns of words: filled up on the right. */
const leftAligned = (rows: readonly (readonly string[])[]): string[][] =>
  rows.map((row) => row.map((cell, j) => cell.padEnd(Math.max(...rows.map((other) => other[j]!.length)))));

function report(
  done: readonly Timed[],
  failures: readonly { readonly figure: PaperFigure; readonly reason: string }[],
  out: string,
  progress: Progress,
  context: CommandContext,
): void {
  progress.clear();
  for (const { figure, reason } of failures) context.stderr.write(`${figure.name} failed: ${printable(reason)}\n`);
  for (const { figure, checks } of done)
    for (const { name, expected, found, holds } of checks)
      if (!holds) context.stderr.write(`${figure.name}: ${name}: expected ${expected}, found ${found}\n`);
  if (context.quiet) return;
  const [single] = done;
  if (done.length === 1 && single) {
    const rows = single.checks.map(({ name, expected, found, holds }) => [name, expected, found, holds ? "shown" : "NOT SHOWN"]);
    context.stdout.write(`${single.figure.statement}\n\n${textTable(["check", "expected", "found", ""], leftAligned(rows))}\n`);
  } else {
    const rows = done.map(({ figure, checks, passed, seconds }) => [
      figure.name,
      `${checks.filter(({ holds }) => holds).length} of ${checks.length}`,
      passed ? "shown" : "NOT SHOWN",
      `${seconds.toFixed(1)} s`,
    ]);
    context.stdout.write(`${textTable(["figure", "checks", "", "time"], rows)}\n`);
  }
  context.stdout.write(`\nReport: ${join(out, "report.html")}\n`);
}
