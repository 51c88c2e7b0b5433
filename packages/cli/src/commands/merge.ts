import { dirname, resolve } from "node:path";
import { FinitewidthError } from "@finitewidth/core";
import { planExperiment } from "@finitewidth/experiment";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, pluginsOf } from "../files.js";
import type { CommandContext } from "../main.js";
import { openFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { hashOfData, identityOf, provenanceOf } from "../provenance.js";
import { tellResults, writeRunFiles } from "../run-files.js";
import { findShards, gatherParts, versionsOf } from "../shard-files.js";

/** `finitewidth merge`: what `finitewidth run` would have written, from the parts of its shards. */
export async function runMergeCommand(folders: readonly string[], context: CommandContext): Promise<number> {
  const shards = await findShards(folders);
  const { experiment, folder, source, identity } = shards[0]!.manifest;
  const progress = createProgress(!context.quiet, context.stderr);
  const policy = { allowPaths: context.allowPluginPaths, ...(context.quiet ? {} : { announce: progress.say }) };
  const registry = await loadRegistry(pluginsOf(experiment), folder, policy);
  const plan = await planExperiment(experiment, { registry, readFile: fileReader(folder) });
  const dataHash = hashOfData([...new Set([plan.data, ...plan.steps.map((step) => step.data)])]);
  const own = identityOf(registry, [plan.experiment, plan.keys.map((key) => key.name)], dataHash);
  if (JSON.stringify(own) !== JSON.stringify(identity)) {
    const why =
      own.experiment === identity.experiment
        ? `this is ${versionsOf(own)}; the parts are of ${versionsOf(identity)}`
        : "the data have changed since";
    throw new FinitewidthError(`${shards[0]!.folder}: ${why}; run the parts again`, { code: "input", path: shards[0]!.folder });
  }
  const results = await gatherParts(plan, shards);
  const out = resolve(context.out ?? dirname(resolve(shards[0]!.folder)));
  const opened = await openFolder(out, source);
  try {
    await writeRunFiles(plan, results, out, source, provenanceOf(registry, context.command, dataHash));
  } finally {
    await opened.release();
  }
  return tellResults(plan, results, out, context);
}
