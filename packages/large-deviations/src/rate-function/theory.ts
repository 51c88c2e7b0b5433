import {
  isLinear,
  refusal,
  resolveArchitecture,
  type MixingLaw,
  type Posterior,
  type Problem,
  type Registry,
  type Run,
  type Theory,
  type WishartLayer,
} from "@finitewidth/core";
import { conditionOnIndependentPoints, convolutionChain, denseChain, mixingLaw, siteBlocks } from "@finitewidth/kernels";
import { requireMemory } from "@finitewidth/linalg";
import { hasUpperBiases } from "@finitewidth/numerics";
import { claimsOf } from "./claims.js";
import { firstHiddenKernelOverSites, hiddenKernelsAtMinimum } from "./hidden-kernels.js";
import { solveKronecker } from "./kronecker-solution.js";
import { largeDeviationOptions, type LargeDeviationOptions } from "./options.js";
import { predictAt, referenceWidthOf, siteSource } from "./predict.js";
import { figuresOf, minimaReport, orderParameter, warningsOf } from "./report.js";
import { solveSites } from "./site-solution.js";
import type { LargeDeviationState } from "./state.js";

const name = "large-deviation";

function refuses({ network }: Problem, registry: Registry): string | undefined {
  const architecture = resolveArchitecture(registry, network);
  const law = mixingLaw(architecture);
  if (law !== undefined && hasSkips(law) && !isKronecker(law))
    return 'with skips the rate function is known for one site and no biases above the first layer; use "exact", "perturbative" or "monte-carlo"';
  if (law !== undefined) return undefined;
  if (isLinear(architecture.layers))
    return 'no rate function is known for this composition of linear layers; use "nngp", "perturbative" or "monte-carlo"';
  const activation = (denseChain(architecture) ?? convolutionChain(architecture))?.activation;
  const having = activation === undefined ? "" : `, and this one has activation "${activation.name}"`;
  const others = denseChain(architecture)
    ? '"effective-action" or "forward-backward"'
    : siteBlocks(architecture)
      ? '"effective-action" or "monte-carlo"'
      : '"nngp", "perturbative" or "monte-carlo"';
  return `the rate function is known for linear networks only${having}; use ${others}`;
}

function lawOf(problem: Problem, registry: Registry): MixingLaw {
  const reason = refuses(problem, registry);
  if (reason !== undefined) throw refusal(name, reason);
  return mixingLaw(resolveArchitecture(registry, problem.network))!;
}

/** Mean square of the taps of a layer of one site. */
const gainOf = ({ taps }: WishartLayer): number =>
  taps.length === 0 ? 1 : taps.reduce((sum, tap) => sum + tap.data[0]! ** 2, 0) / taps.length;

/** One site, taps of length 1, no biases above the first layer: everything is a function of the eigenvalues of Q and K. */
const isKronecker = ({ chain }: MixingLaw): boolean =>
  chain.layers.every((layer) => layer.sites === 1 && Math.abs(gainOf(layer) - 1) < 1e-12) && !hasUpperBiases(chain);

const hasSkips = ({ chain }: MixingLaw): boolean => chain.layers.some(({ skip }) => skip !== undefined);

async function fit(
  problem: Problem,
  options: LargeDeviationOptions,
  run: Run,
): Promise<Posterior<LargeDeviationOptions, LargeDeviationState>> {
  const law = lawOf(problem, run.registry);
  // kernels of one site are those of the layers only where no layer has more
  const single = denseChain(resolveArchitecture(run.registry, problem.network)) !== undefined;
  const { chain } = law;
  const outputs = problem.targets.shape[1];
  const N = referenceWidthOf(law);
  // measured for one layer (docs/benchmarks.md); over sites the covariance of all outputs takes the place of the kernel
  const outer = isKronecker(law) ? 1 : outputs ** 2;
  requireMemory({ method: name, points: problem.inputs.shape[0], arrays: outer * (14 + 2 * chain.layers.length), together: 3.2 * outer });
  run.signal?.throwIfAborted();
  const kernel = isKronecker(law) ? law.siteKernels(problem.inputs)[0]! : undefined;
  const kronecker = kernel === undefined ? undefined : solveKronecker(problem, chain, kernel, N);
  const solution = kronecker?.solution ?? solveSites(problem, chain, siteSource(law, problem.inputs), N);
  run.signal?.throwIfAborted();
  const { mixing, spread } = solution;
  const state: LargeDeviationState = kronecker
    ? { kind: "kronecker", mixing, spread, spectrum: kronecker.data }
    : { kind: "sites", mixing, spread };
  const hiddenKernels = hasSkips(law)
    ? undefined
    : kronecker && single
      ? hiddenKernelsAtMinimum(chain, mixing, kernel!, kronecker.data, problem.scaling, N)
      : chain.layers.length === 1
        ? firstHiddenKernelOverSites(problem, law, mixing, N)
        : undefined;
  return {
    theory: name,
    problem,
    options,
    state,
    solver: solution.solver,
    ...(solution.logEvidence === undefined ? {} : { logEvidence: solution.logEvidence }),
    train: predictAt(state, problem, law, problem.inputs, false),
    orderParameter: orderParameter(law, mixing[0]!),
    ...(hiddenKernels === undefined ? {} : { hiddenKernels }),
    diagnostics: { action: solution.action, referenceWidth: N, minima: minimaReport(law, solution, outputs), ...solution.diagnostics },
    warnings: warningsOf(law, solution, outputs, N),
    figures: figuresOf(problem, law, solution, kronecker?.data),
  };
}

/**
 * Large deviations of deep linear networks, fully connected or convolutional: the mixing matrix sits at the minimiser of its rate function
 * plus the data term. Standard scaling: proportional limit, log det included; mean-field scaling: minimiser without log det, predictions
 * with their 1/N fluctuations. Source: docs/theories/large-deviation.md; Bassetti, Gherardi, Ingrosso, Pastore, Rotondo (2024), section 5.
 */
export const largeDeviation: Theory<LargeDeviationOptions, LargeDeviationState> = conditionOnIndependentPoints({
  name,
  summary: "Minimiser of the rate function of deep linear networks (large widths; mean-field scaling or P/N fixed).",
  options: largeDeviationOptions,
  refuses: (problem, _options, registry) => refuses(problem, registry),
  fit,
  predict: async ({ state, problem }, inputs, want, run) =>
    predictAt(state, problem, lawOf(problem, run.registry), inputs, want.covariance),
  claims: claimsOf,
});
