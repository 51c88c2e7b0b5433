import type { Problem, Run } from "@finitewidth/core";
import type { AnnealingLadder, IslandEvidence } from "@finitewidth/numerics";
import { annealIsland, type IslandChunk, type IslandResult } from "./island.js";

/** One set of islands with its settings. */
export interface EvidenceRun {
  readonly islands: readonly IslandResult[];
  readonly found: IslandEvidence;
  readonly ladder: AnnealingLadder;
  readonly particles: number;
  readonly moves: number;
  readonly attempt: number;
}

/** How islands are run. */
type IslandSettings = Pick<IslandChunk, "particles" | "moves" | "draws" | "narrower"> & {
  readonly ladder: AnnealingLadder;
  readonly count: number;
};

/** Runs islands in parallel, each a chunk; their numbers do not depend on who runs them. */
export async function runIslands(
  problem: Problem,
  { particles, moves, ladder, draws, narrower, count }: IslandSettings,
  indices: readonly number[],
  run: Run,
): Promise<readonly IslandResult[]> {
  const chunks = Array.from({ length: count }, (_, g): IslandChunk => ({
    problem,
    seed: run.seed,
    indices: [...indices, g + 1],
    particles,
    moves,
    ladder,
    draws,
    ...(narrower ? { narrower } : {}),
  }));
  const islands: IslandResult[] = [];
  for await (const result of run.map(annealIsland, chunks)) islands.push(result);
  return islands;
}
