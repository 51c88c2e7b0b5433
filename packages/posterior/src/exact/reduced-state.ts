import type { MixingLaw, Problem, Run } from "@finitewidth/core";
import { fitsMemory, requireMemory, type Tridiagonalisation } from "@finitewidth/linalg";
import { eigenProblem, hiddenKernelLimit } from "../input-space/eigen-problem.js";
import { eigenbasis, type Eigenbasis, type KeptBasis } from "../input-space/eigenbasis.js";
import { scalarData, type ScalarData } from "../scalar/likelihood.js";
import { scalarProblems, type ScalarProblem } from "../scalar/problem.js";
import { projectOn } from "../spectrum/problem.js";
import { completeSpectrum, reduceKernel } from "../spectrum/reduced-kernel.js";

/** Points below which eigenvectors cost so little that nothing is gained without them. */
const fewPoints = 256;

/** One output ready for the quadrature over log q: the data, what a state keeps of the kernel, and the eigenvectors when they are read. */
export interface OpenProblem extends ScalarProblem {
  readonly kept: KeptBasis & { readonly form?: Tridiagonalisation };
  complete(): CompleteData;
  /** Whether there is room for the eigenvectors, and what reads them. */
  readonly readable: boolean;
}

/** The data with the eigenvectors that they are expressed in. */
export interface CompleteData {
  readonly data: ScalarData;
  readonly basis: Eigenbasis;
}

/**
 * The problem without eigenvectors where they can wait: evidence, posterior of q and predictions work on the tridiagonal form, three P × P
 * arrays in place of eight and 40 % of the time. In input space, at T = 0, for few points and for kernels of low rank by `eigenProblem`.
 * @throws FinitewidthError (code "memory") before anything is made, and like `eigenProblem`.
 */
export function openProblem(problem: Problem, law: MixingLaw, readoutBias: number, run: Run): OpenProblem {
  const { inputs, targets, temperature } = problem;
  const points = inputs.shape[0];
  const inputSpace = law.linearKernel?.(inputs) !== undefined && points > inputs.shape[1] + 1;
  if (points < fewPoints || temperature === 0 || inputSpace) return withEigenvectors(problem, law, readoutBias, run);
  requireMemory({
    method: "exact",
    points,
    arrays: 3.4 + inputs.shape[1] / points,
    together: 1 + inputs.shape[1] / points,
    instead: "a fully connected network with fewer features than points and T > 0, which needs no P × P array",
  });
  const reduced = reduceKernel(law.siteKernels(inputs)[0]!, { lowRank: true });
  if ("spectrum" in reduced) {
    const spectral = projectOn(reduced.spectrum, targets, temperature, { readout: readoutBias, hidden: false });
    const data = scalarData(spectral);
    const basis = eigenbasis(spectral.spectrum, law, inputs);
    return {
      data,
      warnings: spectral.warnings,
      kept: spectral.spectrum,
      complete: () => ({ data, basis }),
      readable: points <= hiddenKernelLimit,
    };
  }
  const found = scalarProblems(reduced, targets, temperature, readoutBias)[0]!;
  const kept = { vectors: { data: new Float64Array(0), shape: [0, 0] as const }, values: found.data.values, form: reduced.form };
  return {
    ...found,
    kept,
    complete: () => completeData(reduced.form, problem, law, readoutBias),
    readable: roomFor(points, law.chain.layers.length),
  };
}

/**
 * Whether predictions at the training points and learned kernels of L layers fit: they take the eigenvectors, 9.4 arrays at the peak for
 * L = 1 (measured at P = 2000).
 */
const roomFor = (points: number, depth: number): boolean =>
  points <= hiddenKernelLimit && fitsMemory({ method: "exact", points, arrays: 8.4 + depth, together: 2.2 });

function withEigenvectors(problem: Problem, law: MixingLaw, readoutBias: number, run: Run): OpenProblem {
  const { spectral, kept } = eigenProblem(problem, law, { readout: readoutBias, hidden: false }, run);
  const data = scalarData(spectral);
  const basis = eigenbasis(kept, law, problem.inputs);
  const { pinned, warnings } = spectral;
  const points = problem.inputs.shape[0];
  return {
    data,
    ...(pinned === undefined ? {} : { pinned }),
    warnings,
    kept,
    complete: () => ({ data, basis }),
    readable: points <= hiddenKernelLimit,
  };
}

const completed = new WeakMap<Tridiagonalisation, CompleteData>();

/** The eigenvectors of a kernel in tridiagonal form, and the data in them; made once for a form. O(P³). */
export function completeData(form: Tridiagonalisation, problem: Problem, law: MixingLaw, readoutBias: number): CompleteData {
  const known = completed.get(form);
  if (known !== undefined) return known;
  const spectrum = completeSpectrum({ form });
  const spectral = projectOn(spectrum, problem.targets, problem.temperature, { readout: readoutBias, hidden: false });
  const made = { data: scalarData(spectral), basis: eigenbasis(spectral.spectrum, law, problem.inputs) };
  completed.set(form, made);
  return made;
}
