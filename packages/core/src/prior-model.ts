import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Architecture } from "./architecture.js";
import type { Network } from "./network.js";
import type { Registry } from "./registry.js";

/** Changes to the numbers of a network; `layer` counts the layers of weights in the order of the file, the readout last. */
export interface NetworkVariation {
  /** Of hidden layers: widths, numbers of channels. */
  width?(width: number, layer: number): number;
  weightVariance?(variance: number, layer: number): number;
  biasVariance?(variance: number, layer: number): number;
}

/**
 * Plug-in kind: how a kind of network is written in an experiment file and which layers it has. Everything else follows from the layers:
 * infinite-width kernels, exact laws, corrections and the real network that Monte Carlo samples.
 */
export interface PriorModel<N extends Network = Network> {
  /** Value of `network.type`. */
  readonly name: string;
  readonly summary: string;
  /** Validates the `network` object of an experiment file and fills in defaults. */
  readonly schema: StandardSchemaV1<unknown, N>;
  /** Layers of a validated network. @throws FinitewidthError (code "input") naming the field by its path from `network`. */
  architecture(network: N, registry: Registry): Architecture;
  /** The same network with other widths and variances. */
  vary(network: N, variation: NetworkVariation, registry: Registry): N;
}
