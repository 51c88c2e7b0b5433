import type { Sampling } from "@finitewidth/core";

/** Weighted draws from the prior. */
export const importance = (samples: number): Sampling => ({ kind: "importance", samples });
/** Four chains over the weights. */
export const chains = (draws: number): Sampling => ({ kind: "chains", chains: 4, draws, warmup: Math.max(300, Math.floor(draws / 4)) });
