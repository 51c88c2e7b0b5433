import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { front } from "./front.js";
import { relay } from "./serve/relay.js";

/** What the command's thread tells this one. */
export type Message =
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "open"; readonly folder: string }
  // The thread's own standard error waits until the thread does.
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "heard" }
  | { readonly kind: "finished"; readonly done: number; readonly total: number };

/**
 * What a short command does not need of V8: threads that compile beside it what it has done with by then. They cost a seventh of the
 * processor time of a run of a second, which takes no longer without them. Flags about sizes would save collections but not time: code
 * that Node brings compiled is not used where one is set.
 */
const lean = "--no-concurrent-recompilation";

/** Milliseconds that a command has to end after an interruption; to hear of it, where it has finished something that it then writes. */
const patience = { nothing: 600, finished: 10_000 } as const;

/** Whether a folder of results holds anything that `--resume` could go on from: single chains are kept before their method is finished. */
function hasCheckpoints(folder: string): boolean {
  const checkpoints = join(folder, ".checkpoints");
  return existsSync(checkpoints) && readdirSync(checkpoints).some((name) => name.endsWith(".bin"));
}

/**
 * Runs the program in a thread of its own, so that this one hears signals however busy the command is. An interrupted command ends within a
 * second, one that has finished something when it has written that, and at once when it is interrupted again; what it has finished is
 * kept. A closed pipe ends it quietly.
 * @param bundle the one file that all threads start from, where there is one
 */
export function launch(argv: readonly string[], bundle?: URL): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`finitewidth: standard output cannot be written (${error.code ?? error.message})\n`);
    process.exit(1);
  });
  // nobody is left to be told
  process.stderr.on("error", () => undefined);
  const asked = front(argv);
  if ("text" in asked) {
    (asked.status === 0 ? process.stdout : process.stderr).write(asked.text);
    process.exitCode = asked.status;
    return;
  }
  // before there are threads that they could change
  setFlagsFromString(lean);
  if (asked.execute.command.name === "serve") {
    relay(bundle ?? new URL("./serve/thread.js", import.meta.url));
    return;
  }
  const worker = new Worker(bundle ?? new URL("./command-thread.js", import.meta.url), {
    workerData: { role: "command", argv, isTTY: process.stderr.isTTY === true },
    execArgv: [],
  });
  let status: number | undefined;
  let folder: string | undefined;
  let finished = "";
  let waiting: NodeJS.Timeout | undefined;
  worker.on("message", (message: Message) => {
    if (message.kind === "status") status = message.status;
    else if (message.kind === "open") folder = message.folder;
    else if (message.kind === "said") process.stderr.write(message.text);
    else if (message.kind === "heard") {
      if (finished !== "") clearTimeout(waiting);
    } else finished = `${message.done} of ${message.total} methods are finished and `;
  });
  worker.on("error", (error: NodeJS.ErrnoException | null | undefined) => {
    const reason =
      error?.code === "ERR_WORKER_OUT_OF_MEMORY"
        ? "out of memory; give Node more (--max-old-space-size) or the experiment less"
        : error?.message;
    process.stderr.write(`finitewidth: ${reason ?? `something threw ${String(error)}`}\n`);
    status ??= 1;
  });
  const unlock = (): void => {
    if (folder !== undefined) rmSync(join(folder, ".lock"), { force: true });
  };
  const resumes = asked.execute.command.flags.some(({ name }) => name === "resume");
  let interrupted = false;
  const goOn = (): void => {
    if (folder === undefined || !resumes) process.stderr.write("\ninterrupted\n");
    else if (finished === "" && !hasCheckpoints(folder))
      process.stderr.write("\ninterrupted before anything was finished: nothing is kept\n");
    else
      process.stderr.write(
        `\ninterrupted: ${finished}what is finished is kept in ${folder}; the same command with --resume goes on from there\n`,
      );
  };
  const interrupt = (): void => {
    if (interrupted) {
      unlock();
      process.exit(1);
    }
    interrupted = true;
    worker.postMessage("interrupt", []);
    waiting = setTimeout(
      () => {
        goOn();
        unlock();
        process.exit(1);
      },
      finished === "" ? patience.nothing : patience.finished,
    ).unref();
    if (finished !== "")
      setTimeout(
        () => process.stderr.write("\ninterrupted: what is finished is being written; once more ends at once\n"),
        patience.nothing,
      ).unref();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  worker.on("exit", () => {
    if (status === undefined) {
      process.stderr.write("finitewidth: the command ended early; a plug-in may have ended it\n");
      unlock();
    } else if (interrupted && status !== 0) goOn();
    process.exitCode = status ?? 1;
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
  });
}
