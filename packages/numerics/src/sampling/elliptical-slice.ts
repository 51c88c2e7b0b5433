import { FinitewidthError, type RandomStream } from "@finitewidth/core";
import type { ChainState, Start } from "./log-density.js";

/** A likelihood on ℝᵈ under a standard normal prior; no gradient is needed. */
export interface LogLikelihood {
  readonly dimension: number;
  evaluate(x: Float64Array): number;
}

/** Settings of an elliptical slice chain. */
export interface EllipticalSliceOptions {
  readonly draws: number;
  readonly warmup: number;
  /** Contiguous blocks of coordinates that are moved one after the other in every iteration. @defaultValue 1 */
  readonly blocks?: number;
}

/**
 * Elliptical slice sampling of N(0, 1) prior × likelihood: x ← x cos t + ν sin t with ν from the prior, t from a shrinking bracket until
 * the likelihood passes a random level. No step size, never rejects, works for likelihoods with jumps. Yields after every sweep over the
 * blocks. Some evaluations a block and iteration, counted in what it returns, and d normals.
 * @throws FinitewidthError (code "input") when the start has no likelihood. Source: I. Murray, R. Adams, D. MacKay, Elliptical slice
 * sampling (2010).
 */
export function* ellipticalSliceChain(
  target: LogLikelihood,
  options: EllipticalSliceOptions,
  start: Start,
  random: RandomStream,
  tick: (fraction: number) => void = () => undefined,
): Generator<ChainState, { readonly evaluations: number }, void> {
  const { draws, warmup, blocks = 1 } = options;
  const d = target.dimension;
  const x = new Float64Array(d);
  const proposal = new Float64Array(d);
  const direction = new Float64Array(d);
  start(random, x);
  let logLikelihood = target.evaluate(x);
  let evaluations = 1;
  if (!Number.isFinite(logLikelihood))
    throw new FinitewidthError(`the chain cannot start: log likelihood ${logLikelihood} at the starting point`, {
      code: "input",
      path: "start",
    });
  for (let iteration = 0; iteration < warmup + draws; iteration++) {
    for (let block = 0; block < blocks; block++) {
      const [from, to] = [Math.floor((block * d) / blocks), Math.floor(((block + 1) * d) / blocks)];
      const level = logLikelihood + Math.log(1 - random.uniform());
      random.normals(direction.subarray(from, to));
      let angle = 2 * Math.PI * random.uniform();
      let [low, high] = [angle - 2 * Math.PI, angle];
      proposal.set(x);
      for (;;) {
        tick(iteration / (warmup + draws));
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let i = from; i < to; i++) proposal[i] = c * x[i]! + s * direction[i]!;
        const value = target.evaluate(proposal);
        evaluations++;
        if (value > level) {
          logLikelihood = value;
          break;
        }
        if (angle < 0) low = angle;
        else high = angle;
        // the bracket has shrunk onto the current point: stay
        if (high - low < 1e-12) {
          proposal.set(x);
          break;
        }
        angle = low + (high - low) * random.uniform();
      }
      x.set(proposal);
    }
    let square = 0;
    for (let i = 0; i < d; i++) square += x[i]! * x[i]!;
    yield { iteration, warmup: iteration < warmup, position: x, logDensity: logLikelihood - 0.5 * square, acceptance: 1, divergent: false };
  }
  return { evaluations };
}
