import type { FiniteNetwork, Matrix } from "@finitewidth/core";

/** What the referee may do. */
export interface RefereeBudget {
  readonly chains: number;
  readonly particles: number;
  /** Draws after which the theories are judged, as long as one is doubtful. */
  readonly looks: readonly number[];
}

/** Multiplications and additions a second that a plan counts on, all workers together: slow machines take longer, not other numbers. */
const speed = 4e9;
/** What a gradient costs however small the network. */
const overhead = 4e5;
/** Gradients of a trajectory at the step sizes that the ladder ends with, and levels of the ladder. */
const typical = { gradients: 5, levels: 5 };
/** Groups of chains, which are chunks of work and units of the evidence's error. */
export const refereeGroups = 8;

/** Flops of a gradient of the collapsed likelihood, and of a prediction. */
function costs(network: FiniteNetwork, points: number, tests: number): { readonly gradient: number; readonly prediction: number } {
  const hidden = network.parameters - network.readoutParameters;
  const { features } = network.forward(new Float64Array(network.parameters));
  const count = (features as Matrix).shape[1];
  const small = Math.min(points, count);
  const solve = small * small * Math.max(points, count);
  return {
    gradient: overhead + 6 * points * hidden + 3 * solve,
    prediction: 2 * (points + tests) * hidden + 2 * solve + 2 * tests * count * small,
  };
}

/**
 * A plan in draws from a limit in seconds, by counting operations: the same for every machine and number of workers, so that results are
 * reproducible. Undefined when even eight chains with seven draws take longer.
 */
export function planReferee(
  network: FiniteNetwork,
  points: number,
  tests: number,
  wanted: { readonly chains: number; readonly draws: number; readonly seconds: number },
): RefereeBudget | undefined {
  const { gradient, prediction } = costs(network, points, tests);
  const seconds = (chains: number, particles: number, draws: number): number => {
    const annealing = refereeGroups * particles * 2 * typical.levels + 32 * typical.levels;
    const moves = annealing + chains * (draws + burnIn);
    return (moves * typical.gradients * gradient + chains * draws * prediction) / speed;
  };
  const sizes = [
    { chains: wanted.chains, particles: 16, draws: wanted.draws },
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
    .map((factor) => factor * size.draws)
    .filter((draws) => seconds(size.chains, size.particles, draws) <= wanted.seconds);
  return { chains: size.chains, particles: size.particles, looks };
}

/** Trajectories thrown away after the annealing. */
export const burnIn = 4;
