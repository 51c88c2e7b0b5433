import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { FinitewidthError, inputError, printable } from "@finitewidth/core";
import { Mistakes, withSuggestion } from "@finitewidth/experiment";
import type { Arguments } from "./arguments.js";
import { front } from "./front.js";
import { OutputError } from "./output-folder.js";
import { parseShard, type Shard } from "./shard.js";
import type { Output } from "./terminal.js";
import type { ProgressStream } from "./progress.js";

/** What every command gets. */
export interface CommandContext {
  /** Folder of the results as typed. */
  readonly out: string | undefined;
  readonly workers: number;
  /** Linear algebra by the compiled add-on: in this thread already, in workers by whoever starts them. */
  readonly native: boolean;
  readonly quiet: boolean;
  readonly resume: boolean;
  readonly dryRun: boolean;
  readonly allowPluginPaths: boolean;
  /** Seconds of work for the referee, false for none, undefined for what the experiment says. */
  readonly referee: number | false | undefined;
  /** The part of the work that is asked for. */
  readonly shard: Shard | undefined;
  /** Address of a queue whose workers compute. */
  readonly queue: string | undefined;
  readonly signal: AbortSignal;
  /** As typed, for provenance. */
  readonly command: string;
  readonly stdout: Output;
  readonly stderr: ProgressStream;
  /** The output folder is made and ours. */
  readonly onOpen: (folder: string) => void;
  /** So many of so many methods have finished. */
  readonly onFinished: (done: number, total: number) => void;
}

/** Where the program runs: what differs between a terminal, a worker thread and a test. */
export interface Surroundings {
  readonly signal?: AbortSignal;
  readonly stdout?: Output;
  readonly stderr?: ProgressStream;
  readonly onOpen?: CommandContext["onOpen"];
  readonly onFinished?: CommandContext["onFinished"];
}

/** Mistakes of a file that are told at once: a table of texts has one in every cell. */
const mostLines = 20;

/**
 * Runs the command line. Exit status: 0 done; 1 a computation failed; 2 bad input (one line for each mistake on standard error, nothing
 * written).
 * @param argv arguments after the program's name
 */
export async function main(argv: readonly string[], surroundings: Surroundings = {}): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new FinitewidthError("interrupted", { code: "worker" }));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const signal = surroundings.signal ? AbortSignal.any([surroundings.signal, controller.signal]) : controller.signal;
  try {
    return await dispatch(argv, signal, surroundings);
  } catch (error) {
    const lines =
      error instanceof Mistakes
        ? error.errors.map((one) => one.message)
        : [messageOf(error instanceof FinitewidthError ? withSuggestion(error) : error)];
    // Whoever interrupted from outside says so itself.
    const told = lines.length > mostLines ? [...lines.slice(0, mostLines), `… and ${lines.length - mostLines} more mistakes`] : lines;
    if (!surroundings.signal?.aborted) for (const line of told) (surroundings.stderr ?? process.stderr).write(`${printable(line)}\n`);
    return isMistake(error) ? 2 : 1;
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : `something threw ${String(error)}`);
/** Whether the caller has to change something: a field, an argument, a file that is read. */
const isMistake = (error: unknown): boolean =>
  error instanceof FinitewidthError &&
  !(error instanceof OutputError) &&
  (error.code === "input" || error.code === "shape" || (error.code === "file" && !error.message.includes("cannot be written")));

/** As `main`, but what goes wrong is thrown. */
export async function dispatch(argv: readonly string[], signal: AbortSignal, surroundings: Surroundings): Promise<number> {
  const stdout = surroundings.stdout ?? process.stdout;
  const asked = front(argv);
  if ("text" in asked) {
    (asked.status === 0 ? stdout : (surroundings.stderr ?? process.stderr)).write(asked.text);
    return asked.status;
  }
  const { flags, argument } = asked.execute;
  const context: Omit<CommandContext, "native"> = {
    out: outFolder(flags.out as string | undefined),
    workers: workerCount(flags.workers as string | undefined),
    quiet: flags.quiet === true,
    resume: flags.resume === true,
    dryRun: flags["dry-run"] === true,
    allowPluginPaths: flags["allow-plugin-paths"] === true,
    referee: refereeSeconds(flags.referee as string | undefined),
    shard: flags.shard === undefined ? undefined : parseShard(flags.shard as string),
    queue: flags.queue as string | undefined,
    signal,
    command: await shown(["finitewidth", ...argv].join(" "), flags.queue !== undefined),
    stdout,
    stderr: surroundings.stderr ?? process.stderr,
    onOpen: surroundings.onOpen ?? (() => undefined),
    onFinished: surroundings.onFinished ?? (() => undefined),
  };
  return withBackend(flags.backend as string | undefined, (native) => execute(asked.execute, argument ?? "", { ...context, native }));
}

