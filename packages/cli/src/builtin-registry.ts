import { createRegistry, describe, FinitewidthError, printable, type Plugin, type Registry } from "@finitewidth/core";
import { plugin as datasets } from "@finitewidth/datasets";
import { plugin as figures } from "@finitewidth/figures";
import { standardPlugins } from "@finitewidth/verification";
import { loadedInTime } from "@finitewidth/workers";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** How plug-ins are loaded. */
export interface PluginPolicy {
  /** Plug-ins named by path are loaded: whoever wrote the file runs code here. */
  readonly allowPaths: boolean;
  /** Told what is about to be loaded, before it is. */
  readonly announce?: (sentence: string) => void;
  /** What named them, for messages. @defaultValue `plugins[i]`, the field of an experiment file */
  readonly named?: string;
}

/**
 * The built-in registry plus third-party packages, resolved from the folder of the experiment file, then from the working directory.
 * @throws FinitewidthError (code "input") naming `plugins[i]` when a package is missing, named by a path that is not allowed, or exports no
 * plug-in.
 */
export async function loadRegistry(plugins: readonly string[], folder: string, policy: PluginPolicy): Promise<Registry> {
  const path = (i: number): string => policy.named ?? `plugins[${i}]`;
  const urls = plugins.map((name, i) => resolvePlugin(name, folder, path(i), policy.allowPaths));
  const loaded: Plugin[] = [];
  for (const [i, url] of urls.entries()) {
    policy.announce?.(`loading plug-in ${plugins[i]} (${fileURLToPath(url)})`);
    loaded.push(await loadPlugin(plugins[i]!, url, path(i)));
  }
  return createRegistry([...standardPlugins, datasets, figures, ...loaded]);
}

const packageName = /^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*(?:\/[\w~-][\w.~-]*)*$/;

/** URL of a plug-in module, for workers that load it again. @throws FinitewidthError (code "input"). */
export function resolvePlugin(name: string, folder: string, path: string, allowPaths: boolean): string {
  if (!packageName.test(name)) {
    if (allowPaths) return name.startsWith("file:") ? name : pathToFileURL(resolve(folder, name)).href;
    throw new FinitewidthError(`${path}: ${describe(name)} is a path: its code would run here; add --allow-plugin-paths if you trust it`, {
      code: "input",
      path,
    });
  }
  const bases = [...new Set([resolve(folder), process.cwd()])];
  for (const base of bases) {
    const require = createRequire(join(base, "package.json"));
    try {
      return pathToFileURL(require.resolve(name)).href;
    } catch (error) {
      // An ESM-only package has no "require" entry but is there all the same: find its main file by its package.json.
      if ((error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED") {
        const url = esmEntry(require, name);
        if (url !== undefined) return url;
      }
    }
  }
  throw new FinitewidthError(`${path}: package "${name}" is not installed in ${bases.join(" or ")}; npm install it there`, {
    code: "input",
    path,
  });
}

function esmEntry(require: NodeJS.Require, name: string): string | undefined {
  for (const root of require.resolve.paths(name) ?? []) {
    try {
      const manifest = require(join(root, name, "package.json")) as { exports?: unknown; main?: string; module?: string };
      const entry = pickEntry(manifest.exports) ?? manifest.module ?? manifest.main ?? "index.js";
      return pathToFileURL(join(root, name, entry)).href;
    } catch {
      continue;
    }
  }
  return undefined;
}

function pickEntry(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return undefined;
  const map = exports as Record<string, unknown>;
  return pickEntry(map["."] ?? map.node ?? map.import ?? map.default);
}

async function loadPlugin(name: string, url: string, path: string): Promise<Plugin> {
  let module: { plugin?: Plugin; default?: Plugin };
  try {
    module = (await loadedInTime(import(url))) as typeof module;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : `it threw ${describe(cause)}`;
    throw new FinitewidthError(`${path}: "${name}" cannot be loaded (${printable(reason, 300)})`, { code: "input", path }, { cause });
  }
  const plugin = module.plugin ?? module.default;
  if (plugin === undefined || plugin === null || typeof plugin.name !== "string") {
    throw new FinitewidthError(
      `${path}: "${name}" exports no plug-in; expected an export \`plugin\` (see "write a plug-in" in the guide)`,
      { code: "input", path },
    );
  }
  return plugin;
}
