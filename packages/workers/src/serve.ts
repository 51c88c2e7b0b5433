import * as Comlink from "comlink";
import { createRegistry, FinitewidthError, type Plugin, type Registry, type Task } from "@finitewidth/core";
import { loadedInTime } from "./patience.js";
import { cancelled, controlWords, recordError, type Address, type Envelope, type WorkerApi } from "./protocol.js";

/** What a worker is given ahead of time, so that bundlers see it: plug-ins and tasks found by name instead of by URL. */
export interface ServeOptions {
  /** Their own `tasks` come with them. */
  readonly plugins?: readonly Plugin[];
  readonly tasks?: readonly Task<never, unknown>[];
  /** Loads a module by its address. @defaultValue imports it */
  readonly load?: (address: string) => Promise<unknown>;
}

/** Set in a worker that serves a pool: a pool that is opened there computes in its thread. */
const serving = Symbol.for("finitewidth.serving");

/** Whether this thread is a worker of a pool. */
export const isServing = (): boolean => serving in globalThis;

/**
 * Serves the pool from inside a worker. Plug-ins and tasks that were not handed over are imported by the URL of their module. A bundled
 * page has none: there write a worker of your own that calls `serve(self, { plugins })` with the plug-ins of the page. @throws
 * FinitewidthError (code "worker") for tasks that come before the configuration.
 */
export function serve(endpoint: Comlink.Endpoint, { tasks = [], plugins = [], load = importModule }: ServeOptions = {}): void {
  Object.assign(globalThis, { [serving]: true });
  let registry: Registry | undefined;
  const given = new Map(plugins.map((plugin) => [plugin.name, plugin]));
  const known = new Map(tasks.map((task) => [task.name, task]));

  const api: WorkerApi = {
    configure: (wanted) =>
      envelope(async () => {
        registry = createRegistry(await Promise.all(wanted.map((one) => given.get(one.name) ?? loadPlugin(one, load))));
        for (const task of registry.plugins.flatMap((plugin) => plugin.tasks ?? [])) known.set(task.name, task);
        return { value: null, transfer: [] };
      }),
    run: (address, chunk, control) =>
      envelope(async () => {
        if (registry === undefined) throw new FinitewidthError("worker was not configured", { code: "worker" });
        const task = known.get(address.name) ?? (await loadTask(address, load));
        known.set(address.name, task);
        const words = control && controlWords(control);
        const tick = (fraction: number): void => {
          if (!words) return;
          words.fraction[0] = fraction;
          if (Atomics.load(words.cancel, 0) !== 0) throw new Error(cancelled);
        };
        const value = await task.run(chunk as never, { registry, tick });
        return { value, transfer: buffersOf(value) };
      }),
  };
  Comlink.expose(api, endpoint);
}

async function envelope(work: () => Promise<{ value: unknown; transfer: Transferable[] }>): Promise<Envelope> {
  try {
    const { value, transfer } = await work();
    return Comlink.transfer({ ok: true, value }, transfer);
  } catch (error) {
    return { ok: false, error: recordError(error) };
  }
}

const handOver = (kind: "plugins" | "tasks", name: string): string =>
  `in a bundle hand it to a worker of your own: serve(self, { ${kind}: [${name}] })`;

type Load = NonNullable<ServeOptions["load"]>;
const importModule: Load = (url) => import(/* @vite-ignore */ url);

async function importFor({ name, module }: Address, kind: "plugins" | "tasks", load: Load): Promise<Record<string, unknown>> {
  const what = `${kind === "plugins" ? "plug-in" : "task"} ${name}`;
  if (module === undefined) throw new FinitewidthError(`${what}: has no module of its own; ${handOver(kind, name)}`, { code: "worker" });
  try {
    return (await loadedInTime(load(module))) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FinitewidthError(`${what}: ${module} cannot be imported in a worker (${reason})`, { code: "worker" }, { cause });
  }
}

/** An export by name, or by what it is: who puts modules together may rename their exports. */
const exportOf = <T extends { readonly name: string }>(module: Record<string, unknown>, name: string, key: keyof T): T | undefined =>
  Object.values(module).find((one): one is T => typeof one === "object" && one !== null && key in one && (one as T).name === name);

async function loadPlugin(address: Address, load: Load): Promise<Plugin> {
  const found = await importFor(address, "plugins", load);
  const plugin = (found.plugin ?? found.default ?? exportOf<Plugin>(found, address.name, "module")) as Plugin | undefined;
  if (plugin === undefined)
    throw new FinitewidthError(`${address.module}: exports no plug-in (as plugin or by default); ${handOver("plugins", address.name)}`, {
      code: "worker",
    });
  return plugin;
}

async function loadTask(address: Address, load: Load): Promise<Task<never, unknown>> {
  const found = await importFor(address, "tasks", load);
  const task = (found[address.name] ?? exportOf<Task<never, unknown>>(found, address.name, "run")) as Task<never, unknown> | undefined;
  if (task === undefined)
    throw new FinitewidthError(`${address.module}: exports no task "${address.name}"; ${handOver("tasks", address.name)}`, {
      code: "worker",
    });
  return task;
}

/** Buffers of a result, to be moved instead of copied; each once, shared ones left out. */
function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    // A view of part of a buffer is copied: moving it would take the rest of the buffer along.
    if (value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength) found.add(value.buffer);
  } else if (Array.isArray(value)) for (const entry of value) buffersOf(entry, found);
  else if (typeof value === "object" && value !== null) for (const entry of Object.values(value)) buffersOf(entry, found);
  return [...found];
}