/** What was typed without passwords: it is kept with the results. */
const shown = async (command: string, secrets: boolean): Promise<string> =>
  secrets ? (await import("@finitewidth/queue")).withoutSecrets(command) : command;

/** Has the chosen linear algebra used while `work` goes on, and tells it whether that is the add-on's. */
async function withBackend<T>(choice = "wasm", work: (native: boolean) => Promise<T>): Promise<T> {
  if (choice === "wasm") return work(false);
  if (choice !== "auto" && choice !== "native")
    throw new FinitewidthError(`--backend: expected auto, wasm or native, got ${choice}`, { code: "input", path: "--backend" });
  const [{ nativeBackendFor }, { setBackend }] = await Promise.all([import("./backend.js"), import("@finitewidth/linalg")]);
  const native = nativeBackendFor(choice);
  const previous = native && setBackend(native);
  try {
    return await work(native !== undefined);
  } finally {
    if (previous) setBackend(previous);
  }
}

/** Commands are loaded when they are asked for: help and completion wait for none of them. */
async function execute({ command, flags, positionals }: Arguments, file: string, context: CommandContext): Promise<number> {
  const folder = dirname(resolve(file));
  switch (command.name) {
    case "run":
      return (await import("./commands/run.js")).runRunCommand(file, folder, context);
    case "merge":
      return (await import("./commands/merge.js")).runMergeCommand(positionals, context);
    case "prior":
      return (await import("./commands/prior.js")).runPriorCommand(file, folder, context);
    case "optimise":
      return (await import("./commands/optimise.js")).runOptimiseCommand(file, folder, context);
    case "phase-diagram":
      return (await import("./commands/phase-diagram.js")).runPhaseCommand(file, folder, context);
    case "verify": {
      const filter = flags.filter as string | undefined;
      const load = (flags.load as readonly string[] | undefined) ?? [];
      const request = {
        suite: (flags.suite as string | undefined) ?? "quick",
        ...(filter === undefined ? {} : { filter }),
        load,
        seed: seedOf(flags.seed as string | undefined),
      };
      return (await import("./commands/verify.js")).runVerifyCommand(request, context);
    }
    case "reproduce": {
      const request = {
        name: file,
        all: flags.all === true,
        size: (flags.size as string | undefined) ?? "quick",
        open: flags["no-open"] !== true && !context.quiet && context.stderr.isTTY === true,
        load: (flags.load as readonly string[] | undefined) ?? [],
      };
      return (await import("./commands/reproduce.js")).runReproduceCommand(request, context);
    }
    case "explore": {
      const open = flags["no-open"] !== true && !context.quiet && context.stderr.isTTY === true;
      const request = { file, folder, port: flags.port as string | undefined, open };
      return (await import("./commands/explore.js")).runExploreCommand(request, context);
    }
    case "worker": {
      const request = {
        queue: flags.queue as string | undefined,
        concurrency: workerCount(flags.concurrency as string | undefined, "--concurrency"),
        load: (flags.load as readonly string[] | undefined) ?? [],
      };
      return (await import("./commands/worker.js")).runWorkerCommand(request, context);
    }
    case "init":
      return (await import("./commands/init.js")).runInitCommand(file, context.stdout);
    case "schema":
      return (await import("./commands/schema.js")).runSchemaCommand(
        file,
        (flags.load as readonly string[] | undefined) ?? [],
        context.stdout,
      );
    case "plugins":
      return (await import("./commands/plugins.js")).runPluginsCommand((flags.load as readonly string[] | undefined) ?? [], context.stdout);
    default:
      throw new TypeError(`${command.name} has no implementation`);
  }
}

function seedOf(value = "1"): number {
  if (!/^\d{1,15}$/.test(value))
    throw new FinitewidthError(`--seed: expected an integer ≥ 0, got ${value}`, { code: "input", path: "--seed" });
  return Number(value);
}

export function workerCount(value: string | undefined, flag = "--workers"): number {
  if (value === undefined) return availableParallelism();
  if (!/^\d{1,4}$/.test(value))
    throw new FinitewidthError(`${flag}: expected an integer from 0 to 9999, got ${value}`, { code: "input", path: flag });
  return Number(value);
}

/** An empty name comes from a variable of the shell that is not set: it does not mean the working directory. */
function outFolder(value: string | undefined): string | undefined {
  if (value === "") throw inputError("--out", "a folder", value);
  return value;
}

function refereeSeconds(value: string | undefined): number | false | undefined {
  if (value === undefined) return undefined;
  if (value === "off") return false;
  if (!(Number(value) > 0 && Number(value) < 1e6))
    throw new FinitewidthError(`--referee: expected seconds or off, got ${value}`, { code: "input", path: "--referee" });
  return Number(value);
}
