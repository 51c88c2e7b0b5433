import { createLikelihood, type LikelihoodChoice, type Matrix, type Task } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { chainTarget, type OutputChain } from "../sampling/chain-target.js";
import { drawIsland, type IslandDraws, type IslandSettings } from "../sampling/islands.js";

/** One island of the latent outputs. */
export interface LatentIslandChunk extends IslandSettings {
  /** B with K = BBᵀ: P × rank. */
  readonly root: Matrix;
  readonly chain: OutputChain;
  readonly likelihood: LikelihoodChoice;
  readonly targets: Matrix;
  readonly seed: number;
  readonly indices: readonly number[];
  /** K, when the learned hidden kernels are wanted. */
  readonly kernel?: Matrix;
}

export interface LatentIslandResult extends IslandDraws {
  /** (particles·draws) × dimension. */
  readonly positions: Matrix;
  /** Sums over the draws of every particle: L matrices of particles × P². */
  readonly hiddenKernels: readonly Matrix[];
}

/** Runs one island over (chain, g). */
export const sampleLatentIsland: Task<LatentIslandChunk, LatentIslandResult> = {
  module: import.meta.url,
  name: "sampleLatentIsland",
  async run(chunk, { registry, tick }) {
    const { particles, draws, kernel } = chunk;
    const observation = createLikelihood(registry, chunk.likelihood).observe(chunk.targets);
    const target = chainTarget(chunk.root, observation, chunk.chain);
    const positions = new Float64Array(particles * draws * target.dimension);
    const size = chunk.targets.shape[0] ** 2;
    const hidden = chunk.chain.widths.map(() => new Float64Array(kernel && draws > 0 ? particles * size : 0));
    const random = stream(chunk.seed, ...chunk.indices);
    const found = await drawIsland(target, chunk, random, tick, (at, position) => {
      positions.set(position, at * target.dimension);
      if (!kernel) return;
      const k = Math.floor(at / draws);
      for (const [l, { data }] of target.hiddenKernels(position, kernel).entries())
        for (let i = 0; i < size; i++) hidden[l]![k * size + i]! += data[i]!;
    });
    return {
      ...found,
      positions: { data: positions, shape: [particles * draws, target.dimension] },
      hiddenKernels: hidden.map((data) => ({ data, shape: [data.length / size, size] as const })),
    };
  },
};
