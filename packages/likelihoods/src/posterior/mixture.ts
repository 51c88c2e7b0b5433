import { zeros, type Likelihood, type Matrix, type Observation, type Run } from "@finitewidth/core";
import { affine } from "@finitewidth/linalg";
import { logDensityLogGammaProduct } from "@finitewidth/numerics";
import { importanceEvidence, kernelRoot, leastImportanceFraction } from "../inference/importance.js";
import { laplaceScalar } from "../inference/laplace-scalar.js";
import {
  correctMixture,
  expectationPropagationMixture,
  mixingVariable,
  quantileNodes,
  scaleMixture,
  type GammaProduct,
  type ScaleMixture,
} from "../inference/mixture.js";
import { meanOuterOverScale } from "../inference/mixture-predict.js";
import type { SiteApproximation } from "../inference/sites.js";
import { importanceStreams, laplaceWarning, looseWarning, type LatentFit } from "./result.js";
import type { LatentProblem } from "./problem.js";
import type { MixtureState } from "./state.js";

const importanceDraws = 2000;
const negligible = 1e-14;

/** q K + b: the covariance of one output at one value of the mixing variable. */
export const kernelAtScale = (kernel: Matrix, readoutBias: number, q: number): Matrix => affine(q, kernel, readoutBias);

/** E[Π_{k<l} q_k | u]: Π s_k · p(u; shapes a_k + 1 for k < l)/p(u). */
function partialProduct(law: GammaProduct, variances: readonly number[], layer: number, u: number, logPrior: number): number {
  if (layer === 0) return 1;
  const shifted = law.shapes.map((a, k) => (k < layer ? a + 1 : a));
  return (
    variances.slice(0, layer).reduce((product, s) => product * s, 1) * Math.exp(logDensityLogGammaProduct(u, shifted, law.rates) - logPrior)
  );
}

/**
 * E[Ĝˡ | Y] of a linear network without readout bias, l = 1 … L: (1 − 1/N_l) s_{l−1} E[Ĝ^{l−1}] + E[f M_l⁺fᵀ]/N_l. O(L P³) per node.
 */
function hiddenKernels(
  kernel: Matrix,
  law: GammaProduct,
  variances: readonly number[],
  mixture: ScaleMixture<SiteApproximation>,
): Matrix[] {
  const out: Matrix[] = [];
  for (const [l, shape] of law.shapes.entries()) {
    const width = 2 * shape;
    const outer = meanOuterOverScale(kernel, mixture, (k) => partialProduct(law, variances, l, mixture.logQ[k]!, mixture.logPrior[k]!));
    const below = l === 0 ? kernel : affine(variances[l - 1]!, out[l - 1]!);
    out.push({ data: below.data.map((value, i) => (1 - 1 / width) * value + outer.data[i]! / width), shape: kernel.shape });
  }
  return out;
}

/** Posterior of one latent output under a chain: quadrature over log q with expectation propagation or Laplace inside. */
export function fitMixture(
  problem: LatentProblem,
  likelihood: Likelihood,
  observation: Observation,
  inference: string,
  run: Run,
): LatentFit {
  const { kernel, chain, linear = false } = problem;
  const { readoutBias = 0 } = chain;
  const variances = chain.variances ?? chain.widths.map(() => 1);
  const law = mixingVariable(chain.widths, variances);
  const at = (q: number): Matrix => kernelAtScale(kernel, readoutBias, q);
  const tick = (): void => run.signal?.throwIfAborted();
  const exact = inference === "expectation-propagation";
  const mixture: ScaleMixture<SiteApproximation> = exact
    ? expectationPropagationMixture(law, at, observation, { scale: likelihood.scale, tick })
    : scaleMixture(law, (q, [near]: readonly SiteApproximation[]) => laplaceScalar(at(q), observation, near ? { start: near.alpha } : {}), {
        tick,
      });
  const warnings: string[] = exact ? [] : [laplaceWarning];
  let evidence: { readonly logEvidence: number; readonly standardError?: number } = mixture;
  let fraction = 1;
  if (exact) {
    const nodes = quantileNodes(mixture);
    const corrections = nodes.map((k, index) => {
      tick();
      const node = mixture.nodes[k]!;
      const options = { draws: importanceDraws, seed: run.seed, indices: [importanceStreams, index] };
      const sampled = importanceEvidence(kernelRoot(at(Math.exp(mixture.logQ[k]!))), observation, node.weights, node.alpha, options);
      fraction = Math.min(fraction, sampled.fraction);
      return { value: sampled.logEvidence - node.logEvidence, standardError: sampled.standardError };
    });
    if (fraction >= leastImportanceFraction) evidence = correctMixture(mixture, nodes, corrections);
    else
      warnings.push(
        `importance sampling kept ${fraction.toPrecision(1)} of its draws, too few: the log evidence is that of expectation propagation`,
      );
  }
  const residual = mixture.nodes.reduce((most, node, k) => (mixture.weights[k]! > 1e-6 ? Math.max(most, node.residual) : most), 0);
  const kept = Array.from(mixture.weights.keys()).filter((k) => mixture.weights[k]! >= negligible);
  const table = (of: (node: SiteApproximation) => Float64Array): Matrix => {
    const out = zeros(kept.length, observation.points);
    kept.forEach((k, row) => out.data.set(of(mixture.nodes[k]!), row * observation.points));
    return out;
  };
  const state: MixtureState = {
    kind: "mixture",
    logQ: Float64Array.from(kept, (k) => mixture.logQ[k]!),
    nodeWeights: Float64Array.from(kept, (k) => mixture.weights[k]!),
    alpha: table(({ alpha }) => alpha),
    weights: table(({ weights }) => weights),
  };
  return {
    state,
    logEvidence: evidence.logEvidence,
    ...(evidence.standardError === undefined ? {} : { logEvidenceError: evidence.standardError }),
    mixing: mixture.meanQ,
    ...(linear && readoutBias === 0 ? { hiddenKernels: hiddenKernels(kernel, law, variances, mixture) } : {}),
    solver: {
      converged: mixture.nodes.every((node, k) => node.converged || mixture.weights[k]! < negligible),
      iterations: mixture.nodes.reduce((sum, node) => sum + node.iterations, 0),
      residual,
      jitter: 0,
    },
    diagnostics: {
      inference,
      nodes: mixture.logQ.length,
      approximateLogEvidence: mixture.logEvidence,
      ...(exact ? { importanceFraction: fraction } : {}),
      meanLogQ: mixture.meanLogQ,
      deviationLogQ: mixture.deviationLogQ,
      quadratureError: mixture.residual ** 2,
    },
    warnings: [...warnings, ...looseWarning(residual)],
  };
}
