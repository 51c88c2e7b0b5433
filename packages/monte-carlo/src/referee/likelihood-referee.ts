import {
  likelihoodOf,
  resolveArchitecture,
  rowRange,
  toStandardScaling,
  type FittedMethod,
  type Problem,
  type RefereeOptions,
  type RefereeReport,
  type RefereeTests,
  type Run,
  type Verdict,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { runArchipelago } from "@finitewidth/likelihoods";
import { sampleNetworkIsland, type NetworkIslandChunk, type NetworkIslandResult } from "../likelihood/island.js";
import { isStepwise } from "../posterior/chain.js";
import { decide, uStatisticSquare, type Rule } from "./judgement.js";
import { infiniteWidthBaseline } from "./baseline.js";
import { judgeKernels } from "./kernel-verdict.js";
import { about, judgeEvidence, levels, mapMethods, notChecked, verdictsOf, type Methods } from "./verdicts.js";

/** First index of the streams of this referee. */
const refereeStreams = 9;
/** Particles of all islands, draws of each. */
const [particles, draws] = [256, 4];
/** Gradients of a particle: levels and draws of two trajectories and of one, six gradients each. */
const gradientsPerParticle = 200;
/** Share of the tolerance that class probabilities may be off, root mean square. */
const probabilityShare = 0.5;
const largestRHat = 1.1;
const [mostTests, mostKernelEntries] = [500, 10_000];

/**
 * Judges theories of a likelihood other than Gaussian noise by chains over all weights of the real network: class probabilities at the test
 * points within half the tolerance (root mean square), the log evidence of the same annealing, hidden kernels within the tolerance. Chains
 * are the independent units of every error. Numbers depend on the seed and the options alone. Source: docs/theories/referee.md.
 */
export async function likelihoodReferee(
  problem: Problem,
  methods: Methods,
  tests: RefereeTests | undefined,
  { tolerance = 0.05, seconds = 10 }: RefereeOptions,
  run: Run,
): Promise<RefereeReport> {
  const unchecked = (why: string): RefereeReport => ({
    verdicts: mapMethods(methods, (method) => verdictsOf(method, false, () => notChecked(why))),
    referee: { checked: false, why },
  });
  const standard = toStandardScaling(problem, run.registry);
  const architecture = resolveArchitecture(run.registry, standard.network);
  if (isStepwise(architecture)) return unchecked("the referee follows gradients, and those of a piecewise constant activation vanish");
  const likelihood = likelihoodOf(standard, run.registry)!;
  const [points, columns] = standard.targets.shape;
  const d = likelihood.latents(columns);
  const { parameters } = realise(architecture, rowRange(standard.inputs, 0, 1), d);
  if (particles * gradientsPerParticle * 6 * points * parameters > seconds * 1e10)
    return unchecked(`a run of the real network would take more than the ${seconds} seconds allowed; raise "referee.seconds"`);

  const found = await runArchipelago<NetworkIslandChunk, NetworkIslandResult>(
    sampleNetworkIsland,
    { problem: standard, seed: run.seed, stored: draws },
    { wanted: particles * draws, evidence: true, indices: [refereeStreams] },
    run,
  );
  const traced = Array.from({ length: Math.min(8, points * d) }, (_, i) => (g: number, k: number) => found.results[g]!.latents.data[k * points * d + i]!); // prettier-ignore
  const { rHat } = found.diagnose(traced);
  const rule: Rule = { tolerance, alpha: levels.one, trust: 0.05 };
  const inputs = rowRange((tests ?? standard).inputs, 0, Math.min(mostTests, (tests ?? standard).inputs.shape[0]));
  const probabilities =
    likelihood.probabilities && chainProbabilities(found.results, () => realise(architecture, inputs, d), likelihood.probabilities);
  const unlearned = infiniteWidthBaseline(standard, standard.inputs, run.registry)?.hidden;
  const kernels = points ** 2 <= mostKernelEntries ? chainKernels(found.results, found.draws) : undefined;
  const judgeProbabilities = ({ predictive }: FittedMethod): Verdict => {
    if (probabilities === undefined || predictive!.probabilities === undefined)
      return notChecked("only class probabilities are judged here");
    const theory = predictive!.probabilities.data;
    const distance = uStatisticSquare(probabilities.map((p) => p.map((value, i) => value - theory[i]!)));
    // what a sampled theory is off by chance adds to the square
    const own = predictive!.standardError?.probabilities;
    const noise = own ? own.data.reduce((sum, s) => sum + s * s, 0) / own.data.length : 0;
    const standardError = Math.hypot(distance.standardError, noise);
    const limit = probabilityShare * tolerance;
    const root = Math.sqrt(Math.max(distance.value, 0));
    return {
      status: decide(distance.value, standardError, limit ** 2, probabilities.length, rule),
      error: root,
      standardError: Math.min(standardError / (2 * root || Number.MIN_VALUE), Math.sqrt(standardError)),
      how: `${probabilities.length} chains of the real network: class probabilities differ by ${about(root)} (root mean square); ${about(limit)} is allowed`,
    };
  };
  return {
    verdicts: mapMethods(methods, (method) =>
      verdictsOf(method, false, (quantity) => {
        if (quantity === "logEvidence") return judgeEvidence(method, found.evidence!);
        if (quantity === "orderParameter")
          return notChecked("an order parameter belongs to its theory; the network has no number to compare it with");
        if (!(rHat < largestRHat))
          return notChecked(`the referee's own chains did not mix (R̂ = ${about(rHat)}); sample longer with monte-carlo`);
        if (quantity === "predictive") return judgeProbabilities(method);
        return kernels ? judgeKernels(method, kernels, unlearned, rule) : notChecked("hidden kernels of so many points are not judged");
      }),
    ),
    referee: {
      checked: rHat < largestRHat,
      chains: particles,
      draws,
      gradients: found.gradients,
      testPoints: inputs.shape[0],
      acceptance: found.acceptance,
      rHat: Math.min(rHat, Number.MAX_VALUE),
      logEvidence: found.evidence!.logEvidence,
      logEvidenceStandardError: found.evidence!.standardError,
      logEvidenceObjections: found.evidence!.objections,
    },
  };
}

/** Class probabilities at the test points, averaged over the draws of every chain. */
function chainProbabilities(
  results: readonly NetworkIslandResult[],
  realised: () => ReturnType<typeof realise>,
  probabilitiesOf: NonNullable<ReturnType<typeof likelihoodOf>>["probabilities"] & {},
): Float64Array[] {
  const network = realised();
  return results.flatMap(({ theta }) => {
    const [count, size] = theta.shape;
    return Array.from({ length: count / draws }, (_, k) => {
      let sum: Float64Array | undefined;
      for (let i = k * draws; i < (k + 1) * draws; i++) {
        const { data } = probabilitiesOf(network.forward(theta.data.subarray(i * size, (i + 1) * size)).outputs);
        sum ??= new Float64Array(data.length);
        for (let j = 0; j < data.length; j++) sum[j]! += data[j]! / draws;
      }
      return sum!;
    });
  });
}

/** Hidden kernels averaged over the draws of every chain, layer by layer. */
function chainKernels(results: readonly NetworkIslandResult[], count: number): Float64Array[][] {
  return results.flatMap(({ hiddenKernels }) => {
    const chains = hiddenKernels[0]?.shape[0] ?? 0;
    return Array.from({ length: chains }, (_, k) =>
      hiddenKernels.map(({ data, shape }) => data.slice(k * shape[1], (k + 1) * shape[1]).map((value) => value / count)),
    );
  });
}
