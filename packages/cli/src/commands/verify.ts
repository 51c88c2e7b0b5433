import { join } from "node:path";
import { FinitewidthError, inputError, type PaperFigure, type Registry, type Run } from "@finitewidth/core";
import { figureLab, nearest, reproduceFigure } from "@finitewidth/experiment";
import {
  familiesFor,
  figuresPass,
  pluginFamilies,
  runVerification,
  scenarios,
  standardPlugins,
  verificationReports,
  type FigureEvidence,
  type ScenarioFamily,
} from "@finitewidth/verification";
import { loadRegistry } from "../builtin-registry.js";
import { writeAtomically } from "../files.js";
import type { CommandContext } from "../main.js";
import { chooseFolder } from "../output-folder.js";
import { createProgress, type Progress } from "../progress.js";
import { identityOf } from "../provenance.js";
import { createDocument } from "../report/html.js";
import { openSession } from "../session.js";

/** What loaded plug-ins want checked: their scenarios, and their theories on built-in ones where none of theirs names them. */
function familiesOfPlugins(registry: Registry, figures: number): readonly ScenarioFamily[] {
  const own = pluginFamilies(registry);
  const named = new Set(own.flatMap(({ theories }) => theories.map(({ name }) => name)));
  const builtIn = new Set(standardPlugins.flatMap(({ theories = [] }) => theories));
  const left = registry.theories.filter((theory) => !builtIn.has(theory) && !named.has(theory.name));
  const families = [...own, ...familiesFor(left, registry)];
  if (families.length === 0 && figures === 0)
    throw inputError(
      "--load",
      "a plug-in with a theory, or with `scenarios` or (in the full suite) `figures`, which say what is checked",
      "neither",
    );
  return families;
}

/** Figures of the suite: those of the plug-ins that are checked, or all, whose names contain the filter. */
function figuresFor(registry: Registry, loaded: boolean, filter: string | undefined): readonly PaperFigure[] {
  const own = new Set(registry.plugins.filter(({ name }) => name.startsWith("@finitewidth/")).flatMap(({ figures = [] }) => figures));
  const list = loaded ? registry.figures.filter((figure) => !own.has(figure)) : registry.figures;
  return list.filter(({ name }) => filter === undefined || name.includes(filter));
}

/** Figures at quick size, with the checks of their numbers; one that fails leaves the others alone. */
async function checkFigures(figures: readonly PaperFigure[], run: Run, progress: Progress): Promise<FigureEvidence[]> {
  const found: FigureEvidence[] = [];
  for (const figure of figures) {
    progress.stage(`figure ${figure.name}`, found.length, figures.length);
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    try {
      const { checks } = await reproduceFigure(figure, "quick", figureLab(run));
      found.push({ figure: figure.name, checks, seconds: seconds() });
    } catch (error) {
      run.signal?.throwIfAborted();
      found.push({ figure: figure.name, checks: [], reason: error instanceof Error ? error.message : String(error), seconds: seconds() });
    }
  }
  return found;
}

/**
 * Refuses a filter that no name of a theory, scenario or claim contains before anything is computed; built-in claims are named after the
 * observables that they are about. @throws FinitewidthError (code "input") with the names nearest to it.
 */
function requireKnownName(filter: string, suite: string, registry: Registry): void {
  const claims = registry.observables.flatMap(({ name, of, perLayer }) => {
    const words = name.replaceAll(".", "-").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const ids = of === "prior" ? [words, `prior-${name}`] : [words, words.slice(words.indexOf("-") + 1)];
    return perLayer === true ? ids.flatMap((id) => Array.from({ length: 9 }, (_, l) => `${id}-${l + 1}`)) : ids;
  });
  const asked = scenarios.filter((family) => suite === "full" || family.suite === "quick");
  const pairs = asked.flatMap((family) => family.theories.map(({ name }) => `${name} / ${family.name}`));
  const wanted = filter.toLowerCase();
  if (pairs.some((pair) => claims.some((claim) => `${pair} / ${claim}`.toLowerCase().includes(wanted)))) return;
  const lists = [[...new Set(pairs.map((pair) => pair.split(" / ")[0]!))], asked.map(({ name }) => name), claims];
  const near = lists.flatMap((names) => nearest(filter, names) ?? []);
  throw inputError(
    "--filter",
    `part of a name theory / scenario / claim, as \`finitewidth verify\` prints them${near.length > 0 ? `, such as ${near.join(" or ")}` : ""}`,
    filter,
  );
}

/** What is to be verified. */
interface VerifyRequest {
  readonly suite: string;
  readonly filter?: string;
  readonly load: readonly string[];
  /** Of the sampled networks and of the theories that sample. */
  readonly seed: number;
}

/**
 * `finitewidth verify`: report.html, report.json, report.md, junit.xml; exit status 1 when a claim failed. With plug-ins loaded: the claims
 * about what they add.
 */
export async function runVerifyCommand({ suite, filter, load, seed }: VerifyRequest, context: CommandContext): Promise<number> {
  if (suite !== "quick" && suite !== "full") throw inputError("--suite", 'one of "quick", "full"', suite);
  const progress = createProgress(!context.quiet, context.stderr);
  const registry = await loadRegistry(load, process.cwd(), { allowPaths: context.allowPluginPaths, named: "--load" });
  const wanted = suite === "full" ? figuresFor(registry, load.length > 0, filter) : [];
  const families = load.length === 0 ? undefined : familiesOfPlugins(registry, wanted.length);
  if (filter !== undefined && families === undefined && wanted.length === 0) requireKnownName(filter, suite, registry);
  const out = await chooseFolder("verify", context.out);
  const { run, close } = await openSession({
    ...context,
    registry,
    seed,
    progress,
    out,
    identity: identityOf(registry, ["verify", suite, filter ?? null, seed], ""),
  });
  let finished = false;
  try {
    const claims = await runVerification(
      {
        suite,
        ...(filter === undefined ? {} : { filter }),
        ...(families ? { families } : {}),
        mayBeEmpty: wanted.length > 0 && (filter !== undefined || load.length > 0),
      },
      run,
      progress.stage,
    );
    const figures = await checkFigures(wanted, run, progress);
    const passed = claims.passed && figuresPass(figures);
    const evidence = { ...claims, passed, ...(figures.length > 0 ? { figures } : {}) };
    const reports = verificationReports(evidence, createDocument());
    for (const [name, content] of Object.entries(reports)) await writeAtomically(join(out, name), content);
    progress.clear();
    if (!context.quiet) context.stdout.write(`${reports["report.md"]}\nReport: ${join(out, "report.html")}\n`);
    finished = true;
    return evidence.passed ? 0 : 1;
  } catch (error) {
    // a filter that matches nothing leaves nothing to go on from
    finished = error instanceof FinitewidthError && error.code === "input";
    throw error;
  } finally {
    await close(finished);
  }
}
