import { join, resolve } from "node:path";
import {
  assemble,
  jobsOf,
  planExperiment,
  runPlan,
  type Job,
  type MethodOutcome,
  type Plan,
  type StepOutcome,
} from "@finitewidth/experiment";
import { inlineRun, printable, type Matrix } from "@finitewidth/core";
import { loadRegistry } from "../builtin-registry.js";
import { estimatePlan, type Estimate } from "../dry-run.js";
import { fileReader, pluginsOf, readJson } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { hashOfData, identityOf, provenanceOf } from "../provenance.js";
import { tellFailures, tellResults, writeNumbers, writeRunFiles } from "../run-files.js";
import { openSession } from "../session.js";
import { jobKey, membership, shardFolder } from "../shard.js";
import { keepParts } from "../shard-files.js";
import { textTable } from "../table.js";

/** Numbers among the training inputs above which outcomes are no checkpoints: with all that hangs on them they would take long to write. */
const mostKept = 1e7;

/** Seconds of work that may be lost where the result cannot be written. */
const quick = 60;

/** Milliseconds between two writings of `result.json` while methods are still running. */
const pause = 2000;

/**
 * `finitewidth run`: result.json, report.html and, for a sweep, sweep.csv in the output folder, written as methods finish; exit status 1
 * when a method that was named failed.
 */
export async function runRunCommand(file: string, folder: string, context: CommandContext): Promise<number> {
  const raw = withReferee(await readJson(file), context.referee);
  const progress = createProgress(!context.quiet, context.stderr);
  const policy = { allowPaths: context.allowPluginPaths, ...(context.quiet ? {} : { announce: progress.say }) };
  const registry = await loadRegistry(pluginsOf(raw), folder, policy);
  const plan = await planExperiment(raw, { registry, readFile: fileReader(folder) });
  if (context.dryRun) return dryRun(plan, context);

  const whole = await chooseFolder(file, context.out);
  const { shard } = context;
  const out = shard ? join(whole, shardFolder(shard)) : whole;
  const dataHash = hashOfData([...new Set([plan.data, ...plan.steps.map((step) => step.data)])]);
  const identity = identityOf(registry, [plan.experiment, plan.keys.map((key) => key.name)], dataHash);
  const points = plan.data.train.inputs.shape[0];
  const session = await openSession({ ...context, registry, seed: plan.experiment.seed, progress, points, identity, out, source: file });
  const { checkpoints } = session;
  const provenance = provenanceOf(registry, context.command, dataHash);
  const finished = new Map<string, MethodOutcome>();
  const belongs = shard ? membership(plan, shard) : () => true;
  const wanted = ({ problem }: Job): boolean => belongs(problem);
  const jobs = jobsOf(plan).filter(wanted);
  const write = (results: readonly StepOutcome[]): Promise<void> => writeNumbers(plan, results, out, { provenance, complete: false });
  let [next, results] = [Date.now() + pause, undefined as StepOutcome[] | undefined];
  try {
    const judged = await runPlan(plan, session.run, {
      wanted,
      recall: async (job) => recalled(job, await checkpoints?.load("method", jobKey(job))),
      onStart: (job) => progress.stage(jobLabel(job), finished.size, jobs.length),
      onReferee: (judged, asked) => progress.stage("referee", judged, asked),
      onResult: async (job, outcome, earlier) => {
        finished.set(job.id, outcome);
        context.onFinished(finished.size, jobs.length);
        // nothing comes between the last method and its result; hours of work are kept all the same, for a disk may be full
        const soonWritten = finished.size === jobs.length && plan.experiment.referee === false && !shard && outcome.seconds < quick;
        if (outcome.status === "ok" && !earlier && !soonWritten && sizeOf(job.problem.problem.inputs) <= mostKept)
          await checkpoints?.save("method", jobKey(job), outcome);
        if (Date.now() < next || shard || soonWritten) return;
        const started = Date.now();
        await write(assemble(plan, finished)).catch((error: Error) => progress.say(`${error.message}; the run goes on`));
        // Writing takes a twentieth of the time at most.
        next = Date.now() + Math.max(pause, 20 * (Date.now() - started));
      },
    });
    if (shard) {
      const manifest = { schemaVersion: 1, shard, complete: true, identity, experiment: raw, source: resolve(file), folder } as const;
      await keepParts(out, manifest, plan, judged);
    } else
      await writeRunFiles(plan, judged, out, file, provenance).catch(async (error: unknown) => {
        // a full disk: what was computed is seen at least
        if (!context.quiet) (await import("../terminal.js")).printResults(plan, judged, undefined, context.stdout);
        throw error;
      });
    results = judged;
  } catch (error) {
    if (context.signal.aborted && finished.size > 0 && !shard) await write(assemble(plan, finished)).catch(() => undefined);
    throw error;
  } finally {
    await session.close(results !== undefined);
  }
  if (!shard) return tellResults(plan, results, out, context);
  if (!context.quiet)
    context.stdout.write(`Part ${shard.index} of ${shard.count}: ${out}\nWhen all are there: finitewidth merge ${whole}\n`);
  // what failed is part of the result: merge has the last word on it
  tellFailures(results, context);
  return 0;
}

/** The experiment with the referee of the command line in place of its own. */
function withReferee(raw: unknown, referee: number | false | undefined): unknown {
  if (referee === undefined || typeof raw !== "object" || raw === null || Array.isArray(raw)) return raw;
  const own = (raw as { referee?: unknown }).referee;
  return { ...raw, referee: referee === false ? false : { ...(typeof own === "object" ? own : {}), seconds: referee } };
}

const sizeOf = ({ shape: [rows, columns] }: Matrix): number => rows * columns;

/** An outcome that was kept, if it is one. */
const recalled = (job: Job, kept: unknown): MethodOutcome | undefined => {
  const outcome = kept as MethodOutcome | undefined;
  return outcome?.status === "ok" && outcome.label === job.method.label ? outcome : undefined;
};

const jobLabel = ({ step, problem, method }: Job): string =>
  [problem.label, method.label, step.values && JSON.stringify(step.values)].filter((part) => part !== undefined).join(" ");

async function dryRun(plan: Plan, context: CommandContext): Promise<number> {
  const estimates = await estimatePlan(plan, (signal, onProgress) => ({
    run: inlineRun({ registry: plan.registry, seed: plan.experiment.seed, signal: AbortSignal.any([signal, context.signal]), onProgress }),
    close: () => undefined,
  }));
  const total = estimates.reduce((sum, one) => sum + (one.seconds ?? 0), 0);
  const row = ({ label, seconds, bytes }: Estimate): string[] => [
    label,
    time(seconds),
    bytes === undefined ? "" : `${(bytes / 2 ** 20).toFixed(1)} MiB`,
  ];
  const table = textTable(["method", "expected time", "kernels"], [...estimates.map(row), ["all", time(total), ""]]);
  const remarks = estimates.flatMap(({ label, remark }) => (remark === undefined ? [] : [`  ${label}: ${printable(remark)}\n`])).join("");
  const count = jobsOf(plan).length;
  context.stdout.write(
    `${table}\n${remarks}\n${count} run${count === 1 ? "" : "s"} of a method on one thread, extended from at most 80 training points; nothing was written.\n`,
  );
  return 0;
}

const time = (seconds: number | undefined): string =>
  seconds === undefined ? "–" : seconds < 1 ? "< 1 s" : seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`;
