import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FinitewidthError } from "@finitewidth/core";
import { assemble, jobsOf, type MethodOutcome, type Plan, type StepOutcome } from "@finitewidth/experiment";
import { loadKept, openCheckpoints, type Identity } from "./checkpoints.js";
import { prettyJson, writeAtomically } from "./files.js";
import { OutputError } from "./output-folder.js";
import {
  jobKey,
  keptOutcome,
  membership,
  outcomeOf,
  partsFolder,
  problemKey,
  type KeptOutcome,
  type KeptVerdicts,
  type ShardManifest,
} from "./shard.js";

const manifestName = "shard.json";

/** Keeps what a shard has found, every method of every network on its own; `shard.json` is written last. @throws OutputError. */
export async function keepParts(out: string, manifest: ShardManifest, plan: Plan, steps: readonly StepOutcome[]): Promise<void> {
  const folder = join(out, partsFolder);
  await rm(join(out, manifestName), { force: true });
  let trouble: string | undefined;
  const parts = await openCheckpoints(folder, manifest.identity, false, (sentence) => (trouble = sentence));
  const jobs = new Map(jobsOf(plan).map((job) => [`${job.stepIndex} ${job.problem.label ?? ""} ${job.method.label}`, job]));
  for (const { step, problems } of steps) {
    const stepIndex = plan.steps.indexOf(step);
    for (const one of problems) {
      for (const outcome of one.outcomes) {
        const job = jobs.get(`${stepIndex} ${one.problem.label ?? ""} ${outcome.label}`)!;
        await parts.save("outcome", jobKey(job), keptOutcome(outcome));
      }
      await parts.save("verdicts", problemKey(stepIndex, one), one.verdicts ?? null);
    }
  }
  if (trouble !== undefined) throw new OutputError(`${folder}: ${trouble}`, folder);
  await writeAtomically(join(out, manifestName), prettyJson(manifest));
}

/** A shard's folder and its manifest. */
export interface FoundShard {
  readonly folder: string;
  readonly manifest: ShardManifest;
}

/** The shards in folders, each of which is one or has some. @throws FinitewidthError (code "input") unless they make one whole. */
export async function findShards(folders: readonly string[]): Promise<readonly FoundShard[]> {
  const found: FoundShard[] = [];
  for (const folder of folders) {
    const own = await readManifest(folder);
    const names = own ? [] : await readdir(folder).catch(() => []);
    const below = await Promise.all(
      names.filter((name) => /^shard-\d+-of-\d+$/.test(name)).map((name) => readManifest(join(folder, name))),
    );
    const all = own ? [own] : below.filter((one) => one !== undefined);
    if (all.length === 0 && below.length === 0) throw problem(folder, "holds no parts of `finitewidth run --shard`");
    found.push(...all);
  }
  const [first] = found;
  if (!first) throw problem(folders[0]!, "none of its parts is finished");
  const { count } = first.manifest.shard;
  for (const { folder, manifest } of found) {
    if (manifest.shard.count !== count) throw problem(folder, `is one of ${manifest.shard.count} parts, others are of ${count}`);
    if (manifest.identity.experiment !== first.manifest.identity.experiment)
      throw problem(folder, `is of another experiment, or other data, than ${first.folder}`);
    if (JSON.stringify(manifest.identity) !== JSON.stringify(first.manifest.identity))
      throw problem(
        folder,
        `was computed by other versions than ${first.folder} (${versionsOf(manifest.identity)}; ${versionsOf(first.manifest.identity)})`,
      );
  }
  const there = new Set(found.map(({ manifest }) => manifest.shard.index));
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !there.has(index));
  if (missing.length > 0) {
    const names = missing.slice(0, 20).map((index) => `${index}/${count}`);
    const whose = names.length === 1 ? "the part" : "the parts";
    throw problem(
      folders[0]!,
      `${whose} ${names.join(", ")}${missing.length > 20 ? ", …" : ""} ${names.length === 1 ? "is" : "are"} not there or not finished; run \`finitewidth run FILE --shard ${names[0]}\`${names.length === 1 ? "" : " and so on"}, or name the ${names.length === 1 ? "folder it is in" : "folders they are in"} too`,
    );
  }
  return found;
}

const problem = (folder: string, what: string): FinitewidthError =>
  new FinitewidthError(`${folder}: ${what}`, { code: "input", path: folder });

/** Versions in words. */
export const versionsOf = ({ versions }: Identity): string =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");

async function readManifest(folder: string): Promise<FoundShard | undefined> {
  const text = await readFile(join(folder, manifestName), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const manifest = JSON.parse(text) as ShardManifest;
    if (manifest.schemaVersion === 1 && manifest.complete) return { folder, manifest };
  } catch {
    // Told below.
  }
  throw problem(folder, `${manifestName} cannot be read; run this part again`);
}

/** What the shards have found, as `runPlan` gives it. @throws FinitewidthError (code "input") when a part is missing or damaged. */
export async function gatherParts(plan: Plan, shards: readonly FoundShard[]): Promise<readonly StepOutcome[]> {
  const finished = new Map<string, MethodOutcome>();
  const homes = shards.map(({ folder, manifest }) => ({ folder, belongs: membership(plan, manifest.shard) }));
  const load = (home: (typeof homes)[number], task: string, key: unknown): Promise<unknown> => {
    const again = (): never => {
      throw problem(home.folder, "a part is damaged; run this shard again");
    };
    return loadKept(join(home.folder, partsFolder), task, key, again);
  };
  for (const job of jobsOf(plan)) {
    const home = homes.find(({ belongs }) => belongs(job.problem))!;
    const kept = (await load(home, "outcome", jobKey(job))) as KeptOutcome | undefined;
    if (!kept) throw problem(home.folder, "a part is missing; run this shard again");
    finished.set(job.id, outcomeOf(kept));
  }
  return Promise.all(
    assemble(plan, finished).map(async ({ step, problems }) => ({
      step,
      problems: await Promise.all(
        problems.map(async (one) => {
          const home = homes.find(({ belongs }) => belongs(one.problem))!;
          const verdicts = (await load(home, "verdicts", problemKey(plan.steps.indexOf(step), one))) as KeptVerdicts | undefined;
          return verdicts ? { ...one, verdicts } : one;
        }),
      ),
    })),
  );
}
