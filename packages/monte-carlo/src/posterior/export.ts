import type { Posterior } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import type { MonteCarloState } from "./fit.js";

/**
 * The draws of a `monte-carlo` posterior as .npz, every array (chain, draw, …), as ArviZ reads them: `theta`, the hidden weights in
 * whitened form (the stored draws), and `logLikelihood` of every draw.
 */
export function drawsToNpz(posterior: Posterior<unknown, MonteCarloState>): Uint8Array {
  const { theta, logLikelihood } = posterior.state;
  return encodeNpz({ theta, logLikelihood });
}
