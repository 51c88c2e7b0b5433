import { FinitewidthError, inputError, type RandomStream } from "@finitewidth/core";
import type { ChainState, LogDensity, Start } from "./log-density.js";

/** Settings of an unadjusted Langevin chain. */
export interface LangevinOptions {
  readonly draws: number;
  readonly warmup: number;
  /** η of x ← x + η ∇ log p + √(2η) ξ; the stationary law is off by O(η). */
  readonly stepSize: number;
  /** Steps per iteration. @defaultValue 1 */
  readonly steps?: number;
}

/**
 * Unadjusted Langevin dynamics x ← x + η ∇ log p(x) + √(2η) ξ, ξ ~ N(0, 1): no acceptance test, so its stationary law is biased; for a
 * normal target of variance s² it is normal with variance s²/(1 − η/2s²). Yields after every iteration. One gradient a step.
 * @throws FinitewidthError: "input" for a step size that is not positive, "not-converged" when the chain runs away.
 */
export function* langevinChain(
  target: LogDensity,
  options: LangevinOptions,
  start: Start,
  random: RandomStream,
  tick: (fraction: number) => void = () => undefined,
): Generator<ChainState, void, void> {
  const { draws, warmup, stepSize, steps = 1 } = options;
  if (!(stepSize > 0)) throw inputError("stepSize", "a positive number", stepSize);
  const x = new Float64Array(target.dimension);
  const gradient = new Float64Array(target.dimension);
  start(random, x);
  let logDensity = target.evaluate(x, gradient);
  const noise = Math.sqrt(2 * stepSize);
  for (let iteration = 0; iteration < warmup + draws; iteration++) {
    for (let step = 0; step < steps; step++) {
      tick(iteration / (warmup + draws));
      for (let i = 0; i < x.length; i++) x[i]! += stepSize * gradient[i]! + noise * random.normal();
      logDensity = target.evaluate(x, gradient);
      if (!Number.isFinite(logDensity)) {
        throw new FinitewidthError(`the Langevin chain ran away after ${iteration} iterations; choose a step size below ${stepSize}`, {
          code: "not-converged",
          path: "stepSize",
        });
      }
    }
    yield { iteration, warmup: iteration < warmup, position: x, logDensity, acceptance: 1, divergent: false };
  }
}
