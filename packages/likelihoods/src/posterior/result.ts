import type { Json, Matrix } from "@finitewidth/core";
import { leastImportanceFraction, type ImportanceEvidence } from "../inference/importance.js";
import type { SoftmaxFactor } from "../inference/laplace-softmax.js";
import type { LatentState } from "./state.js";

/** What a fit of latent outputs found; quantities that it cannot give are left out. */
export interface LatentFit {
  readonly state: LatentState;
  /** log p(Y), a probability. */
  readonly logEvidence?: number;
  readonly logEvidenceError?: number;
  /** E Q: a number for one latent output, d × d otherwise. */
  readonly mixing?: number | Matrix;
  readonly mixingError?: Matrix;
  /** E[Ĝˡ | Y] of linear networks, P × P each. */
  readonly hiddenKernels?: readonly Matrix[];
  readonly hiddenKernelErrors?: readonly Matrix[];
  readonly solver: { readonly converged: boolean; readonly iterations: number; readonly residual: number; readonly jitter: number };
  readonly diagnostics: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
  /** Of a Laplace approximation of softmax, for its predictions at the training points. */
  readonly factor?: SoftmaxFactor;
}

/** Change of a site or a mode, above which a fit is not to be trusted. */
const loose = 1e-6;
/** First index of the streams of importance sampling. */
export const importanceStreams = 6;

export const laplaceWarning =
  "Laplace approximations move class probabilities by 0.02 to 0.2 towards ½: for probabilities use another inference";
export const shiftedWarning = "the skewness correction over-corrects where the signal is strong: for probabilities use another inference";
export const looseWarning = (residual: number): string[] =>
  residual > loose ? [`the approximation stopped at a change of ${residual.toExponential(1)}`] : [];

/** An importance-sampled evidence where it can be trusted; otherwise the approximation and a warning. */
export function trustedEvidence(
  sampled: ImportanceEvidence,
  approximate: number,
): Pick<LatentFit, "logEvidence" | "logEvidenceError" | "warnings"> {
  if (sampled.fraction >= leastImportanceFraction)
    return { logEvidence: sampled.logEvidence, logEvidenceError: sampled.standardError, warnings: [] };
  const warning = `importance sampling kept ${sampled.fraction.toPrecision(1)} of its draws, too few: the log evidence is that of the approximation`;
  return { logEvidence: approximate, warnings: [warning] };
}
