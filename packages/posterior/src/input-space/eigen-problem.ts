import type { MixingLaw, Problem, Run } from "@finitewidth/core";
import { requireMemory } from "@finitewidth/linalg";
import { spectralProblem, type LaterBiases, type SpectralProblem } from "../spectrum/problem.js";
import type { KeptBasis } from "./eigenbasis.js";
import { inputSpaceProblem } from "./problem.js";

/** Training points from which on hidden kernels are left out. */
export const hiddenKernelLimit = 16_000;

/**
 * The problem in the eigenbasis of its kernel, found in the space of the inputs where there are more points than features. `later`: P × P
 * arrays that what follows holds besides.
 * @throws FinitewidthError (code "memory") before anything is made.
 */
export function eigenProblem(
  { inputs, targets, temperature }: Problem,
  law: MixingLaw,
  biases: LaterBiases,
  run: Run,
  later = 0,
): { readonly spectral: SpectralProblem; readonly kept: KeptBasis } {
  const linear = law.linearKernel?.(inputs);
  const found = linear && inputSpaceProblem(linear, inputs, targets, temperature, biases, () => run.signal?.throwIfAborted());
  if (found)
    return { spectral: found.spectral, kept: { vectors: found.directions, basis: "inputs", values: found.spectral.spectrum.values } };
  // kernel, eigenvectors, and what makes them
  requireMemory({
    method: "exact",
    points: inputs.shape[0],
    arrays: 8.2 + later,
    together: 3.2,
    instead: "a fully connected network with fewer features than points and T > 0, which needs no P × P array",
  });
  const spectral = spectralProblem(law.siteKernels(inputs)[0]!, targets, temperature, biases);
  return { spectral, kept: spectral.spectrum };
}

/** What a fit with too many points says about its hidden kernels. */
export const hiddenKernelWarnings = (points: number): readonly string[] =>
  points > hiddenKernelLimit
    ? [
        `hidden kernels of more than ${hiddenKernelLimit} points are left out; for one output \`hiddenKernelFactors\` gives them as products`,
      ]
    : [];
