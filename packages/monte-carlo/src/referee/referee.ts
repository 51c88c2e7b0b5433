import {
  generalizationStandardError,
  resolveArchitecture,
  rowRange,
  toStandardScaling,
  zeros,
  type FittedMethod,
  type GeneralizationError,
  type Json,
  type Matrix,
  type Problem,
  type Referee,
  type RefereeOptions,
  type RefereeReport,
  type RefereeTests,
  type Run,
  type Verdict,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { evidenceOfIslands, type AnnealingLadder, type IslandEvidence } from "@finitewidth/numerics";
import { burnIn, pilotParticles, planReferee, refereeGroups, type RefereeBudget } from "./budget.js";
import { likelihoodReferee } from "./likelihood-referee.js";
import { about, judgeEvidence, levels, mapMethods, notChecked, verdictsOf, type Methods } from "./verdicts.js";
import { infiniteWidthBaseline, type Baseline } from "./baseline.js";
import { hasControls } from "./controls.js";
import { judgeKernels, rootOf } from "./kernel-verdict.js";
import { priorDistance } from "./prior-distance.js";
import { joinGroups, runRefereeChains, type RefereeChunk, type RefereeGroup } from "./chains.js";
import {
  againstEffect,
  chainHealth,
  compareErrors,
  decide,
  effectRule,
  meanDistance,
  rounding,
  visibleErrors,
  worstStatus,
  type ChainHealth,
  type Rule,
} from "./judgement.js";

/** Test points that are compared at most, evenly spread. */
const mostTests = 500;
/**
 * A short run of the real network that judges theories: chains annealed from the prior, their conditional moments at the test inputs
 * compared with every theory's by a calibrated rule, the log evidence of the same annealing with its evidence, hidden kernels with its
 * kernels. All methods are judged on the same chains. Sequential: at most three looks, until nothing about outputs is doubtful. Numbers
 * depend on the seed and the options alone. Takes `seconds` at most. Source: docs/theories/referee.md.
 */
export async function referee(
  problem: Problem,
  methods: Methods,
  tests: RefereeTests | undefined,
  options: RefereeOptions,
  run: Run,
): Promise<RefereeReport> {
  const { draws = 14, looks = 3, chains = 32, tolerance = 0.05, seconds = 10 } = options;
  const unchecked = (why: string): RefereeReport => ({
    verdicts: mapMethods(methods, (method) => verdictsOf(method, tests?.targets !== undefined, () => notChecked(why))),
    referee: { checked: false, why },
  });
  if (problem.likelihood !== undefined) return likelihoodReferee(problem, methods, tests, options, run);
  if (!(problem.temperature > 0)) return unchecked("the referee samples the network's weights, which takes a temperature T > 0");
  const standard = toStandardScaling(problem, run.registry);
  const at = chosenTests(tests ?? { inputs: standard.inputs });
  const architecture = resolveArchitecture(run.registry, standard.network);
  const network = realise(architecture, standard.inputs, standard.targets.shape[1]);
  const [points, count] = [standard.inputs.shape[0], at.inputs.shape[0]];
  const wanted = { chains, draws, looks, seconds, controls: hasControls(architecture, points) };
  const tooLong = `a run of the real network would take more than the ${seconds} seconds allowed; raise "referee.seconds"`;
  if (planReferee(network, points, count, wanted) === undefined) return unchecked(tooLong);
  const baseline = infiniteWidthBaseline(standard, at.inputs, run.registry);
  const response = baseline?.response;
  const base: Base = { problem: standard, testInputs: at.inputs, seed: run.seed, ...(response ? { response } : {}) };
  const ladder = await pilot(base, run);
  const budget = planReferee(network, points, count, wanted, ladder);
  if (budget === undefined) return unchecked(tooLong);
  const distance = await priorDistance(standard, run);
  let groups: readonly RefereeGroup[] | undefined;
  let evidence: IslandEvidence | undefined;
  for (const [look, total] of budget.looks.entries()) {
    groups = await runGroups(base, budget, ladder, look, groups, total - (look === 0 ? 0 : budget.looks[look - 1]!), run);
    evidence ??= evidenceOfIslands(groups.map((group) => group.levels));
    const rule: Rule = { tolerance, alpha: budget.looks.length === 1 ? levels.one : levels.several, trust: 0.05 };
    const bench = { groups, evidence, rule, at, draws: total, baseline };
    const judged = judge(methods, bench);
    const decided = Object.values(judged.verdicts).every(
      ({ predictive, generalizationError }) => predictive?.status !== "doubtful" && generalizationError?.status !== "doubtful",
    );
    if (decided || look === budget.looks.length - 1) return { ...judged, referee: { ...judged.referee, ...distance } };
  }
  return unchecked("the referee was given no draws");
}

type Base = Pick<RefereeChunk, "problem" | "testInputs" | "seed" | "response">;

async function pilot(base: Base, run: Run): Promise<AnnealingLadder> {
  const chunk: RefereeChunk = { ...base, look: 0, group: 0, chains: 0, particles: pilotParticles, burnIn: 0, draws: 0 };
  for await (const { ladder } of run.map(runRefereeChains, [chunk])) return ladder;
  throw new Error("a run yields one result per chunk");
}

async function runGroups(
  base: Base,
  { chains, particles }: RefereeBudget,
  ladder: AnnealingLadder,
  look: number,
  before: readonly RefereeGroup[] | undefined,
  draws: number,
  run: Run,
): Promise<readonly RefereeGroup[]> {
  const chunks = Array.from({ length: refereeGroups }, (_, g): RefereeChunk => ({
    ...base,
    look,
    group: g + 1,
    chains: chains / refereeGroups,
    particles,
    ladder,
    ...(before ? { states: before[g]!.states } : {}),
    burnIn: before ? 0 : burnIn,
    draws,
  }));
  const found: RefereeGroup[] = [];
  for await (const group of run.map(runRefereeChains, chunks)) {
    const earlier = before?.[found.length];
    found.push(earlier ? joinGroups(earlier, group) : group);
  }
  return found;
}

/** An evenly spread subset of the test points, and how to take the same rows of anything else. */
function chosenTests({ inputs, targets }: RefereeTests): RefereeTests & { readonly rows: (m: Matrix) => Matrix } {
  const count = inputs.shape[0];
  const used = Math.min(count, mostTests);
  const rows = (m: Matrix): Matrix => {
    if (used === count) return m;
    const out = zeros(used, m.shape[1]);
    for (let i = 0; i < used; i++)
      out.data.set(rowRange(m, Math.floor((i * count) / used), Math.floor((i * count) / used) + 1).data, i * m.shape[1]);
    return out;
  };
  return { inputs: rows(inputs), ...(targets ? { targets: rows(targets) } : {}), rows };
}

interface Bench {
  readonly groups: readonly RefereeGroup[];
  readonly evidence: IslandEvidence;
  readonly rule: Rule;
  readonly at: ReturnType<typeof chosenTests>;
  readonly draws: number;
  readonly baseline: Baseline | undefined;
}

function judge(methods: Methods, bench: Bench): RefereeReport {
  const { groups, evidence, at, draws } = bench;
  const chains = groups.flatMap((group) => group.averages);
  const several = severalModes(methods);
  const health = chainHealth(
    groups.flatMap((group) => group.logLikelihoods),
    groups.flatMap((group) => group.stein),
    groups.reduce((sum, group) => sum + group.acceptance / groups.length, 0),
  );
  return {
    verdicts: mapMethods(methods, (method) =>
      verdictsOf(method, at.targets !== undefined, (quantity) => {
        if (several !== undefined) return notChecked(several);
        if (quantity === "logEvidence") return judgeEvidence(method, evidence, bench.baseline?.logEvidence);
        if (quantity === "orderParameter")
          return notChecked("an order parameter belongs to its theory; the network has no number to compare it with");
        if (!health.healthy) return notChecked(`the referee's own chains did not mix (${illness(health)}); sample longer with monte-carlo`);
        return quantity === "hiddenKernels"
          ? judgeKernels(
              method,
              groups.flatMap((group) => group.kernels),
              bench.baseline?.hidden,
              bench.rule,
              groups.flatMap((group) => group.averages.map(({ control }) => control?.kernel)),
            )
          : judgeOutputs(method, bench, quantity);
      }),
    ),
    referee: {
      checked: health.healthy && several === undefined,
      chains: chains.length,
      draws,
      gradients: groups.reduce((sum, group) => sum + group.gradients, 0),
      testPoints: at.inputs.shape[0],
      acceptance: health.acceptance,
      driftScore: health.driftScore,
      steinScore: health.steinScore,
      stuckChains: health.stuckChains,
      logEvidence: evidence.logEvidence,
      logEvidenceStandardError: evidence.standardError,
      logEvidenceObjections: evidence.objections,
      ...errorOfNetwork(bench),
    },
  };
}

/** Why chains cannot judge a posterior in several pieces: each starts in the prior and stays in the piece that it meets first. */
function severalModes(methods: Methods): string | undefined {
  const [label, method] = Object.entries(methods).find(([, { modes = 1 }]) => modes > 1) ?? [];
  return (
    method && `the posterior has ${method.modes} separate modes (${label}): chains of the real network seldom cross from one to another`
  );
}

const illness = ({ stuckChains, acceptance, driftScore, steinScore }: ChainHealth): string =>
  stuckChains > 0
    ? `${stuckChains} stuck`
    : `acceptance ${acceptance.toFixed(2)}, drift ${driftScore.toFixed(1)}, Stein residual ${steinScore.toFixed(1)} standard errors`;

/** The network's own generalisation error. */
function errorOfNetwork({ groups, at, rule, baseline }: Bench): { readonly [key: string]: Json } {
  if (!at.targets) return {};
  const nothing = new Float64Array(at.targets.data.length);
  const chains = groups.flatMap((group) => group.averages);
  const { total, bias, variance } = compareErrors(chains, at.targets.data, { mean: nothing, variance: nothing }, rule, baseline);
  return {
    generalizationError: { bias: bias.truth, variance: variance.truth, total: total.truth },
    generalizationErrorStandardError: { bias: bias.standardError, variance: variance.standardError, total: total.standardError },
  };
}

/**
 * With labels: total, bias and variance each within τ of the truth. Predictive: distance of the means within τ of the posterior variance,
 * and the variance within τ of itself. Neither may be seen to miss a fifth of what finite width changes (squared for distances).
 */
function judgeOutputs(
  { predictive }: FittedMethod,
  { groups, at, rule, baseline }: Bench,
  quantity: "predictive" | "generalizationError",
): Verdict {
  const chains = groups.flatMap((group) => group.averages);
  const [mean, variances] = [at.rows(predictive!.mean), at.rows(predictive!.variance)];
  const pointwise = predictive!.standardError && pairOf(predictive!.standardError, at.rows);
  const replicates = predictive!.replicates?.map((one) => pairOf(one, at.rows));
  /** Errors of its own of a sampled theory; where its mean is the target, the square of the noise is what counts. */
  const ownErrors = (targets: Matrix): GeneralizationError | undefined => {
    if (!pointwise) return undefined;
    const noise = pointwise.mean.data.reduce((sum, s) => sum + s * s, 0) / mean.data.length;
    const linear = generalizationStandardError({ mean, standardError: pointwise, ...(replicates ? { replicates } : {}) }, targets)!;
    return { ...linear, bias: Math.hypot(linear.bias, noise), total: Math.hypot(linear.total, noise) };
  };
  const theoryAt = (targets: Matrix) => {
    const own = ownErrors(targets);
    return { mean: mean.data, variance: variances.data, ...(own ? { own } : {}) };
  };
  if (quantity === "generalizationError") {
    const found = compareErrors(chains, at.targets!.data, theoryAt(at.targets!), rule, baseline);
    const parts = Object.entries(found);
    const { total } = found;
    const worst = parts.reduce((a, b) => (relative(b[1]) > relative(a[1]) ? b : a));
    return {
      status: worstStatus(parts.map(([, part]) => part.status)),
      error: Math.abs(total.theory - total.truth),
      standardError: total.standardError,
      how: `${chains.length} chains of the real network: ${about(total.truth)} ± ${about(total.standardError)}; furthest off is the ${worst[0]}, ${about(worst[1].theory)} against ${about(worst[1].truth)} ± ${about(worst[1].standardError)}`,
    };
  }
  const { variance } = compareErrors(chains, mean.data, theoryAt(mean), rule, baseline);
  const distance = meanDistance(chains, mean.data);
  const noise = pointwise?.mean.data.reduce((sum, s) => sum + s * s, 0) ?? 0;
  const standardError = Math.hypot(distance.standardError, noise / mean.data.length);
  // squared, as the distance is
  const scale = rounding * (mean.data.reduce((sum, m) => sum + m * m, 0) / mean.data.length);
  const allowed = rule.tolerance * variance.truth + rounding * scale;
  const effect = baseline && effectRule.part * Math.max(meanDistance(chains, baseline.mean).value, 0);
  const apart = againstEffect(
    decide(distance.value, standardError, allowed, chains.length, rule),
    distance.value,
    distance.standardError,
    effect,
    visibleErrors(chains.length, "distance"),
    scale,
  );
  const root = rootOf(distance.value, distance.standardError);
  return {
    status: worstStatus([apart, variance.status]),
    error: root.value,
    standardError: root.standardError,
    how: `${chains.length} chains of the real network: means differ by ${about(root.value)} (root mean square) where the posterior deviation is ${about(Math.sqrt(Math.max(variance.truth, 0)))}; variance ${about(variance.theory)} against ${about(variance.truth)} ± ${about(variance.standardError)}`,
  };
}

const pairOf = (pair: { readonly mean: Matrix; readonly variance: Matrix }, rows: (m: Matrix) => Matrix) => ({
  mean: rows(pair.mean),
  variance: rows(pair.variance),
});

const relative = ({ theory, truth, standardError }: { theory: number; truth: number; standardError: number }): number =>
  Math.abs(theory - truth) / (Math.abs(truth) + standardError);

/** The referee as a plug-in. */
export const networkReferee: Referee = {
  name: "network",
  summary: "A short run of the real network, a calibrated rule: confirmed, doubtful, contradicted.",
  judge: referee,
};
