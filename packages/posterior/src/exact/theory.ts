import {
  amended,
  hiddenWidths,
  isLinear,
  randomLayers,
  readoutOf,
  refusal,
  resolveArchitecture,
  rowRange,
  toStandardScaling,
  type Architecture,
  type Claim,
  type Figure,
  type FittedScenario,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type PriorProblem,
  type PriorResult,
  type Problem,
  type Registry,
  type Run,
  type Tensor,
  type Theory,
} from "@finitewidth/core";
import { diagonalOf } from "@finitewidth/linalg";
import { conditionOnIndependentPoints, denseChain, infiniteWidthKernels, mixingLaw } from "@finitewidth/kernels";
import { defaultSampling } from "../sampling/sample.js";
import { exactGradient } from "./evidence-gradient.js";
import { exactOptions, type ExactOptions } from "./options.js";
import { fitMatrix, matrixLogDensity, predictFromMatrix } from "./matrix-theory.js";
import { hasHiddenBias, lacksHiddenKernels, plainChain, type PlainChain } from "./chain.js";
import { posteriorClaims, priorClaims } from "./claims.js";
import { likelihoodClaims } from "./likelihood-claims.js";
import { fitLikelihood, predictLikelihood, refusesLikelihood } from "./latent-theory.js";
import { priorMoments } from "./prior-moments.js";
import { checkValues, collectLogDensities, reportLogDensities, scalarLogDensities } from "./prior.js";
import { fitScalar, predictFromScalar } from "./scalar-theory.js";
import { hiddenKernelLimit } from "../input-space/eigen-problem.js";
import { spectrumOf, type Spectrum } from "@finitewidth/numerics";
import { deeperKernelsLeftOut, fitSiteChain, lacksDeeperKernels, predictSiteChain, siteChainPrior } from "../site-chain/index.js";
import type { ExactState } from "./state.js";

type ExactPosterior = Posterior<ExactOptions, ExactState>;

/** Whether a sum has a branch with several layers of weights: given the units above, they are no longer Gaussian. */
const hasDeepBranch = (layers: Architecture["layers"]): boolean =>
  layers.some(
    (layer) => layer.kind === "merge" && layer.branches.some((branch) => randomLayers(branch).length > 1 || hasDeepBranch(branch)),
  );

/** Why the theory does not apply, or undefined. */
function reasonToRefuse(architecture: Architecture): string | undefined {
  if (mixingLaw(architecture) !== undefined) return undefined;
  if (isLinear(architecture.layers) && hasDeepBranch(architecture.layers))
    return 'branches that are added up may have one layer of weights each, and this network has one with several; use "monte-carlo"';
  return isLinear(architecture.layers)
    ? 'no exact law is known for this composition of linear layers; use "monte-carlo"'
    : 'the network must be linear (activation "identity", no normalisation): the law of the random kernel is known exactly for linear networks only; use "effective-action", "perturbative" or "monte-carlo"';
}

function requireLaw(architecture: Architecture): MixingLaw {
  const reason = reasonToRefuse(architecture);
  if (reason !== undefined) throw refusal("exact", reason);
  return mixingLaw(architecture)!;
}

async function fit(given: Problem, options: ExactOptions, run: Run): Promise<ExactPosterior> {
  run.signal?.throwIfAborted();
  const { registry } = run;
  return amended(inMixingUnits(await fitStandard(toStandardScaling(given, registry), options, run), given, registry), { problem: given });
}

/**
 * With mean-field scaling the outputs carry a further 1/√N_L, which the standard form puts into the readout variance. The mixing variable
 * is reported without it (K/N and T/N in its place), so that it tends to the minimiser of the rate function.
 */
function inMixingUnits(posterior: ExactPosterior, { scaling, network }: Problem, registry: Registry): ExactPosterior {
  if (scaling === "standard") return posterior;
  const width = hiddenWidths(resolveArchitecture(registry, network)).at(-1)!;
  const scaled = (value: number | Tensor): number | Tensor =>
    typeof value === "number" ? width * value : { data: value.data.map((entry) => width * entry), shape: value.shape };
  const { orderParameter, standardError, figures } = posterior;
  return amended(posterior, {
    ...(figures === undefined ? {} : { figures: figures.map((figure) => rescaledFigure(figure, width)) }),
    ...(orderParameter === undefined ? {} : { orderParameter: scaled(orderParameter) }),
    ...(standardError?.orderParameter === undefined
      ? {}
      : { standardError: amended(standardError, { orderParameter: scaled(standardError.orderParameter) }) }),
  });
}

