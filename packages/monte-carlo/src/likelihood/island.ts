import { likelihoodOf, resolveArchitecture, type Matrix, type Problem, type Task } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { drawIsland, type IslandDraws, type IslandSettings } from "@finitewidth/likelihoods";
import { stream } from "@finitewidth/random";
import { networkTarget } from "./network-target.js";

/** One island of all weights of a network. */
export interface NetworkIslandChunk extends IslandSettings {
  /** In standard scaling, with a likelihood of its own. */
  readonly problem: Problem;
  readonly seed: number;
  readonly indices: readonly number[];
  /** Draws of every particle whose weights are kept. */
  readonly stored: number;
}

export interface NetworkIslandResult extends IslandDraws {
  /** (particles·stored) × parameters. */
  readonly theta: Matrix;
  /** f at the training points of every draw: (particles·draws) × (P·d). */
  readonly latents: Matrix;
  /** Sums over the draws of every particle: L matrices of particles × P². */
  readonly hiddenKernels: readonly Matrix[];
}

/** Runs one island over all weights. */
export const sampleNetworkIsland: Task<NetworkIslandChunk, NetworkIslandResult> = {
  module: import.meta.url,
  name: "sampleNetworkIsland",
  async run(chunk, { registry, tick }) {
    const { problem, particles, draws, stored } = chunk;
    const [points, columns] = problem.targets.shape;
    const likelihood = likelihoodOf(problem, registry)!;
    const d = likelihood.latents(columns);
    const network = realise(resolveArchitecture(registry, problem.network), problem.inputs, d);
    const target = networkTarget(network, likelihood.observe(problem.targets));
    const theta = new Float64Array(particles * stored * network.parameters);
    const latents = new Float64Array(particles * draws * points * d);
    const hidden: Float64Array[] = [];
    const found = await drawIsland(target, chunk, stream(chunk.seed, ...chunk.indices), tick, (at, position) => {
      const state = network.forward(position);
      latents.set(state.outputs.data, at * points * d);
      const k = Math.floor(at / draws);
      for (const [l, { data }] of state.hiddenKernels().entries()) {
        hidden[l] ??= new Float64Array(particles * points ** 2);
        for (let i = 0; i < data.length; i++) hidden[l][k * points ** 2 + i]! += data[i]!;
      }
      // the last draws of a particle: they are furthest from its start
      const kept = (at % draws) - (draws - stored);
      if (kept >= 0) theta.set(position, (k * stored + kept) * network.parameters);
    });
    return {
      ...found,
      theta: { data: theta, shape: [particles * stored, network.parameters] },
      latents: { data: latents, shape: [particles * draws, points * d] },
      hiddenKernels: hidden.map((data) => ({ data, shape: [particles, points ** 2] as const })),
    };
  },
};
