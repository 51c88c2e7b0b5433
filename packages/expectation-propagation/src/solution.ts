import { resolveArchitecture, type Network, type Registry, type Run, type Task } from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import { solveSpecialised, solveSymmetric, type Branch, type BranchOptions, type Group, type Setting } from "./branch.js";
import { sampleTask, type SampleChunk } from "./samples.js";
import { summariseBranch, type BranchDraws, type BranchSummary, type WeightedBranch } from "./mixture.js";
import type { SampledGroup } from "./prediction.js";

/** A setting as plain data: the activation is that of the network. */
export interface SettingData extends Omit<Setting, "prior"> {
  readonly features: Setting["prior"]["features"];
  readonly network: Network;
}

/** The setting that plain data stand for. */
export const settingFrom = ({ features, network, ...rest }: SettingData, registry: Registry): Setting => ({
  ...rest,
  prior: { features, activation: denseChain(resolveArchitecture(registry, network))!.activation },
});

/** One branch to be solved. */
export interface BranchChunk {
  readonly setting: SettingData;
  readonly options: BranchOptions;
  readonly aligned: 0 | 1;
  /** See `solveSpecialised`. */
  readonly insist?: boolean;
}

/** Solves one branch; null where it does not exist. */
export const branchTask: Task<BranchChunk, Branch | null> = {
  module: import.meta.url,
  name: "branchTask",
  run: ({ setting, options, aligned, insist }, { registry, tick }) => {
    const here = settingFrom(setting, registry);
    return (aligned === 1 ? solveSpecialised(here, options, tick, insist) : solveSymmetric(here, options, tick)) ?? null;
  },
};

/** A branch with its probability, the draws that predictions average over, and what they say on the training rows. */
export interface SolvedBranch extends WeightedBranch {
  readonly branch: Branch;
  readonly summary: BranchSummary;
}

/** Odds of one aligned unit against none, three ways; undefined where there is no such estimate. */
export interface AlignmentOdds {
  /** N times the odds of a unit in the field of N − 1 others of which none is aligned. */
  readonly fromNone: number;
  /** The same where one unit is aligned, and the others adapted to it. */
  readonly fromOne?: number;
  /** exp of the difference of the log evidences. */
  readonly fromEvidence?: number;
}

export interface Solution {
  readonly branches: readonly SolvedBranch[];
  readonly odds: AlignmentOdds;
  /** Probabilities of no, one and two aligned units; the last is left out of the averages. */
  readonly probabilities: readonly [none: number, one: number, two: number];
  /** Units cross the wall freely: one branch without a wall describes them all. */
  readonly oneMeasure: boolean;
}

/** Particles of one chunk of the sampling. */
const chunkParticles = 125;
const snapshots = 8;
const thin = 5;
/** Residual beyond which a branch has not settled: there is no solution of its kind. */
export const unsettled = 0.2;
/** A branch less probable than this is left out. */
const negligible = 1e-3;

/**
 * Solves both branches, draws from their units' measures and weighs them. The odds of one aligned unit against none are the ratio of the
 * branches' evidences; where one of them is not defined, the geometric mean of the odds seen from either branch (the trapezoid rule). Where
 * units cross the wall and do not stay beyond, one branch without a wall. One `solveSymmetric` and, where a unit can align, one
 * `solveSpecialised`, as chunks of `run.map`; each once more in the cases named; then the draws.
 */
