import * as Comlink from "comlink";
import { createRegistry, FinitewidthError, type Plugin, type Registry, type Task } from "@finitewidth/core";
import { cancelled, controlWords, recordError, type Envelope, type WorkerApi } from "./protocol.js";

/** What a worker may be given ahead of time, so that bundlers see it: tasks and plug-ins by name instead of by URL. */
export interface ServeOptions {
  readonly tasks?: readonly Task<never, unknown>[];
  readonly plugins?: readonly Plugin[];
  /** Loads a module by its address. @defaultValue imports it */
  readonly load?: (address: string) => Promise<unknown>;
}

/**
 * Serves the pool from inside a worker. Tasks and plug-ins that were not handed over are imported by the URL of their module. In a bundled
 * page write a worker of your own that calls this with the tasks and plug-ins it uses, since a bundle has no modules to import by URL.
 */
export function serve(endpoint: Comlink.Endpoint, { tasks = [], plugins = [], load = importModule }: ServeOptions = {}): void {
  let registry: Registry | undefined;
  const known = new Map(tasks.map((task) => [task.name, task]));

  const api: WorkerApi = {
    configure: (modules) =>
      envelope(async () => {
        const loaded = await Promise.all(modules.map(async (url) => pluginIn(await load(url), url)));
        const names = new Set(plugins.map((plugin) => plugin.name));
        registry = createRegistry([...plugins, ...loaded.filter((plugin) => !names.has(plugin.name))]);
        return { value: null, transfer: [] };
      }),
    run: (module, name, chunk, control) =>
      envelope(async () => {
        if (registry === undefined) throw new FinitewidthError("worker was not configured", { code: "worker" });
        const task = known.get(name) ?? taskIn(await load(module), module, name);
        known.set(name, task);
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

const importModule = (url: string): Promise<unknown> => import(/* @vite-ignore */ url);

function pluginIn(module: unknown, url: string): Plugin {
  const { plugin, default: other } = module as { plugin?: Plugin; default?: Plugin };
  const found = plugin ?? other;
  if (found === undefined) throw new FinitewidthError(`${url}: exports no plug-in (as plugin or by default)`, { code: "worker" });
  return found;
}

function taskIn(module: unknown, url: string, name: string): Task<never, unknown> {
  const task = (module as Record<string, Task<never, unknown> | undefined>)[name];
  if (task === undefined) throw new FinitewidthError(`${url}: exports no task "${name}"`, { code: "worker" });
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
