import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";

/** What the thread that computes passes on: a line to write, if any, and whether a line that came is thereby done with. */
export interface Passed {
  readonly line?: string;
  readonly settles: boolean;
}

/**
 * `finitewidth serve --stdio`: this thread passes lines on, another computes, so that the end of standard input ends the process however
 * busy it is: a caller that was killed leaves no process behind. Status 1 when requests went without an answer. What plug-ins print goes to
 * standard error.
 */
export function relay(thread: URL): void {
  const worker = new Worker(thread, { workerData: { role: "serve" }, execArgv: [], stdout: true });
  worker.stdout.pipe(process.stderr);
  let open = 0;
  worker.on("message", ({ line, settles }: Passed) => {
    if (line !== undefined) process.stdout.write(`${line}\n`);
    if (settles) open -= 1;
  });
  worker.on("error", (error: NodeJS.ErrnoException) => {
    process.stderr.write(`finitewidth: ${error?.message ?? `something threw ${String(error)}`}\n`);
    process.exit(1);
  });
  worker.on("exit", (status) => process.exit(status));
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      open += 1;
      worker.postMessage(line, []);
    })
    .on("close", () => {
      if (open > 0)
        process.stderr.write(
          `finitewidth serve: standard input ended with ${open} request${open === 1 ? "" : "s"} unanswered; keep it open until the answers are there\n`,
        );
      process.exit(open > 0 ? 1 : 0);
    });
}
