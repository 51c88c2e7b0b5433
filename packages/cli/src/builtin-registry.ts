import { createRegistry, FinitewidthError, type Plugin, type Registry } from "@finitewidth/core";
import { plugin as datasets } from "@finitewidth/datasets";
import { standardPlugins } from "@finitewidth/verification";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * The built-in registry plus third-party packages, resolved from the folder of the experiment file, then from the working directory.
 * @throws FinitewidthError (code "input") naming `plugins[i]` when a package is missing or exports no plug-in.
 */
export async function loadRegistry(plugins: readonly string[], folder: string): Promise<Registry> {
  const loaded = await Promise.all(plugins.map((name, i) => loadPlugin(name, folder, `plugins[${i}]`)));
  return createRegistry([...standardPlugins, datasets, ...loaded]);
}

/** URL of a plug-in module, for workers that load it again. @throws FinitewidthError (code "input"). */
export function resolvePlugin(name: string, folder: string, path: string): string {
  if (name.startsWith(".") || name.startsWith("/")) return pathToFileURL(resolve(folder, name)).href;
  for (const base of [folder, process.cwd()]) {
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
  throw new FinitewidthError(`${path}: package "${name}" is not installed in ${folder} or ${process.cwd()}; npm install it there`, {
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

async function loadPlugin(name: string, folder: string, path: string): Promise<Plugin> {
  const url = resolvePlugin(name, folder, path);
  let module: { plugin?: Plugin; default?: Plugin };
  try {
    module = (await import(url)) as typeof module;
  } catch (cause) {
    throw new FinitewidthError(`${path}: "${name}" cannot be loaded (${(cause as Error).message})`, { code: "input", path }, { cause });
  }
  const plugin = module.plugin ?? module.default;
  if (plugin === undefined || typeof plugin.name !== "string") {
    throw new FinitewidthError(
      `${path}: "${name}" exports no plug-in; expected an export \`plugin\` (see "write a plug-in" in the guide)`,
      { code: "input", path },
    );
  }
  return plugin;
}
