import {
  isFullyConnected,
  refusal,
  resolveNetwork,
  toStandardScaling,
  widthsOf,
  type Claim,
  type Figure,
  type Matrix,
  type MixingLaw,
  type Posterior,
  type Prediction,
  type PriorProblem,
  type PriorResult,
  type Problem,
  type Registry,
  type Run,
  type Scenario,
  type Tensor,
  type Theory,
} from "@finitewidth/core";
import { defaultSampling } from "../sampling/sample.js";
import { exactOptions, type ExactOptions } from "./options.js";
import { fitMatrix, matrixLogDensity, predictFromMatrix } from "./matrix-theory.js";
import { hasHiddenBias, plainChain } from "./chain.js";
import { posteriorClaims, priorClaims } from "./claims.js";
import { priorMoments } from "./prior-moments.js";
import { checkValues, collectLogDensities, reportLogDensities, scalarLogDensities } from "./prior.js";
import { fitScalar, predictFromScalar } from "./scalar-theory.js";
import { spectrumOf, type Spectrum } from "../spectrum/spectrum.js";
import { fitSiteChain, predictSiteChain, siteChainPrior } from "../site-chain/index.js";

function mixingLaw(network: Problem["network"], registry: Registry): MixingLaw | undefined {
  const { priorModel, activation } = resolveNetwork(registry, network);
  return priorModel.mixing?.(network, activation);
}

/** Why the theory does not apply, or undefined. */
function reasonToRefuse(network: Problem["network"], registry: Registry): string | undefined {
  if (mixingLaw(network, registry) !== undefined) return undefined;
  if (network.activation !== "identity")
    return `activation must be "identity", got "${network.activation}": the law of the random kernel is known exactly for linear networks only; use "effective-action", "perturbative" or "monte-carlo"`;
  return `networks of type "${network.type}" have no exact mixing law; use "monte-carlo"`;
}

function requireLaw(network: Problem["network"], registry: Registry): MixingLaw {
  const reason = reasonToRefuse(network, registry);
  if (reason !== undefined) throw refusal("exact", reason);
  return mixingLaw(network, registry)!;
}

async function fit(given: Problem, options: ExactOptions, run: Run): Promise<Posterior> {
  run.signal?.throwIfAborted();
  return { ...inMixingUnits(await fitStandard(toStandardScaling(given), options, run), given), problem: given };
}

/**
 * With mean-field scaling the outputs carry a further 1/√N_L, which the standard form puts into the readout variance. The mixing variable
 * is reported without it (K/N and T/N in its place), so that it tends to the minimiser of the rate function.
 */
function inMixingUnits(posterior: Posterior, { scaling, network }: Problem): Posterior {
  if (scaling === "standard") return posterior;
  const width = widthsOf(network)!.at(-1)!;
  const scaled = (value: number | Tensor): number | Tensor =>
    typeof value === "number" ? width * value : { data: value.data.map((entry) => width * entry), shape: value.shape };
  const { orderParameter, standardError, figures } = posterior;
  return {
    ...posterior,
    ...(figures === undefined ? {} : { figures: figures.map((figure) => rescaledFigure(figure, width)) }),
    ...(orderParameter === undefined ? {} : { orderParameter: scaled(orderParameter) }),
    ...(standardError?.orderParameter === undefined
      ? {}
      : { standardError: { ...standardError, orderParameter: scaled(standardError.orderParameter) } }),
  };
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

async function fitStandard(problem: Problem, options: ExactOptions, run: Run): Promise<Posterior> {
  const law = requireLaw(problem.network, run.registry);
  const chain = plainChain(law.chain);
  if (chain !== undefined && problem.targets.shape[1] === 1 && !hasHiddenBias(chain)) {
    const posterior = fitScalar(problem, law, chain, isFullyConnected(problem.network), run);
    return { ...posterior, ...(await missingKernels(problem, law, posterior, options, run)) };
  }
  if (chain !== undefined) {
    const posterior = await fitMatrix(problem, law, chain, isFullyConnected(problem.network), { ...defaultSampling, ...options }, run);
    return { ...posterior, ...(await missingKernels(problem, law, posterior, options, run)) };
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
  posterior: Posterior,
  options: ExactOptions,
  run: Run,
): Promise<Pick<Posterior, "hiddenKernels" | "standardError" | "warnings">> {
  const { warnings } = posterior;
  if (posterior.hiddenKernels !== undefined) return { warnings };
  if (problem.targets.data.length > kernelLimit)
    return { warnings: [...warnings, `hidden kernels of a convolution are left out for more than ${kernelLimit} targets`] };
  const { hiddenKernels, standardError } = await fitSiteChain(problem, law, options, run);
  if (hiddenKernels === undefined) return { warnings };
  return {
    warnings,
    hiddenKernels,
    ...(standardError?.hiddenKernels === undefined
      ? {}
      : { standardError: { ...posterior.standardError, hiddenKernels: standardError.hiddenKernels } }),
  };
}

async function predict(posterior: Posterior, inputs: Matrix, want: { readonly covariance: boolean }, run: Run): Promise<Prediction> {
  const problem = toStandardScaling(posterior.problem);
  const law = requireLaw(problem.network, run.registry);
  if ("points" in posterior.arrays) return predictSiteChain(posterior, problem, law, inputs, want.covariance, run);
  if ("mixing" in posterior.arrays) return predictFromMatrix(posterior, problem, law, inputs, want.covariance, run);
  return predictFromScalar(posterior, problem, law, inputs, want.covariance, run);
}

async function prior(problem: PriorProblem, options: ExactOptions, run: Run): Promise<PriorResult> {
  const law = requireLaw(problem.network, run.registry);
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

async function* claims(scenario: Scenario, options: ExactOptions, run: Run): AsyncIterable<Claim> {
  if (reasonToRefuse(scenario.problem.network, run.registry) !== undefined) return;
  const { network, inputs, targets } = toStandardScaling(scenario.problem);
  yield* priorClaims(await prior({ network, inputs, outputs: targets.shape[1], evaluateAt: [], samples: 1 }, options, run));
  const posterior = await fit(scenario.problem, options, run);
  yield* posteriorClaims(posterior, await predict(posterior, scenario.testInputs, { covariance: false }, run));
}

/**
 * Exact finite-width theory of deep linear networks: f | Q ~ N(0, Q ⊗ K) with Q a product of Wishart matrices, any widths, depth, number of
 * outputs, biases, T ≥ 0. One output: deterministic quadrature over log q. Source: docs/theories/exact.md; F. Bassetti, M. Gherardi,
 * A. Ingrosso, M. Pastore, P. Rotondo, Feature learning in finite-width Bayesian deep linear networks (2024).
 */
export const exact: Theory<ExactOptions> = {
  name: "exact",
  summary: "Exact posterior of deep linear networks of any finite width.",
  options: exactOptions,
  refuses: (problem, _options, registry) => reasonToRefuse(problem.network, registry),
  fit,
  predict,
  prior,
  refusesPrior: (problem, _options, registry) => reasonToRefuse(problem.network, registry),
  claims,
};
