import { FinitewidthError, inputError, type RandomStream } from "@finitewidth/core";
import type { ChainReport, ChainState, LogDensity, Start } from "./log-density.js";
import { denseEstimator, diagonalEstimator, unitMetric, type Metric, type ShrinkageTarget } from "./metric.js";
import { dualAveraging, metricWindows } from "./step-size.js";

/** Settings of a Hamiltonian chain. */
export interface HamiltonianOptions {
  /** Iterations kept. */
  readonly draws: number;
  /** Iterations that adapt the step size and the metric, then thrown away. */
  readonly warmup: number;
  /** @defaultValue 0.85 */
  readonly targetAcceptance?: number;
  /**
   * Mean length of a trajectory in units of the metric, times U(0.4, 1.6): π/2 turns a standard normal into a fresh draw. The number of
   * leapfrog steps follows from the step size. @defaultValue π/2
   */
  readonly pathLength?: number;
  /** Fixes the number of leapfrog steps instead: 1 is the Metropolis-adjusted Langevin algorithm. */
  readonly steps?: number;
  /** Most leapfrog steps of a trajectory. @defaultValue 256 */
  readonly maxSteps?: number;
  /**
   * "rotation": the target given is ℓ alone of the density N(x | 0, 1) e^{ℓ(x)}, whose Gaussian part is solved exactly: a step turns (x, p)
   * by an angle, and ℓ alone limits it. In the unit metric. @defaultValue "leapfrog"
   */
  readonly integrator?: "leapfrog" | "rotation";
  /** What the warm-up learns about the shape of the target. @defaultValue "diagonal" ("none" for rotations) */
  readonly adapt?: "none" | "diagonal" | "dense";
  /** Variance that learned variances are shrunk towards, worth so many positions. @defaultValue { variance: 1e-3, weight: 5 } */
  readonly shrinkage?: ShrinkageTarget;
  /** Metric to start with (and stay with when `adapt` is "none"). @defaultValue the identity */
  readonly metric?: Metric;
  /** First step size; @defaultValue found by doubling */
  readonly stepSize?: number;
}

const divergenceThreshold = 1000;

/** Longest step of the rotation: a quarter turn forgets where it started. */
const quarterTurn = Math.PI / 2;

/**
 * A Hamiltonian Monte Carlo chain as a generator: yields after every iteration, warm-up included, and returns its report. Leapfrog steps of
 * a random number and size (the size × U(0.8, 1) after warm-up), step size by dual averaging, metric from doubling windows of the warm-up.
 * `tick` is called before every gradient and may throw to cancel. An energy that is not a number counts as a divergence and is rejected.
 * @throws FinitewidthError (code "input") when the start has no density or no finite gradient. Cost: one gradient per leapfrog step.
 * Source: docs/theories/monte-carlo.md; R. Neal, MCMC using Hamiltonian dynamics (2011); Stan's warm-up schedule; B. Shahbaba et al.,
 * Split Hamiltonian Monte Carlo (2014), for rotations.
 */
