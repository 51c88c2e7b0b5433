import type { Matrix } from "@finitewidth/core";
import type { RotationState } from "@finitewidth/numerics";
import type { ReadoutPosterior } from "../posterior/readout.js";
import type { ParameterBlock } from "./parameter-blocks.js";

/**
 * Derivatives of ℓ at fixed whitened θ, whose posterior means are those of log Z, in the order log σ_w²(1 … L+1), log σ_b²(1 … L+1), log T,
 * and statistics of mean zero to regress them on.
 */
export interface Scores {
  /** 2(L + 1) + 1 numbers. */
  readonly values: Float64Array;
  /** ½(|θ_l|² − n_l) minus the score of the block, for every block of weights and of biases. */
  readonly controls: Float64Array;
}

/**
 * ½θ_l·∇_lℓ for the hidden blocks; readout ½tr AK̂_c, readout bias ½σ_b² 1ᵀA1 and ½T tr A with A = aaᵀ − D R, exact conditional means, all
 * from the conditioned readout. Source: docs/theories/evidence.md, "Gradients"; the norm form ½(|θ_l|² − n_l) has the same mean by Stein's
 * identity and up to a hundred times the variance. O(n + P D).
 */
export function scoresOf(
  { position, gradient }: RotationState,
  blocks: readonly ParameterBlock[],
  readout: ReadoutPosterior,
  targets: Matrix,
  temperature: number,
): Scores {
  const layers = blocks.length + 1;
  const values = new Float64Array(2 * layers + 1);
  const controls: number[] = [];
  const path = ([from, to]: readonly [number, number]): number => {
    let [score, norm] = [0, 0];
    for (let i = from; i < to; i++) {
      score += 0.5 * position[i]! * gradient[i]!;
      norm += 0.5 * (position[i]! * position[i]! - 1);
    }
    controls.push(norm - score);
    return score;
  };
  blocks.forEach(({ weights, biases }, l) => {
    values[l] = path(weights);
    if (biases) values[layers + l] = path(biases);
  });
  const outputs = targets.shape[1];
  const norm = readout.readoutNorm();
  let trace = -outputs;
  for (let d = 0; d < outputs; d++) trace += norm.data[d * (outputs + 1)]!;
  const columns = readout.features;
  values[layers - 1] = 0.5 * columns * trace;
  let logTemperature = 0;
  for (const value of readout.residual.data) logTemperature += 0.5 * temperature * value * value;
  for (const variance of readout.train().variance) logTemperature -= 0.5 * outputs * (1 - variance / temperature);
  values[2 * layers] = logTemperature;
  // draw by draw the scores of everything that scales the covariance of Y add up to ½(tr YᵀRY − PD)
  let all = -0.5 * targets.data.length;
  for (let i = 0; i < targets.data.length; i++) all += 0.5 * targets.data[i]! * readout.residual.data[i]!;
  values[2 * layers - 1] = all - values[layers - 1]! - logTemperature;
  return { values, controls: Float64Array.from(controls) };
}
