import { scaleMixtureScores, type ScaleMixtureScores } from "@finitewidth/linalg";
import type { ScalarData } from "./likelihood.js";
import type { ScalarPosterior } from "./posterior.js";

/**
 * Derivatives of the log evidence of one output by Fisher's identity over the nodes of log q: `kernel` is that in log σ_w² of every later
 * layer and in log of the scale of K¹, `noise` that in log T, `bias` in log σ_b²(L+1), `constant` in a constant added to K¹. O(r nodes).
 * Source: docs/theories/evidence.md, "Gradients of theories".
 */
export function scalarEvidenceScores(posterior: ScalarPosterior, data: ScalarData): ScaleMixtureScores {
  const { values, targets, ones, temperature: noise, readoutBias: biasVariance, nullity, residualSquare } = data;
  return scaleMixtureScores(
    { values, targets, ones, noise, biasVariance, nullity, residualSquare },
    { q: posterior.logQ.map(Math.exp), weights: posterior.weights },
  );
}
