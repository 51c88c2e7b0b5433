import { pullBackVariances } from "@finitewidth/activations";
import {
  differenceEvidenceGradient,
  refusal,
  resolveArchitecture,
  toStandardScaling,
  widthRatios,
  type EvidenceGradient,
  type Matrix,
  type Posterior,
  type Run,
  type Theory,
} from "@finitewidth/core";
import { denseChain, infiniteWidthKernels } from "@finitewidth/kernels";
import { choleskyInverse, multiplyTransposedLeft, multiplyTransposedRight, trace } from "@finitewidth/linalg";
import type { GaussianProcess } from "@finitewidth/numerics";

/**
 * B = 2 ∂ log N(Y | 0, K + T)/∂K = aaᵀ − D(K + T)⁻¹, a = (K + T)⁻¹Y: P × P, on the range of K at T = 0. O(P³). Source:
 * docs/theories/evidence.md, "Gradients of theories". @throws FinitewidthError (code "refused") where T is lost beside a singular kernel.
 */
export function gaussianProcessAdjoint({ root, form, weights }: Pick<GaussianProcess, "root" | "form" | "weights">): Matrix {
  if (form === "range")
    throw refusal("nngp", "no gradients of the evidence where the temperature is lost in the rounding of a singular kernel; raise it");
  const outputs = weights.shape[1];
  const inverse = form === "cholesky" ? choleskyInverse(root) : multiplyTransposedLeft(root, root);
  const fitted = multiplyTransposedRight(weights, weights);
  return { data: fitted.data.map((value, i) => value - outputs * inverse.data[i]!), shape: inverse.shape };
}

/**
 * Gradient of the evidence at infinite width: the adjoint B pulled back through the recursion of a fully connected chain, ½T tr B in log T;
 * other networks by differences. Widths change nothing in standard scaling.
 */
export async function infiniteWidthGradient(
  theory: Theory,
  posterior: Posterior,
  process: Pick<GaussianProcess, "root" | "form" | "weights">,
  run: Run,
): Promise<EvidenceGradient | undefined> {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const architecture = resolveArchitecture(run.registry, problem.network);
  const chain = denseChain(architecture);
  if (chain === undefined) return differenceEvidenceGradient(theory, posterior, run);
  // T lost in the rounding of a singular kernel: the evidence is that of T = 0, and has no derivative in it
  if (process.form === "range") return undefined;
  const adjoint = gaussianProcessAdjoint(process);
  const { activation, weightVariance, biasVariance } = chain;
  const found = pullBackVariances(activation, infiniteWidthKernels(architecture, problem.inputs), weightVariance, biasVariance, adjoint);
  return {
    logWeightVariance: Array.from(found.logWeightVariance),
    logBiasVariance: biasVariance.map((variance, l) => (variance > 0 ? found.logBiasVariance[l]! : null)),
    logTemperature: problem.temperature > 0 ? 0.5 * problem.temperature * trace(adjoint) : null,
    widths: await widthRatios(theory, posterior, run),
  };
}
