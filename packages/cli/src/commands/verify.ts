import { join } from "node:path";
import { inputError, type Registry } from "@finitewidth/core";
import {
  familiesFor,
  pluginFamilies,
  runVerification,
  standardPlugins,
  verificationReports,
  type ScenarioFamily,
} from "@finitewidth/verification";
import { loadRegistry } from "../builtin-registry.js";
import { writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress } from "../progress.js";
import { createDocument } from "../report/html.js";
import { openSession } from "../session.js";

/** What loaded plug-ins want checked: their scenarios, and their theories on built-in ones where none of theirs names them. */
function familiesOfPlugins(registry: Registry): readonly ScenarioFamily[] {
  const own = pluginFamilies(registry);
  const named = new Set(own.flatMap(({ theories }) => theories.map(({ name }) => name)));
  const builtIn = new Set(standardPlugins.flatMap(({ theories = [] }) => theories));
  const left = registry.theories.filter((theory) => !builtIn.has(theory) && !named.has(theory.name));
  const families = [...own, ...familiesFor(left, registry)];
  if (families.length === 0)
    throw inputError("--load", "a plug-in with a theory or `scenarios`, which say where its claims are checked", "neither");
  return families;
}

/**
 * `finitewidth verify`: report.html, report.json, report.md, junit.xml; exit status 1 when a claim failed. With plug-ins loaded: the claims
 * about what they add.
 */
export async function runVerifyCommand(
  { suite, filter, load }: { readonly suite: string; readonly filter?: string; readonly load: readonly string[] },
  context: CommandContext,
): Promise<number> {
  if (suite !== "quick" && suite !== "full") throw inputError("--suite", 'one of "quick", "full"', suite);
  const progress = createProgress(!context.quiet, context.stderr);
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: context.allowPluginPaths });
  const families = load.length === 0 ? undefined : familiesOfPlugins(registry);
  const out = await chooseFolder("verify", context.out);
  const { run, close } = await openSession({
    registry,
    seed: 1,
    progress,
    out,
    workers: context.workers,
    native: context.native,
    signal: context.signal,
    onOpen: context.onOpen,
  });
  try {
    const evidence = await runVerification(
      { suite, ...(filter === undefined ? {} : { filter }), ...(families ? { families } : {}) },
      run,
      progress.stage,
    );
    const reports = verificationReports(evidence, createDocument());
    for (const [name, content] of Object.entries(reports)) await writeAtomically(join(out, name), content);
    progress.clear();
    if (!context.quiet) context.stdout.write(`${reports["report.md"]}\nReport: ${join(out, "report.html")}\n`);
    return evidence.passed ? 0 : 1;
  } finally {
    await close(true);
  }
}
