import { inputError } from "@finitewidth/core";
import type { Job, MethodOutcome, Plan, PlannedProblem, ProblemOutcome, Verdicts } from "@finitewidth/experiment";
import { recordError, restoreError, type ErrorRecord } from "@finitewidth/workers";
import type { Identity } from "./checkpoints.js";

/** The `index`-th of `count` parts, from 1 on. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** `shard.json`: what the parts in a folder are of. */
export interface ShardManifest {
  readonly schemaVersion: 1;
  readonly shard: Shard;
  readonly complete: boolean;
  readonly identity: Identity;
  /** The experiment as read, with what the command line changed in it, its file, and the folder that paths in it start from. */
  readonly experiment: unknown;
  readonly source: string;
  readonly folder: string;
}

const mostShards = 100_000;

/** Reads `i/n`. @throws FinitewidthError (code "input"). */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || count === undefined || index < 1 || index > count || count > mostShards)
    throw inputError("--shard", `I/N with 1 ≤ I ≤ N ≤ ${mostShards}, such as 1/8`, text);
  return { index, count };
}

/** Folder of a shard below that of the whole. */
export const shardFolder = ({ index, count }: Shard): string => `shard-${index}-of-${count}`;

/** Folder of finished parts within that of a shard. */
export const partsFolder = ".parts";

/** Whether a network of a step belongs to a shard. Dealt out one by one: all methods of a network in one place, for the referee. */
export function membership(plan: Plan, { index, count }: Shard): (problem: PlannedProblem) => boolean {
  const place = new Map(plan.steps.flatMap(({ problems }) => problems).map((problem, i) => [problem, i]));
  return (problem) => place.get(problem)! % count === index - 1;
}

/** What is kept of a method: errors as plain data. */
export type KeptOutcome = Exclude<MethodOutcome, { status: "failed" }> | (Omit<MethodOutcome, "error"> & { readonly error: ErrorRecord });

export const keptOutcome = (outcome: MethodOutcome): KeptOutcome =>
  outcome.status === "failed" ? { ...outcome, error: recordError(outcome.error) } : outcome;

export const outcomeOf = (kept: KeptOutcome): MethodOutcome =>
  "error" in kept ? ({ ...kept, error: restoreError(kept.error) } as MethodOutcome) : kept;

/** Keys of what is kept: of a method, and of the referee's word on a network. */
export const jobKey = (job: Job): readonly unknown[] => [job.id, job.method.label, job.problem.label ?? null];
export const problemKey = (stepIndex: number, { problem }: ProblemOutcome): readonly unknown[] => [stepIndex, problem.label ?? null];
export type KeptVerdicts = Verdicts | null;
