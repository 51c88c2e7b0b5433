import type { FiniteNetwork, Matrix } from "@finitewidth/core";
import type { AnnealingLadder } from "@finitewidth/numerics";

/** What the referee may do. */
export interface RefereeBudget {
  readonly chains: number;
  readonly particles: number;
  /** Draws after which the theories are judged, as long as one is doubtful. */
  readonly looks: readonly number[];
}

/** Multiplications and additions a second that a plan counts on, all workers together: slow machines take longer, not other numbers. */
const speed = 1e10;
/** What a gradient costs however small the network. */
const overhead = 1e6;
/** Groups of chains, which are chunks of work and units of the evidence's error. */
export const refereeGroups = 8;
/** Particles that find the ladder. */
export const pilotParticles = 32;

interface Costs {
  readonly gradient: number;
  readonly prediction: number;
  /** Control variates of a draw, and of a particle at a level. */
  readonly control: number;
  readonly likelihoodControl: number;
}

/** Flops of a gradient of the collapsed likelihood, of a prediction, and of control variates: five forward runs each. */
function costs(network: FiniteNetwork, points: number, tests: number, controls: boolean): Costs {
  const hidden = network.parameters - network.readoutParameters;
  const { features } = network.forward(new Float64Array(network.parameters));
  const count = (features as Matrix).shape[1];
  const small = Math.min(points, count);
  const solve = small * small * Math.max(points, count);
  return {
    gradient: overhead + 6 * points * hidden + 3 * solve,
    prediction: 2 * (points + tests) * hidden + 2 * solve + 2 * tests * count * small,
    control: controls ? 5 * (2 * (points + tests) * hidden + (2 * tests + points) * points * count) : 0,
    likelihoodControl: controls ? 5 * (2 * points * hidden + points * points * count) : 0,
  };
}

/**
 * A plan in draws from a limit in seconds, by counting operations along the pilot's ladder: the same for every machine and number of
 * workers, so that results are reproducible. Undefined when even eight chains with seven draws take longer. Without a ladder: the least
 * there can be.
 */
export function planReferee(
  network: FiniteNetwork,
  points: number,
  tests: number,
  wanted: {
    readonly chains: number;
    readonly draws: number;
    readonly looks?: number;
    readonly seconds: number;
    readonly controls?: boolean;
  },
  ladder: AnnealingLadder = { exponents: [0, 1], stepSizes: [1] },
): RefereeBudget | undefined {
  const { gradient, prediction, control, likelihoodControl } = costs(network, points, tests, wanted.controls ?? false);
  const perTrajectory = ladder.stepSizes.map((step) => Math.min(64, Math.ceil(Math.PI / 2 / step)));
  const perParticle = perTrajectory.reduce((sum, count) => sum + count, 0);
  const seconds = (chains: number, particles: number, draws: number): number => {
    const gradients = (pilotParticles + 2 * refereeGroups * particles) * perParticle + chains * (draws + burnIn) * perTrajectory.at(-1)!;
    const annealed = refereeGroups * particles * ladder.exponents.length * likelihoodControl;
    return (gradients * gradient + annealed + chains * draws * (prediction + control)) / speed;
  };
  const sizes = [
    { chains: wanted.chains, particles: Math.max(16, wanted.chains / refereeGroups), draws: wanted.draws },
    { chains: wanted.chains, particles: 8, draws: wanted.draws },
    { chains: wanted.chains, particles: 4, draws: wanted.draws },
    { chains: Math.min(wanted.chains, 16), particles: 2, draws: wanted.draws },
    { chains: 8, particles: 2, draws: Math.min(wanted.draws, 7) },
  ];
  const size = sizes.find(
    ({ chains, particles, draws }) => refereeGroups * particles >= chains && seconds(chains, particles, draws) <= wanted.seconds,
  );
  if (size === undefined) return undefined;
  const looks = [1, 4, 14]
    .slice(0, wanted.looks)
    .map((factor) => factor * size.draws)
    .filter((draws) => seconds(size.chains, size.particles, draws) <= wanted.seconds);
  return { chains: size.chains, particles: size.particles, looks };
}

/** Trajectories thrown away after the annealing. */
export const burnIn = 4;