/** A density over eigenvalues of the mixing matrix, or a map of its entries, in units `scale` times smaller. */
function rescaledFigure(figure: Figure, scale: number): Figure {
  if (figure.kind === "heatmaps")
    return {
      ...figure,
      panels: figure.panels.map((panel) => ({
        ...panel,
        values: { data: panel.values.data.map((value) => scale * value), shape: panel.values.shape },
      })),
    };
  if (figure.kind !== "density") return figure;
  return {
    ...figure,
    series: figure.series.map((series) => ({ ...series, x: series.x.map((x) => scale * x) })),
    ...(figure.marks === undefined ? {} : { marks: figure.marks.map((mark) => ({ ...mark, x: scale * mark.x })) }),
  };
}

/**
 * Whether the layers of the chain are those that layers of weights read, on one site each, and their units those of the network: then its
 * hidden kernels are all there are. A weight with which one site is read is in the chain's kernel, not in the units, as their variances
 * before the data tell.
 */
function chainHasAllKernels(architecture: Architecture, law: MixingLaw, chain: PlainChain, inputs: Matrix): boolean {
  const random = randomLayers(architecture.layers);
  if (random.length !== chain.widths.length + 1) return false;
  if (!random.every(({ maps }) => maps.every((map) => map.inputSites * map.outputSites === 1))) return false;
  // the first may be 0
  const points = rowRange(inputs, 0, Math.min(inputs.shape[0], 8));
  let variances = diagonalOf(law.siteKernels(points)[0]!);
  return infiniteWidthKernels(architecture, points).hidden.every((kernel, l) => {
    const scale = l > 0 ? chain.variances[l - 1]! + (chain.skips?.[l - 1] ?? 0) ** 2 : 1;
    variances = variances.map((value) => scale * value + chain.hiddenBias[l]!);
    return diagonalOf(kernel).every((value, i) => Math.abs(value - variances[i]!) <= 1e-9 * value);
  });
}

async function fitStandard(problem: Problem, options: ExactOptions, run: Run): Promise<ExactPosterior> {
  const architecture = resolveArchitecture(run.registry, problem.network);
  const law = requireLaw(architecture);
  const chain = plainChain(law.chain);
  const single = chain !== undefined && chainHasAllKernels(architecture, law, chain, problem.inputs);
  if (problem.likelihood !== undefined) return fitLikelihood(problem, law, single, options, run);
  if (chain !== undefined && problem.targets.shape[1] === 1 && !hasHiddenBias(chain)) {
    const posterior = fitScalar(problem, law, chain, single, options, run);
    return single ? posterior : amended(posterior, await missingKernels(problem, law, posterior, options, run));
  }
  if (chain !== undefined) {
    const posterior = await fitMatrix(problem, law, chain, single, options, run);
    return lacksHiddenKernels(chain) ? posterior : amended(posterior, await missingKernels(problem, law, posterior, options, run));
  }
  return fitSiteChain(problem, law, options, run);
}

/**
 * Points times outputs up to which the learned kernels of a network whose mixing matrix has one site, but whose layers have more, are
 * found.
 */
const kernelLimit = 300;

/** A convolution that reduces to one site: its hidden kernels over all sites are those of the chain over sites. */
async function missingKernels(
  problem: Problem,
  law: MixingLaw,
  posterior: ExactPosterior,
  options: ExactOptions,
  run: Run,
): Promise<Partial<Pick<Posterior, "hiddenKernels" | "standardError" | "warnings">>> {
  if ("hiddenKernels" in posterior || problem.inputs.shape[0] > hiddenKernelLimit) return {};
  const { warnings } = posterior;
  if (problem.targets.data.length > kernelLimit)
    return { warnings: [...warnings, `hidden kernels of a convolution are left out for more than ${kernelLimit} targets`] };
  const { hiddenKernels, standardError } = await fitSiteChain(problem, law, options, run);
  if (hiddenKernels === undefined) return {};
  return {
    hiddenKernels,
    ...(lacksDeeperKernels(law) ? { warnings: [...warnings, deeperKernelsLeftOut] } : {}),
    ...(standardError?.hiddenKernels === undefined
      ? {}
      : { standardError: { ...posterior.standardError, hiddenKernels: standardError.hiddenKernels } }),
  };
}