export function* hamiltonianChain(
  target: LogDensity,
  options: HamiltonianOptions,
  start: Start,
  random: RandomStream,
  tick: (fraction: number) => void = () => undefined,
): Generator<ChainState, ChainReport, void> {
  const {
    draws,
    warmup,
    targetAcceptance = 0.85,
    pathLength = Math.PI / 2,
    steps,
    maxSteps = 256,
    integrator = "leapfrog",
    adapt = integrator === "rotation" ? "none" : "diagonal",
    shrinkage = { variance: 1e-3, weight: 5 },
  } = options;
  const d = target.dimension;
  const rotates = integrator === "rotation";
  if (rotates && (adapt !== "none" || options.metric)) throw inputError("adapt", '"none" and no metric for rotations', adapt);
  let metric = options.metric ?? unitMetric;
  const iterations = warmup + draws;
  let iteration = 0;
  let gradients = 0;

  let [x, gradient] = [new Float64Array(d), new Float64Array(d)];
  let [xNew, gradientNew] = [new Float64Array(d), new Float64Array(d)];
  const momentum = new Float64Array(d);
  const evaluate = (at: Float64Array, into: Float64Array): number => {
    tick(iterations === 0 ? 1 : iteration / iterations);
    gradients++;
    return target.evaluate(at, into);
  };

  start(random, x);
  let logDensity = evaluate(x, gradient);
  if (!Number.isFinite(logDensity) || gradient.some((value) => !Number.isFinite(value))) {
    throw new FinitewidthError(`the chain cannot start: log density ${logDensity} or a gradient that is not finite at the starting point`, {
      code: "input",
      path: "start",
    });
  }

  /** Kinetic energy, and that of the Gaussian part where the target leaves it out. */
  const quadratic = (at: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += momentum[i]! * momentum[i]!;
    if (rotates) for (let i = 0; i < d; i++) sum += at[i]! * at[i]!;
    return 0.5 * sum;
  };
  const drift = (stepSize: number): void => {
    if (!rotates) return metric.addForward(momentum, stepSize, xNew);
    const [c, s] = [Math.cos(stepSize), Math.sin(stepSize)];
    for (let i = 0; i < d; i++) {
      const [from, p] = [xNew[i]!, momentum[i]!];
      xNew[i] = c * from + s * p;
      momentum[i] = c * p - s * from;
    }
  };
  /** Leapfrog from (x, momentum) to (xNew, momentum); returns the log density there, NaN as soon as something is not finite. */
  const leapfrog = (stepSize: number, count: number): number => {
    xNew.set(x);
    gradientNew.set(gradient);
    let value = logDensity;
    metric.addAdjoint(gradientNew, 0.5 * stepSize, momentum);
    for (let step = 0; step < count; step++) {
      drift(stepSize);
      value = evaluate(xNew, gradientNew);
      if (!Number.isFinite(value)) return Number.NaN;
      // the half kicks that end one step and begin the next are one
      metric.addAdjoint(gradientNew, step === count - 1 ? 0.5 * stepSize : stepSize, momentum);
    }
    return value;
  };
  const reasonableStepSize = (first: number): number => {
    let stepSize = first;
    let direction = 0;
    for (let trial = 0; trial < 60; trial++) {
      random.normals(momentum);
      const before = logDensity - quadratic(x);
      const after = leapfrog(stepSize, 1) - quadratic(xNew);
      const next = after - before > Math.log(0.8) ? 1 : -1;
      if (direction !== 0 && next !== direction) break;
      direction = next;
      stepSize *= 2 ** direction;
      if (rotates && stepSize > quarterTurn) return quarterTurn;
    }
    return stepSize;
  };

  const adaptation = dualAveraging(options.stepSize ?? (warmup > 0 ? reasonableStepSize(0.1) : 0.1), targetAcceptance);
  const windows = metricWindows(adapt === "none" ? 0 : warmup);
  const estimator = adapt === "dense" ? denseEstimator(d, shrinkage) : diagonalEstimator(adapt === "none" ? 0 : d, shrinkage);

  let [accepted, divergences, energySteps] = [0, 0, 0];
  let [energyCount, energyMean, energyScatter, lastEnergy] = [0, 0, 0, Number.NaN];
  for (; iteration < iterations; iteration++) {
    const warming = iteration < warmup;
    const adapted = warming ? adaptation.current() : adaptation.average() * (0.8 + 0.2 * random.uniform());
    const stepSize = rotates ? Math.min(adapted, quarterTurn) : adapted;
    const jitter = 0.4 + 1.2 * random.uniform();
    const count = steps ?? Math.max(1, Math.min(maxSteps, Math.round((jitter * pathLength) / stepSize)));
    random.normals(momentum);
    const energy = quadratic(x) - logDensity;
    const proposed = leapfrog(stepSize, count);
    const error = quadratic(xNew) - proposed - energy;
    const divergent = !(error < divergenceThreshold);
    const acceptance = divergent ? 0 : Math.min(1, Math.exp(-error));
    // the uniform is drawn in any case: the same numbers follow whatever happened
    if (random.uniform() < acceptance) {
      [x, xNew] = [xNew, x];
      [gradient, gradientNew] = [gradientNew, gradient];
      logDensity = proposed;
    }
    if (warming) {
      adaptation.update(acceptance);
      if (iteration >= windows.start && iteration < (windows.ends.at(-1) ?? 0)) estimator.add(x);
      if (windows.ends.includes(iteration + 1)) {
        metric = estimator.finish();
        adaptation.restart(reasonableStepSize(adaptation.average()));
      }
    } else {
      accepted += acceptance;
      if (divergent) divergences++;
      energyCount++;
      if (energyCount > 1) energySteps += (energy - lastEnergy) ** 2;
      const delta = energy - energyMean;
      energyMean += delta / energyCount;
      energyScatter += delta * (energy - energyMean);
      lastEnergy = energy;
    }
    yield { iteration, warmup: warming, position: x, logDensity, acceptance, divergent };
  }
  return {
    stepSize: warmup > 0 ? adaptation.average() : adaptation.current(),
    acceptance: draws > 0 ? accepted / draws : 0,
    divergences,
    gradients,
    energyFraction: energyScatter > 0 ? energySteps / energyScatter : 1,
  };
}
