import { builtinSweepKeys } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import type { Output } from "../terminal.js";
import { textTable } from "../table.js";

/** `finitewidth plugins`: what is installed, third-party packages given by --load included. */
export async function runPluginsCommand(load: readonly string[], stdout: Output): Promise<number> {
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: true, named: "--load" });
  const sections: readonly [string, readonly { readonly name: string; readonly summary: string }[]][] = [
    ["Networks", registry.priorModels],
    ["Layers", registry.layers],
    ["Methods", registry.theories],
    ["Activations", registry.activations],
    ["Likelihoods", registry.likelihoods],
    ["Data sets", registry.datasets],
    ["Sweep keys", [...builtinSweepKeys, ...registry.sweepKeys]],
    ["Report sections", registry.reportSections],
    ["Figures", registry.figures],
  ];
  const owner = (item: { readonly name: string }): string =>
    registry.plugins.find((plugin) =>
      [
        ...(plugin.priorModels ?? []),
        ...(plugin.layers ?? []),
        ...(plugin.theories ?? []),
        ...(plugin.activations ?? []),
        ...(plugin.likelihoods ?? []),
        ...(plugin.datasets ?? []),
        ...(plugin.sweepKeys ?? []),
        ...(plugin.reportSections ?? []),
        ...(plugin.figures ?? []),
      ].some((own) => own === item),
    )?.name ?? "";
  const left = (rows: readonly (readonly string[])[]): string[][] => {
    const width = Math.max(...rows.map((row) => row[1]!.length));
    return rows.map((row) => [row[0]!, row[1]!.padEnd(width), row[2]!]);
  };
  for (const [title, items] of sections) {
    if (items.length === 0) continue;
    const rows = left(items.map((item) => [item.name, item.summary, owner(item)]));
    stdout.write(`${textTable([title, "", "from"], rows)}\n\n`);
  }
  return 0;
}
