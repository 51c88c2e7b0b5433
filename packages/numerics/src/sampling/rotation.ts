import { FinitewidthError, inputError, type RandomStream } from "@finitewidth/core";
import type { LogDensity } from "./log-density.js";

/** Where a chain for N(θ | 0, 1) e^{bℓ(θ)} stands: plain data, changed in place by every move. */
export interface RotationState {
  readonly position: Float64Array;
  /** ∇ℓ at the position. */
  readonly gradient: Float64Array;
  /** ℓ at the position. */
  logLikelihood: number;
}

/** One move of a rotation sampler. */
export interface RotationMove {
  /** b: 1 is the posterior, 0 the prior. */
  readonly exponent: number;
  /** Angle of one rotation; a trajectory makes up to 64 of them. */
  readonly stepSize: number;
  /** Mean angle of a trajectory, times U(0.7, 1.3). @defaultValue π/2 */
  readonly length?: number;
}

/** Moves states of one likelihood; owns the work arrays, so that moves allocate nothing. */
export interface RotationSampler {
  readonly dimension: number;
  /** Evaluations of the likelihood so far. */
  readonly gradients: number;
  /** A state at `position` (copied). */
  open(position: Float64Array): RotationState;
  /** A state drawn from the prior. @throws FinitewidthError (code "input") after 100 draws without a likelihood. */
  draw(random: RandomStream): RotationState;
  /** One trajectory and its acceptance test; returns the acceptance probability. */
  move(state: RotationState, move: RotationMove, random: RandomStream): number;
  /** n − |θ|² + bθ·∇ℓ, whose mean vanishes under N(θ | 0, 1) e^{bℓ} (Stein's identity). */
  stein(state: RotationState, exponent: number): number;
}

const mostSteps = 64;

/**
 * Hamiltonian Monte Carlo for N(θ | 0, 1) e^{bℓ(θ)} whose Gaussian part is solved exactly: p ← p + ½e b∇ℓ, (θ, p) rotated by the angle e,
 * p ← p + ½e b∇ℓ; accepted by ½|θ|² + ½|p|² − bℓ. The step is limited by the likelihood alone, not by the dimension; at b = 0 nothing is
 * rejected and a quarter turn is an independent draw. The angle of a step is e·U(0.8, 1), and a quarter of that in one trajectory of ten,
 * which frees chains in corners. A likelihood that is not a number ends the trajectory and is rejected. `tick` is called before every
 * gradient. Cost: (π/2)/e gradients a move. Source: docs/theories/evidence.md, "The move"; B. Shahbaba et al., Split Hamiltonian Monte
 * Carlo (2014). @throws FinitewidthError (code "input") for a step that is not positive, or draws from the prior without a finite
 * likelihood.
 */
export function createRotationSampler(logLikelihood: LogDensity, tick: () => void = () => undefined): RotationSampler {
  const { dimension } = logLikelihood;
  const momentum = new Float64Array(dimension);
  const proposal = new Float64Array(dimension);
  const proposalGradient = new Float64Array(dimension);
  let gradients = 0;
  const evaluate = (position: Float64Array, gradient: Float64Array): number => {
    tick();
    gradients++;
    return logLikelihood.evaluate(position, gradient);
  };
  const open = (position: Float64Array): RotationState => {
    const state = { position: position.slice(), gradient: new Float64Array(dimension), logLikelihood: 0 };
    state.logLikelihood = evaluate(state.position, state.gradient);
    return state;
  };
  return {
    dimension,
    get gradients() {
      return gradients;
    },
    open,
    draw: (random) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        const state = open(random.normals(proposal));
        if (Number.isFinite(state.logLikelihood)) return state;
      }
      throw new FinitewidthError("draws from the prior have no finite likelihood", { code: "input", path: "start" });
    },
    move: (state, { exponent, stepSize, length = Math.PI / 2 }, random) => {
      if (!(stepSize > 0)) throw inputError("stepSize", "a positive number", stepSize);
      const steps = Math.min(mostSteps, Math.max(1, Math.ceil((length * (0.7 + 0.6 * random.uniform())) / stepSize)));
      const angle = stepSize * (0.8 + 0.2 * random.uniform()) * (random.uniform() < 0.1 ? 0.25 : 1);
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      random.normals(momentum);
      const threshold = random.uniform();
      proposal.set(state.position);
      proposalGradient.set(state.gradient);
      const before = energy(proposal, momentum, exponent * state.logLikelihood);
      let value = state.logLikelihood;
      kick(momentum, 0.5 * angle * exponent, proposalGradient);
      for (let step = 0; step < steps; step++) {
        for (let i = 0; i < dimension; i++) {
          const [x, p] = [proposal[i]!, momentum[i]!];
          proposal[i] = c * x + s * p;
          momentum[i] = c * p - s * x;
        }
        value = evaluate(proposal, proposalGradient);
        if (!Number.isFinite(value)) return 0;
        // the half kicks that end one step and begin the next are one
        kick(momentum, (step === steps - 1 ? 0.5 : 1) * angle * exponent, proposalGradient);
      }
      const error = energy(proposal, momentum, exponent * value) - before;
      const acceptance = Number.isNaN(error) ? 0 : Math.min(1, Math.exp(-error));
      if (threshold < acceptance) {
        state.position.set(proposal);
        state.gradient.set(proposalGradient);
        state.logLikelihood = value;
      }
      return acceptance;
    },
    stein: ({ position, gradient }, exponent) => {
      let sum = dimension;
      for (let i = 0; i < dimension; i++) sum += position[i]! * (exponent * gradient[i]! - position[i]!);
      return sum;
    },
  };
}

/** p := p + size·gradient. */
function kick(momentum: Float64Array, size: number, gradient: Float64Array): void {
  for (let i = 0; i < momentum.length; i++) momentum[i]! += size * gradient[i]!;
}

function energy(position: Float64Array, momentum: Float64Array, logLikelihood: number): number {
  let sum = 0;
  for (let i = 0; i < position.length; i++) sum += position[i]! ** 2 + momentum[i]! ** 2;
  return 0.5 * sum - logLikelihood;
}
