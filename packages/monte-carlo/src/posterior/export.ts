import type { Posterior, Tensor } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";

/**
 * The draws of a `monte-carlo` posterior as .npz, every array (chain, draw, …), as ArviZ reads them: `theta`, the hidden weights in
 * whitened form (the stored draws), and `logLikelihood` of every draw.
 */
export function drawsToNpz(posterior: Posterior): Uint8Array {
  const { theta, logLikelihood } = posterior.arrays as { readonly theta: Tensor; readonly logLikelihood: Tensor };
  return encodeNpz({ theta, logLikelihood });
}
