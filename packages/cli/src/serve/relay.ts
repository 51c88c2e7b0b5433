import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";

/**
 * `finitewidth serve --stdio`: this thread passes lines on, another computes, so that the end of standard input ends the process however
 * busy it is. What plug-ins print goes to standard error.
 */
export function relay(thread: URL): void {
  const worker = new Worker(thread, { workerData: { role: "serve" }, execArgv: [], stdout: true });
  worker.stdout.pipe(process.stderr);
  worker.on("message", (line: string) => process.stdout.write(`${line}\n`));
  worker.on("error", (error: NodeJS.ErrnoException) => {
    process.stderr.write(`finitewidth: ${error?.message ?? `something threw ${String(error)}`}\n`);
    process.exit(1);
  });
  worker.on("exit", (status) => process.exit(status));
  createInterface({ input: process.stdin })
    .on("line", (line) => worker.postMessage(line, []))
    .on("close", () => process.exit(0));
}
