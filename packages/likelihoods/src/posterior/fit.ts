import { createLikelihood, type Likelihood, type Observation, type Run } from "@finitewidth/core";
import { identity } from "@finitewidth/linalg";
import { expectationPropagation } from "../inference/expectation-propagation.js";
import { importanceEvidence, kernelRoot, leastImportanceFraction, type ImportanceEvidence } from "../inference/importance.js";
import { kernelTimesMixing, laplaceDense } from "../inference/laplace-dense.js";
import { laplaceScalar, laplaceScalarMeanShift } from "../inference/laplace-scalar.js";
import { laplaceSoftmax, laplaceSoftmaxMeanShift } from "../inference/laplace-softmax.js";
import { checkLatentProblem, resolveInference, type LatentOptions, type LatentProblem } from "./problem.js";
import { fitMixture } from "./mixture.js";
import { importanceStreams, laplaceWarning, looseWarning, shiftedWarning, trustedEvidence, type LatentFit } from "./result.js";
import { sampleLatents } from "./sampling.js";

/**
 * Points × latent outputs up to which a dense Laplace approximation guides importance sampling, and up to which log Z is sampled unasked.
 */
const [densePoints, sampledPoints] = [1000, 400];

function fitSites(problem: LatentProblem, likelihood: Likelihood, observation: Observation, inference: string, run: Run): LatentFit {
  const { kernel } = problem;
  if (inference === "expectation-propagation") {
    const fit = expectationPropagation(kernel, observation, { scale: likelihood.scale });
    const options = { seed: run.seed, indices: [importanceStreams] };
    const sampled = importanceEvidence(kernelRoot(kernel), observation, fit.weights, fit.alpha, options);
    const trusted = trustedEvidence(sampled, fit.logEvidence);
    return {
      ...trusted,
      state: { kind: "sites", alpha: fit.alpha, weights: fit.weights },
      solver: { converged: fit.converged, iterations: fit.iterations, residual: fit.residual, jitter: 0 },
      diagnostics: { inference, approximateLogEvidence: fit.logEvidence, importanceFraction: sampled.fraction },
      warnings: [...trusted.warnings, ...looseWarning(fit.residual)],
    };
  }
  const fit = laplaceScalar(kernel, observation);
  const shift = inference === "laplace" ? undefined : laplaceScalarMeanShift(kernel, observation, fit);
  return {
    state: { kind: "sites", alpha: shift ? fit.alpha.map((a, i) => a + shift[i]!) : fit.alpha, weights: fit.weights },
    logEvidence: fit.logEvidence,
    solver: { converged: fit.converged, iterations: fit.iterations, residual: fit.residual, jitter: 0 },
    diagnostics: { inference, approximateLogEvidence: fit.logEvidence },
    warnings: [shift ? shiftedWarning : laplaceWarning, ...looseWarning(fit.residual)],
  };
}

function fitLogits({ kernel, targets }: LatentProblem, likelihood: Likelihood, inference: string): LatentFit {
  const fit = laplaceSoftmax(kernel, targets, likelihood.scale);
  const shift = inference === "laplace" ? undefined : laplaceSoftmaxMeanShift(kernel, fit);
  const alpha = shift ? { data: fit.alpha.data.map((a, i) => a + shift.data[i]!), shape: fit.alpha.shape } : fit.alpha;
  return {
    state: { kind: "logits", alpha, probabilities: fit.probabilities },
    factor: fit.factor,
    logEvidence: fit.logEvidence,
    solver: { converged: fit.converged, iterations: fit.iterations, residual: fit.residual, jitter: 0 },
    diagnostics: { inference, approximateLogEvidence: fit.logEvidence },
    warnings: [shift ? shiftedWarning : laplaceWarning, ...looseWarning(fit.residual)],
  };
}