export async function solveStrongLabels(data: SettingData, options: BranchOptions, run: Run): Promise<Solution> {
  const { width } = data;
  const setting = settingFrom(data, run.registry);
  const chunks = ([0, 1] as const)
    .filter((aligned) => aligned === 0 || (options.wall < Infinity && width > 1))
    .map((aligned): BranchChunk => ({ setting: data, options, aligned }));
  const solved: Branch[] = [];
  for await (const branch of run.map(branchTask, chunks)) if (branch !== null) solved.push(branch);
  const none = solved[0]!;
  const fromNone = width * none.bulk.odds.odds;
  // units that align there although nothing was found beyond the wall: the aligned unit started in too weak a field
  if (chunks.length > solved.length && fromNone > negligible)
    for await (const branch of run.map(branchTask, [{ ...chunks[1]!, insist: true }])) if (branch !== null) solved.push(branch);
  const one = solved[1];
  const fromOne = one && width * one.block!.odds.odds;
  // units that cross from here and would not stay beyond: the wall cuts through one measure, and nothing stands apart
  if (chunks.length === 2 && fromNone > (one ? 1 : negligible) && !(fromOne! >= 1))
    for await (const branch of run.map(branchTask, [{ ...chunks[0]!, options: { ...options, wall: Infinity } }])) {
      const drawn = { bulk: await draw(data, branch!.bulk, { ...options, wall: Infinity }, 0, run) };
      const summary = summariseBranch(setting, drawn);
      const beyond = summary.bulkAlignments.reduce((sum, value) => sum + Number(value >= options.wall), 0) / summary.bulkAlignments.length;
      return {
        branches: [{ branch: branch!, ...drawn, summary, probability: 1 }],
        odds: { fromNone, ...(fromOne === undefined ? {} : { fromOne }) },
        probabilities: poisson(width * beyond),
        oneMeasure: true,
      };
    }
  // a branch that does not settle says nothing about the other
  const settled = (branch: Branch): boolean => branch.residual < unsettled;
  const local =
    fromOne === undefined || (settled(none) && !settled(one!) && fromNone < 1)
      ? 0
      : fromOne === Infinity || (settled(one!) && !settled(none))
        ? Infinity
        : Math.sqrt(fromNone * fromOne);
  const drawn: Omit<SolvedBranch, "probability">[] = [];
  for (const branch of solved) {
    if ((branch.aligned === 1 ? local : 1 / local) < negligible) continue;
    const bulk = await draw(data, branch.bulk, options, 2 * branch.aligned, run);
    const { block } = branch;
    const draws: BranchDraws = block ? { bulk, block: { ...(await draw(data, block, options, 3, run)), odds: block.odds } } : { bulk };
    drawn.push({ branch, ...draws, summary: summariseBranch(setting, draws) });
  }
  const [first, second] = drawn.map(({ summary }) => summary.logEvidence?.value);
  const fromEvidence = first === undefined || second === undefined ? undefined : Math.exp(second - first);
  const ratio = local === Infinity || local === 0 ? local : (fromEvidence ?? local);
  const pair = one ? 0.5 * (width - 1) * one.bulk.odds.odds : 0;
  // beyond all bounds: every unit would align, and no number of them dominates that is solved for here
  const bounded = Math.min(pair, 1e6);
  const weights = ratio === Infinity ? [0, 1, bounded] : [1, ratio, ratio * bounded];
  const total = weights.reduce((sum, value) => sum + value, 0);
  const kept = drawn.reduce((sum, { branch }) => sum + weights[branch.aligned]!, 0);
  return {
    branches: drawn.map((branch) => ({ ...branch, probability: weights[branch.branch.aligned]! / kept })),
    odds: { fromNone, ...(fromOne === undefined ? {} : { fromOne }), ...(fromEvidence === undefined ? {} : { fromEvidence }) },
    probabilities: [weights[0]! / total, weights[1]! / total, weights[2]! / total],
    oneMeasure: false,
  };
}

/** Probabilities of none, one and two where `mean` are expected. */
export const poisson = (mean: number): [number, number, number] => [
  Math.exp(-mean),
  mean * Math.exp(-mean),
  0.5 * mean ** 2 * Math.exp(-mean),
];

/** Draws of one group, in chunks that any number of workers may share. */
async function draw(setting: SettingData, group: Group, options: BranchOptions, index: number, run: Run): Promise<SampledGroup> {
  const d = setting.features.shape[1];
  const size = chunkParticles * d;
  const chunks: SampleChunk[] = [];
  for (let start = 0; start < group.units.length; start += size) {
    chunks.push({
      features: setting.features,
      network: setting.network,
      field: group.field,
      alpha: setting.weightVariance / setting.width,
      window: group.window,
      units: group.units.slice(start, start + size),
      angle: group.angle,
      snapshots,
      thin,
      seed: options.seed,
      index: 1000 * index + chunks.length,
    });
  }
  const units = new Float64Array(snapshots * group.units.length);
  let offset = 0;
  for await (const drawn of run.map(sampleTask, chunks)) {
    units.set(drawn, offset);
    offset += drawn.length;
  }
  return { field: group.field, units };
}
