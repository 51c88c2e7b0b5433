import { inputError } from "@finitewidth/core";
import { loadRegistry } from "../builtin-registry.js";
import type { CommandContext } from "../main.js";
import { createProgress } from "../progress.js";
import { numericalVersions } from "../provenance.js";
import { commandTasks } from "../session.js";

/**
 * `finitewidth worker`: computes chunks of a queue until it is interrupted. Only tasks of built-in packages and of those that are
 * loaded here by name are run, whatever a message asks for.
 */
export async function runWorkerCommand(
  { queue, concurrency, load }: { readonly queue: string | undefined; readonly concurrency: number; readonly load: readonly string[] },
  context: CommandContext,
): Promise<number> {
  if (queue === undefined) throw inputError("--queue", "redis://host:port, the address of the queue", "nothing");
  if (concurrency === 0) throw inputError("--concurrency", "an integer ≥ 1", concurrency);
  const { say } = createProgress(!context.quiet, context.stderr);
  const { queueAddress, serveQueue } = await import("@finitewidth/queue");
  const address = queueAddress(queue);
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: context.allowPluginPaths });
  const versions = numericalVersions(registry);
  const pool = context.native ? { prepare: { task: (await import("../backend.js")).useNativeBackend, chunk: null } } : {};
  const worker = await serveQueue({ address, registry, versions, tasks: commandTasks, concurrency, say, pool });
  const what = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  if (!context.quiet) say(`listening at ${address.shown}, ${concurrency} at a time, ${what.join(", ")}`);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    else context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await worker.close();
  return 0;
}
