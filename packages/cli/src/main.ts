import { availableParallelism } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { cac } from "cac";
import { FinitewidthError, printable } from "@finitewidth/core";
import { Mistakes } from "@finitewidth/experiment";
import { runPhaseCommand } from "./commands/phase-diagram.js";
import { runPluginsCommand } from "./commands/plugins.js";
import { runPriorCommand } from "./commands/prior.js";
import { runRunCommand } from "./commands/run.js";
import { runVerifyCommand } from "./commands/verify.js";

/** Options that every computing command has. */
export interface CommonOptions {
  /** Folder of the results. */
  readonly out: string;
  readonly workers: number;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

const version = "0.1.0";

/**
 * Runs the command line. Exit status: 0 done; 1 a computation failed; 2 bad input (one line on standard error, nothing written).
 * @param argv arguments after the program's name
 */
export async function main(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new FinitewidthError("interrupted", { code: "worker" }));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await dispatch(argv, controller.signal);
  } catch (error) {
    const lines =
      error instanceof Mistakes ? error.errors.map((one) => one.message) : [error instanceof Error ? error.message : String(error)];
    for (const line of lines) process.stderr.write(`${printable(line)}\n`);
    if (
      error instanceof FinitewidthError &&
      (error.code === "input" ||
        error.code === "shape" ||
        (error.code === "file" && !controller.signal.aborted && error.message.includes("cannot be written") === false))
    )
      return 2;
    return isUsageError(error) ? 2 : 1;
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  }
}

const isUsageError = (error: unknown): boolean => error instanceof Error && error.name === "CACError";

async function dispatch(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const cli = cac("finitewidth");
  const action: { run?: () => Promise<number> } = {};
  const common = (
    input: string | undefined,
    fallback: string,
    options: { out?: string; workers?: unknown; quiet?: boolean },
  ): CommonOptions => ({
    out: resolve(
      options.out === undefined
        ? join("results", input === undefined ? fallback : basename(input).replace(/\.json$/i, ""))
        : String(options.out),
    ),
    workers: workerCount(options.workers),
    quiet: options.quiet ?? false,
    signal,
  });
  const computing = (command: ReturnType<typeof cli.command>) =>
    command
      .option("--out <dir>", "Folder for the results (default: results/<name of the file>)")
      .option("--workers <n>", "Number of worker threads; the numbers do not depend on it (default: one per core)")
      .option("--quiet", "Print nothing but errors");

  computing(cli.command("run <experiment>", "Run every method of an experiment file; writes result.json and report.html"))
    .option("--resume", "Continue an interrupted run from the chunks that it finished")
    .example("finitewidth run experiment.json --out results/experiment")
    .action(
      (file: string, options) =>
        (action.run = () =>
          runRunCommand(file, dirname(resolve(file)), { ...common(file, "run", options), resume: options.resume ?? false })),
    );
  computing(cli.command("prior <prior>", "Answer questions about the prior; writes prior.json and report.html"))
    .option("--resume", "Continue an interrupted run from the chunks that it finished")
    .action(
      (file: string, options) =>
        (action.run = () =>
          runPriorCommand(file, dirname(resolve(file)), { ...common(file, "prior", options), resume: options.resume ?? false })),
    );
  computing(cli.command("phase-diagram <phase>", "Criticality over a grid of variances; writes phase.json and report.html")).action(
    (file: string, options) => (action.run = () => runPhaseCommand(file, dirname(resolve(file)), common(file, "phase-diagram", options))),
  );
  computing(cli.command("verify", "Check the analytic results against Monte Carlo; writes report.html, report.json, report.md, junit.xml"))
    .option("--suite <suite>", "quick (minutes) or full (before a release)", { default: "quick" })
    .option("--filter <text>", "Only claims whose name contains the text")
    .action(
      (options) =>
        (action.run = () =>
          runVerifyCommand({
            suite: String(options.suite),
            ...(options.filter === undefined ? {} : { filter: String(options.filter) }),
            ...common(undefined, "verify", options),
          })),
    );
  cli
    .command("plugins", "List prior models, methods and activations that are installed")
    .option("--load <package>", "Also load this third-party package (repeatable)")
    .action((options) => (action.run = () => runPluginsCommand(options.load === undefined ? [] : [options.load].flat().map(String))));
  for (const [name, what] of [
    ["reproduce [figure]", "Regenerate a headline figure of a source paper"],
    ["explore", "Serve the interactive page"],
  ] as const) {
    cli.command(name, `${what} (reserved, not available yet)`).action(() => {
      action.run = async () => {
        throw new FinitewidthError(`${name.split(" ")[0]}: reserved, not available in version ${version}`, { code: "input" });
      };
    });
  }
  cli.help();
  cli.version(version);
  cli.parse(["node", "finitewidth", ...argv], { run: false });
  if (cli.options.help === true || cli.options.version === true) return 0;
  if (!cli.matchedCommand) {
    if (argv.length === 0) {
      cli.outputHelp();
      return 0;
    }
    throw new FinitewidthError(
      `${argv[0]}: unknown command; expected one of run, prior, phase-diagram, verify, plugins, reproduce, explore`,
      { code: "input" },
    );
  }
  await cli.runMatchedCommand();
  return (await action.run?.()) ?? 0;
}

function workerCount(value: unknown): number {
  if (value === undefined) return availableParallelism();
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new FinitewidthError(`--workers: expected an integer ≥ 0, got ${String(value)}`, { code: "input", path: "--workers" });
  return value as number;
}