/** log Z of a Gaussian process by importance sampling around a shifted Laplace approximation, where the weights allow it. */
function guidedEvidence({ kernel }: LatentProblem, observation: Observation, seed: number): ImportanceEvidence | undefined {
  const d = observation.latents;
  if (observation.points * d > densePoints) return undefined;
  const guide = laplaceDense(kernelTimesMixing(kernel, identity(d)), observation);
  const centre = guide.alpha.map((a, i) => a + guide.shift[i]!);
  const root = kernelTimesMixing(kernelRoot(kernel), identity(d));
  const sampled = importanceEvidence(root, observation, guide.curvature, centre, { seed, indices: [importanceStreams] });
  return sampled.fraction >= leastImportanceFraction ? sampled : undefined;
}

async function fitDraws(problem: LatentProblem, observation: Observation, options: LatentOptions, run: Run): Promise<LatentFit> {
  const size = observation.points * observation.latents;
  const guided =
    problem.chain.widths.length === 0 && options.evidence !== false ? guidedEvidence(problem, observation, run.seed) : undefined;
  const annealed = guided === undefined && (options.evidence ?? size <= sampledPoints);
  const sampled = await sampleLatents(problem, options.draws, annealed, run);
  const evidence = guided ?? sampled.evidence;
  const { mixing, mixingError } = sampled;
  const one = mixing.data.length === 1;
  return {
    state: sampled.state,
    ...(evidence ? { logEvidence: evidence.logEvidence, logEvidenceError: evidence.standardError } : {}),
    ...(problem.chain.widths.length === 0 ? {} : { mixing: one ? mixing.data[0]! : mixing, mixingError }),
    ...(sampled.hiddenKernels ? { hiddenKernels: sampled.hiddenKernels, hiddenKernelErrors: sampled.hiddenKernelErrors! } : {}),
    solver: { converged: sampled.warnings.length === 0, iterations: sampled.gradients, residual: sampled.rHat - 1, jitter: 0 },
    diagnostics: {
      inference: "sampling",
      draws: sampled.state.weights.length,
      chains: sampled.state.chains.at(-1)! + 1,
      effectiveDraws: sampled.effectiveDraws,
      rHat: sampled.rHat,
      acceptance: sampled.acceptance,
      gradients: sampled.gradients,
      ...(evidence ? { evidence: guided ? "importance sampling around Laplace" : "annealed islands" } : {}),
      ...(guided ? { importanceFraction: guided.fraction } : {}),
    },
    warnings: [
      ...sampled.warnings,
      ...(evidence === undefined && options.evidence !== false
        ? [`the log evidence of ${size} latent numbers takes long to sample and was left out; ask for it by "evidence": true`]
        : []),
    ],
  };
}

/**
 * Posterior of latent outputs under any likelihood: expectation propagation (with log Z by importance sampling around it), Laplace
 * approximations or sampling, at infinite width (a chain without layers), for deep linear networks and for effective actions alike. At
 * infinite width O(P³) a sweep of `expectationPropagation` or a step of `laplaceScalar`, O(D P²) a product in `laplaceSoftmax`; with hidden
 * layers those times the 50–150 nodes in log q; sampling: see `drawIsland` and `chainTarget`, eight islands.
 * @throws FinitewidthError (code "input") for an inference that does not apply, and like `checkLatentProblem`. Source:
 * docs/theories/classification.md.
 */
export async function fitLatents(problem: LatentProblem, options: LatentOptions, run: Run): Promise<LatentFit> {
  const likelihood = createLikelihood(run.registry, problem.likelihood);
  const observation = likelihood.observe(problem.targets);
  checkLatentProblem(problem, likelihood);
  const inference = resolveInference(likelihood, problem, options.inference);
  run.signal?.throwIfAborted();
  if (inference === "sampling") return fitDraws(problem, observation, options, run);
  if (problem.chain.widths.length > 0) return fitMixture(problem, likelihood, observation, inference, run);
  return observation.latents === 1 ? fitSites(problem, likelihood, observation, inference, run) : fitLogits(problem, likelihood, inference);
}