async function predict(posterior: ExactPosterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Promise<Prediction> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const law = requireLaw(resolveArchitecture(run.registry, problem.network));
  const { state } = posterior;
  if (state.kind === "latent") return predictLikelihood(state, problem, law, inputs, run);
  if (state.kind === "sites") return predictSiteChain(state, problem, law, inputs, want.covariance, run);
  if (state.kind === "matrix") return predictFromMatrix(state, problem, law, inputs, want.covariance, run);
  return predictFromScalar(state, problem, law, inputs, want.covariance, run);
}

async function prior(problem: PriorProblem, options: ExactOptions, run: Run): Promise<PriorResult> {
  const law = requireLaw(resolveArchitecture(run.registry, problem.network));
  const chain = plainChain(law.chain);
  if (chain === undefined) return siteChainPrior(problem, law, options, run);
  const kernel = law.siteKernels(problem.inputs)[0]!;
  const moments = priorMoments(law.chain, kernel);
  const narrowest = Math.min(...chain.widths);
  if (narrowest < problem.outputs && problem.evaluateAt.length > 0) {
    return {
      ...moments,
      warnings: [
        `log densities are left out: a width of ${narrowest} confines the ${problem.outputs} outputs to a subspace, where they have no density`,
      ],
    };
  }
  if (problem.outputs === 1 && !hasHiddenBias(chain)) {
    checkValues(problem);
    return { ...moments, ...reportLogDensities(scalarLogDensities(chain, kernel, problem.evaluateAt, (i) => `evaluateAt[${i}]`)) };
  }
  let spectrum: Spectrum | undefined;
  const density = (value: Matrix, path: string) =>
    matrixLogDensity(chain, (spectrum ??= spectrumOf(kernel)), value, path, { ...defaultSampling, ...options }, run);
  return { ...moments, ...(await collectLogDensities(problem, density)) };
}

function* claims(
  { scenario, posterior, predictive, prior: answer }: FittedScenario<ExactOptions, ExactState>,
  registry: Registry,
): Iterable<Claim> {
  if (answer !== undefined) yield* priorClaims(answer);
  if (posterior.state.kind === "latent") {
    yield* likelihoodClaims(posterior, predictive);
    return;
  }
  const architecture = resolveArchitecture(registry, posterior.problem.network);
  const shallow = denseChain(architecture) !== undefined && hiddenWidths(architecture).length === 1;
  yield* posteriorClaims(posterior, predictive, shallow ? readoutOf(architecture).weightVariance : undefined, scenario.testTargets);
}

/**
 * Exact finite-width theory of deep linear networks: f | Q ~ N(0, Q ⊗ K) with Q a product of Wishart matrices, any widths, depth, number of
 * outputs, biases, T ≥ 0. One output: deterministic quadrature over log q. Source: docs/theories/exact.md; F. Bassetti, M. Gherardi,
 * A. Ingrosso, M. Pastore, P. Rotondo, Feature learning in finite-width Bayesian deep linear networks (2024).
 */
export const exact: Theory<ExactOptions, ExactState> = conditionOnIndependentPoints({
  name: "exact",
  summary: "Exact posterior of deep linear networks of any finite width.",
  options: exactOptions,
  anyLikelihood: true,
  refuses: (problem, _options, registry) => {
    const architecture = resolveArchitecture(registry, problem.network);
    return reasonToRefuse(architecture) ?? (problem.likelihood && refusesLikelihood(mixingLaw(architecture)!));
  },
  fit,
  predict,
  evidenceGradient: (posterior, run) => exactGradient(exact, posterior, run),
  prior,
  refusesPrior: (problem, _options, registry) => reasonToRefuse(resolveArchitecture(registry, problem.network)),
  claims,
});
