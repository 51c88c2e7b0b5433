import { resolveArchitecture, toStandardScaling, type EvidenceGradient, type Json, type Problem, type Run } from "@finitewidth/core";
import { evidenceOfIslands, type AnnealingLadder } from "@finitewidth/numerics";
import { reducedInputs } from "../prior/reduced-inputs.js";
import { gradientDraws, sampledGradient } from "./evidence-gradient.js";
import { annealIsland, type IslandChunk } from "./island.js";
import { runIslands, type EvidenceRun } from "./island-runs.js";

/** Settings of the sampled evidence. */
export interface EvidenceOptions {
  /** Independent annealed runs. @defaultValue 8 */
  readonly islands?: number;
  /** Particles of an island. @defaultValue 32 */
  readonly particles?: number;
  /** Trajectories of a particle at every level. @defaultValue 2 */
  readonly moves?: number;
  /** Runs that may be tried, each with twice the particles of the one before, the last with twice the trajectories. @defaultValue 3 */
  readonly attempts?: number;
  /** Gradient of the log evidence too. @defaultValue false */
  readonly gradients?: boolean;
}

/** log Z of a real network of finite width by sampling, and whether it can be believed. */
export interface SampledEvidence {
  readonly logEvidence: number;
  /** With 7 degrees of freedom: 95 % intervals are ± 2.36 of it. */
  readonly standardError: number;
  readonly gradient?: EvidenceGradient;
  readonly converged: boolean;
  readonly diagnostics: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
}

/**
 * log p(Y) of the network with its readout integrated out, any activation and architecture, T > 0: a pilot finds the ladder of exponents,
 * independent islands anneal along it, Bennett's ratio joins neighbouring levels; the error is a jackknife over islands. A run with
 * objections is repeated with more particles and then more moves; the last one stands with its objections as warnings.
 * Cost: islands × particles × levels × moves × (π/2)/step gradients, a pilot of a quarter of that. Source: docs/theories/evidence.md.
 */
export async function logEvidence(problem: Problem, options: EvidenceOptions, run: Run): Promise<SampledEvidence> {
  const { islands: count = 8, attempts = 3, gradients = false } = options;
  let { particles = 32, moves = 2 } = options;
  const standard = toStandardScaling(problem, run.registry);
  const reduced: Problem = { ...standard, inputs: reducedInputs(resolveArchitecture(run.registry, standard.network), standard.inputs) };
  const history: { readonly particles: number; readonly moves: number; readonly objections: readonly string[] }[] = [];
  let evaluations = 0;
  let evidence: EvidenceRun;
  for (let attempt = 0; ; attempt++) {
    const pilot: IslandChunk = { problem: reduced, seed: run.seed, indices: [attempt, 0, 0], particles: 2 * particles, moves, draws: 0 };
    let ladder: AnnealingLadder | undefined;
    for await (const result of run.map(annealIsland, [pilot])) {
      ladder = result.ladder;
      evaluations += result.gradients;
    }
    const settings = { particles, moves, ladder: ladder!, draws: gradients ? gradientDraws : 0, count };
    const islands = await runIslands(reduced, settings, [attempt, 0], run);
    evaluations += islands.reduce((sum, island) => sum + island.gradients, 0);
    const found = evidenceOfIslands(islands.map(({ levels }) => levels));
    history.push({ particles, moves, objections: found.objections });
    evidence = { islands, found, ladder: ladder!, particles, moves, attempt };
    if (found.objections.length === 0 || attempt + 1 >= attempts) break;
    if (attempt % 2 === 0) particles *= 2;
    else moves *= 2;
  }
  const { found, ladder } = evidence;
  const gradient = gradients ? await sampledGradient(reduced, evidence, problem.scaling, run) : undefined;
  const converged = found.objections.length === 0;
  return {
    logEvidence: found.logEvidence,
    standardError: found.standardError,
    ...(gradient ? { gradient } : {}),
    converged,
    diagnostics: {
      converged,
      objections: found.objections,
      attempts: history,
      islands: count,
      levels: ladder.exponents,
      stepSizes: ladder.stepSizes,
      acceptance: found.acceptance,
      forward: found.estimates.forward,
      backward: found.estimates.backward,
      thermodynamic: found.estimates.thermodynamic,
      standardErrors: found.standardErrors,
      islandSpread: found.islandSpread,
      effectiveIslands: found.effectiveIslands,
      gapPerLevel: found.gapPerLevel,
      steinScores: found.steinScores,
      gradients: evaluations,
    },
    warnings: converged ? [] : [`the sampled log evidence is not to be trusted: ${found.objections.join("; ")}`],
  };
}
