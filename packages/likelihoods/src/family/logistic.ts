import { matrix, type Likelihood, type LikelihoodFamily } from "@finitewidth/core";
import { trapezoidMoments } from "../inference/tilted.js";
import { linkParameters, requireScale, type LinkParameters } from "./parameters.js";
import { scalarLikelihood, type ScalarLink } from "./scalar.js";
import { checkSigns, signLabels, signTargets } from "./targets.js";

/** 1/(1 + e^−z) without overflow. */
export const sigmoid = (z: number): number => {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
};

/** −log(1 + e^−z) without overflow. */
const logSigmoid = (z: number): number => Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)));

/** p(1 − p) = e^−|z|/(1 + e^−|z|)². */
function logisticVariance(z: number): number {
  const e = Math.exp(-Math.abs(z));
  return e / (1 + e) ** 2;
}

export const logisticLink: ScalarLink = {
  logDensity: (y, z) => logSigmoid(y * z),
  gradient: (y, z) => y * sigmoid(-y * z),
  curvature: (_y, z) => logisticVariance(z),
  // 1 − 2p = −tanh(z/2)
  slope: (_y, z) => -logisticVariance(z) * Math.tanh(0.5 * z),
  tilted: (y, mean, variance) => trapezoidMoments(logisticLink, y, mean, variance),
};

/** p(y | f) = 1/(1 + exp(−y f/τ)), y = ±1. @throws FinitewidthError (code "input") unless τ > 0. */
export const logisticLikelihood = (scale = 1): Likelihood =>
  scalarLikelihood("logistic", requireScale(scale), logisticLink, {
    classes: () => 2,
    check: (targets, path = "targets") => checkSigns(targets, "logistic", path),
    labels: signLabels,
    encode: signTargets,
    probabilities: (latents) => binary(latents.data, (f) => [sigmoid(-f / scale), sigmoid(f / scale)]),
  });

/** P × 2 probabilities of the classes −1 and +1. */
export function binary(latents: Float64Array, of: (f: number) => readonly [number, number]) {
  const out = matrix(latents.length, 2, new Float64Array(2 * latents.length));
  latents.forEach((f, i) => out.data.set(of(f), 2 * i));
  return out;
}

/** Family `logistic`. */
export const logistic: LikelihoodFamily<LinkParameters> = {
  name: "logistic",
  summary: "Two classes −1 and +1: log odds f/τ.",
  schema: linkParameters,
  create: ({ scale }) => logisticLikelihood(scale),
};
